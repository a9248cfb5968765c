"""Evaluates every new checkpoint on the validation part: ``python -m affwildnet.evaluate --workspace=W --model=DIR``.

Runs beside ``affwildnet.train``, on another GPU if there is one, and looks for checkpoints until training has finished.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import tensorflow as tf

from affwildnet.checkpoints import keep_best, list_checkpoints, restore_model
from affwildnet.devices import use_device
from affwildnet.evaluation import Evaluation, compile_model, evaluate_model
from affwildnet.model_folder import ModelFolder, check_records, load_model
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.index import open_partition
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_csv, read_json, write_csv


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """What is evaluated, where, and until when."""

    workspace: str = option("", "workspace folder")
    model: str = option("", "model folder; may be empty yet, evaluation then waits for training to begin")
    partition: str = option("validation", "part of the database", choices=("train", "validation", "test"))
    poll_seconds: float = option(10.0, "seconds between looks for new checkpoints")
    exit_when_trained: bool = option(True, "end when training has ended and all its checkpoints are evaluated")
    batch: int = option(8, "sequences computed at once")
    gpu: int = option(1, "GPU of this process, -1 for the CPU; with only one GPU use 0 here or there, and -1 here")


def evaluate_checkpoints(folder: ModelFolder, workspace: Workspace, chosen: EvaluateOptions) -> int:
    """Evaluates checkpoints as they appear, in order and each once; returns how many.

    ``evaluations.csv`` is the memory: a checkpoint is done when its row is there, written after its TensorBoard
    summaries and before ``best.json``, which a restart makes up from the rows if it is behind.
    """
    while not (folder.model.exists() and list_checkpoints(folder)):
        if chosen.exit_when_trained and _training_ended(folder):
            raise InputError(folder.root, "training ended without a checkpoint", "train the model first")
        time.sleep(chosen.poll_seconds)
    model, spec = load_model(folder)
    predict = compile_model(model)
    files = open_partition(workspace, chosen.partition)
    check_records(files, spec, folder)
    length = read_json(folder.model)["training"]["sequence_length"]
    writer = tf.summary.create_file_writer(str(folder.events(chosen.partition)))
    rows: list[dict[str, Any]] = list(read_csv(folder.evaluations)) if folder.evaluations.exists() else []
    _catch_up_best(folder, rows)
    done = 0
    damaged: set[int] = set()
    while True:
        ended = _training_ended(folder)
        known = {int(row["step"]) for row in rows} | damaged
        new = {step: prefix for step, prefix in list_checkpoints(folder).items() if step not in known}
        for step, prefix in new.items():
            start = time.monotonic()
            try:
                restore_model(model, prefix)
            except InputError as error:
                print(f"warning: {error}")
                damaged.add(step)
                continue
            evaluation = evaluate_model(predict, model.options.outputs, files, length, chosen.batch)
            _summarise(writer, evaluation, step)
            rows.append(_row(step, prefix, evaluation, time.monotonic() - start))
            write_csv(folder.evaluations, list(rows[0]), rows)
            _catch_up_best(folder, rows[-1:])
            done += 1
            print(f"step {step}: " + ", ".join(f"CCC {name} {value:.3f}" for name, value in evaluation.ccc.items()))
        if not new and ended and chosen.exit_when_trained:
            return done
        if not new:
            time.sleep(chosen.poll_seconds)


def _training_ended(folder: ModelFolder) -> bool:
    return folder.training.exists() and read_json(folder.training)["state"] != "running"


def _row(step: int, prefix: str, evaluation: Evaluation, seconds: float) -> dict[str, Any]:
    row: dict[str, Any] = {"step": step, "checkpoint": Path(prefix).name}
    row |= {f"ccc_{name}": value for name, value in evaluation.ccc.items()}
    row |= {f"mse_{name}": value for name, value in evaluation.mse.items()}
    return row | {"frames": evaluation.frames, "seconds": round(seconds, 2)}


def _catch_up_best(folder: ModelFolder, rows: list[dict[str, Any]]) -> None:
    """Lets each row compete for the best checkpoint by each output and by the mean."""
    for row in rows:
        prefix = folder.checkpoints / str(row["checkpoint"])
        for column, value in row.items():
            if column.startswith("ccc_") and prefix.with_name(f"{prefix.name}.index").exists():
                keep_best(folder, column.removeprefix("ccc_"), str(prefix), float(value))


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
    print(f"evaluating on {use_device(chosen.gpu)}")
    folder = ModelFolder(Path(chosen.model))
    done = evaluate_checkpoints(folder, Workspace(Path(chosen.workspace)), chosen)
    print(f"{done} checkpoints evaluated, see {folder.evaluations}")
    return 0


def run() -> None:
    options.run_main(main, EvaluateOptions)


if __name__ == "__main__":
    run()
