"""Evaluates every new checkpoint on the validation part: ``python -m affwildnet.evaluate --workspace=W --model=DIR``.

Runs beside ``affwildnet.train``, on another GPU if there is one, and looks for checkpoints until training has finished.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

import tensorflow as tf
from absl import flags

from affwildnet.checkpoints import (
    hold_checkpoint,
    keep_best,
    list_checkpoints,
    release_checkpoint,
    restore_model,
)
from affwildnet.devices import use_device
from affwildnet.evaluation import Evaluation, compile_model, evaluate_model
from affwildnet.model_folder import ModelFolder, check_records, load_model
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.index import open_partition
from tfrecords.loader_options import FRAMES_MODES, ON_CORRUPT
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_csv, read_json, write_csv


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """What is evaluated, where, and until when."""

    workspace: str = option("", "workspace folder")
    model: str = option("", "model folder; may be empty yet, evaluation then waits for training to begin")
    partition: str = option("validation", "part of the database", choices=("train", "validation", "test"))
    poll_seconds: float = option(10.0, "seconds between looks for new checkpoints", at_least=0)
    exit_when_trained: bool = option(True, "end when training has ended and all its checkpoints are evaluated")
    grace_seconds: float = option(20.0, "how long to wait for training to go on where it had ended before", at_least=0)
    frames_mode: str = option(
        "all", "all: every labelled frame; kept: those that the original's sequences kept", FRAMES_MODES
    )
    on_corrupt: str = option("fatal", "what a damaged record does: end the run, or be left out and counted", ON_CORRUPT)
    batch: int = option(8, "sequences computed at once", at_least=1)
    gpu: int = option(1, "GPU of this process, -1 for the CPU; by default the second, or the CPU where there is none")


def evaluate_checkpoints(folder: ModelFolder, workspace: Workspace, chosen: EvaluateOptions) -> int:
    """Evaluates checkpoints as they appear, in order and each once; returns how many.

    A checkpoint is done when its row is in the CSV. It is held as a copy until ``best.json`` knows of it too, so that
    neither training's retention nor a kill between the two loses the best.

    Raises:
      InputError: the part is empty, its records do not fit the model, or training ended without a checkpoint.
    """
    files = open_partition(workspace, chosen.partition)
    _wait_for_checkpoint(folder, chosen)
    model, spec = load_model(folder)
    check_records(files, spec, folder)
    compiled = compile_model(model)
    trained = read_json(folder.model)["training"]
    writer = tf.summary.create_file_writer(str(folder.events(chosen.partition)))
    table = folder.evaluations(chosen.partition)
    rows = _read_rows(table)
    if any(row.get("frames_mode", "all") != chosen.frames_mode for row in rows):
        what = f"its rows are not of --frames_mode={chosen.frames_mode}, and would not compare"
        raise InputError(table, what, "evaluate as before, or delete the file")
    if chosen.partition == "validation":
        _catch_up_best(folder, rows)
    done = 0
    damaged: set[int] = set()
    began = time.monotonic()
    while True:
        ended = _training_ended(folder, time.monotonic() - began, chosen)
        known = {int(row["step"]) for row in rows} | damaged
        new = {step: prefix for step, prefix in list_checkpoints(folder).items() if step not in known}
        for step, prefix in new.items():
            start = time.monotonic()
            held = hold_checkpoint(folder, prefix)
            try:
                restore_model(model, held or prefix)
            except InputError as error:
                print(f"warning: {error}", file=sys.stderr)
                damaged.add(step)
                continue
            evaluation = evaluate_model(
                compiled, model.options.outputs, files, trained, chosen.batch, chosen.frames_mode, chosen.on_corrupt
            )
            _summarise(writer, evaluation, step)
            rows.append(_row(step, prefix, evaluation, time.monotonic() - start))
            write_csv(table, list(rows[0]), rows)
            if chosen.partition == "validation":
                _catch_up_best(folder, rows[-1:])
            release_checkpoint(held or "")
            done += 1
            print(f"step {step}: " + ", ".join(f"CCC {name} {value:.3f}" for name, value in evaluation.ccc.items()))
        if not new and ended and chosen.exit_when_trained:
            return done
        if not new:
            time.sleep(chosen.poll_seconds)


def _wait_for_checkpoint(folder: ModelFolder, chosen: EvaluateOptions) -> None:
    began = time.monotonic()
    said = False
    while not (folder.model.exists() and list_checkpoints(folder)):
        if chosen.exit_when_trained and _training_ended(folder, time.monotonic() - began, chosen):
            raise InputError(folder.root, "training ended without a checkpoint", "train the model first")
        if not said:
            print(f"waiting for a checkpoint in {folder.checkpoints}", flush=True)
            said = True
        time.sleep(chosen.poll_seconds)


def _read_rows(table: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = list(read_csv(table, ("step", "checkpoint"))) if table.exists() else []
    for line, row in enumerate(rows, start=2):
        try:
            for name, value in row.items():
                if name not in ("checkpoint", "frames_mode"):
                    float(value)
        except ValueError:
            raise InputError(table, "the row is damaged", "delete it, and it is evaluated again", line) from None
    return rows


def _training_ended(folder: ModelFolder, waited: float, chosen: EvaluateOptions) -> bool:
    """Whether ``training.json`` says so, and has said so for long enough that a training started beside would show."""
    if not folder.training.exists() or read_json(folder.training)["state"] == "running":
        return False
    age = time.time() - folder.training.stat().st_mtime
    return age < waited or waited >= chosen.grace_seconds


def _row(step: int, prefix: str, evaluation: Evaluation, seconds: float) -> dict[str, Any]:
    row: dict[str, Any] = {"step": step, "checkpoint": Path(prefix).name}
    row |= {f"ccc_{name}": value for name, value in evaluation.ccc.items()}
    row |= {f"mse_{name}": value for name, value in evaluation.mse.items()}
    row |= {"frames": evaluation.frames, "dropped": evaluation.dropped, "corrupt": evaluation.corrupt}
    return row | {"seconds": round(seconds, 2), "frames_mode": evaluation.frames_mode}


def _catch_up_best(folder: ModelFolder, rows: list[dict[str, Any]]) -> None:
    """Lets each row compete for the best checkpoint by each output and by the mean."""
    for row in rows:
        kept = [folder.root / place / str(row["checkpoint"]) for place in ("held", "checkpoints")]
        there = [prefix for prefix in kept if prefix.with_name(f"{prefix.name}.index").exists()]
        for column, value in row.items():
            if column.startswith("ccc_") and there:
                keep_best(folder, column.removeprefix("ccc_"), str(there[0]), float(value))


def _summarise(writer: tf.summary.SummaryWriter, evaluation: Evaluation, step: int) -> None:
    with writer.as_default(step=step):
        for name, value in evaluation.ccc.items():
            tf.summary.scalar(f"eval/concordance_{name}", value)
        for name, value in evaluation.mse.items():
            tf.summary.scalar(f"eval/mse_{name}", value)
    writer.flush()


def main(argv: list[str]) -> int:
    chosen = options.from_flags(EvaluateOptions)
    if not chosen.workspace or not chosen.model:
        raise InputError("--workspace and --model", "both are needed", "name the database's and the model's folder")
    device = use_device(chosen.gpu, required=flags.FLAGS["gpu"].present > 0)
    print(f"evaluating on {device}", flush=True)
    folder = ModelFolder(Path(chosen.model))
    done = evaluate_checkpoints(folder, Workspace(Path(chosen.workspace)), chosen)
    print(f"{done} checkpoints evaluated, see {folder.evaluations(chosen.partition)}")
    return 0


def run() -> None:
    options.run_main(main, EvaluateOptions)


if __name__ == "__main__":
    run()
