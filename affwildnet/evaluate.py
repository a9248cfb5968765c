"""Evaluates every new checkpoint on the validation part: ``python -m affwildnet.evaluate --workspace=W --model=DIR``.

Runs beside ``affwildnet.train``, on another GPU or another machine that shares the folders, and looks for checkpoints
until training has finished. The two know of each other by files only, and no clock is compared with another machine's.
"""

from __future__ import annotations

import collections
import dataclasses
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import tensorflow as tf
from absl import flags

from affwildnet.bootstrap import BootstrapOptions
from affwildnet.checkpoints import hold_checkpoint, list_checkpoints, release_checkpoint, restore_model
from affwildnet.classification_metrics import Thresholds
from affwildnet.devices import use_device
from affwildnet.evaluation import Evaluation, compile_model, evaluate_model
from affwildnet.evaluation_files import (
    best_by,
    catch_up_best,
    evaluation_row,
    read_evaluations,
    request_stop,
    write_evaluation,
)
from affwildnet.model_folder import ModelFolder, check_records, load_model
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.index import open_partition
from tfrecords.loader_options import FRAMES_MODES, ON_CORRUPT
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_json

WHICH = ("every", "latest")


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """What is evaluated, where, and until when."""

    workspace: str = option("", "workspace folder")
    model: str = option("", "model folder; may be empty yet, evaluation then waits for training to begin")
    partition: str = option("validation", "part of the database", choices=("train", "validation", "test"))
    which: str = option(
        "every", "every checkpoint, or at each look only the latest, so that a slow evaluation keeps up", WHICH
    )
    stop_after: int = option(
        0, "ask training to stop after so many evaluations without a higher mean CCC; 0 never does", at_least=0
    )
    stop_by: str = option(
        "total", "what has to rise for that: a name of best.json; total is the mean CCC, with heads their mean score"
    )
    retries: int = option(
        5, "how often a checkpoint that cannot be read is tried again before it is skipped", at_least=0
    )
    poll_seconds: float = option(10.0, "seconds between looks for new checkpoints", at_least=0)
    exit_when_trained: bool = option(True, "end when training has ended and all its checkpoints are evaluated")
    grace_seconds: float = option(20.0, "how long to wait for training to go on where it had ended before", at_least=0)
    frames_mode: str = option(
        "all", "all: every labelled frame; kept: those that the original's sequences kept", FRAMES_MODES
    )
    on_corrupt: str = option("fatal", "what a damaged record does: end the run, or be left out and counted", ON_CORRUPT)
    exit_after_idle_seconds: float = option(
        0.0, "end when there was nothing new for so long, as after a crash of training; 0 waits on", at_least=0
    )
    batch: int = option(8, "sequences computed at once", at_least=1)
    gpu: int = option(1, "GPU of this process, -1 for the CPU; by default the second, or the CPU where there is none")


def evaluate_checkpoints(
    folder: ModelFolder,
    workspace: Workspace,
    chosen: EvaluateOptions,
    intervals: BootstrapOptions = BootstrapOptions(),  # noqa: B008
    thresholds: Thresholds = Thresholds(),  # noqa: B008
) -> int:
    """Evaluates checkpoints as they appear, in order and each once; returns how many.

    A checkpoint is done when its row is in the CSV. It is held as a copy until ``best.json`` knows of it too, so that
    neither training's retention nor a kill between the two loses the best. One that cannot be read, as it is half
    written or half copied, is tried again at the next looks, then skipped with a warning until the next start.

    Raises:
      InputError: the part is empty, its records do not fit the model, or training ended without a checkpoint.
    """
    files = open_partition(workspace, chosen.partition)
    ended = _watch_training(folder, chosen.grace_seconds)
    _wait_for_checkpoint(folder, chosen, ended)
    model, spec = load_model(folder)
    check_records(files, spec, folder)
    compiled = compile_model(model)
    outputs = model.options.outputs
    trained = read_json(folder.model)["training"]
    validating = chosen.partition == "validation"
    writer = tf.summary.create_file_writer(str(folder.events(chosen.partition)))
    table = folder.evaluations(chosen.partition)
    rows = read_evaluations(table)
    if any(row.get("frames_mode", "all") != chosen.frames_mode for row in rows):
        what = f"its rows are not of --frames_mode={chosen.frames_mode}, and would not compare"
        raise InputError(table, what, "evaluate as before, or delete the file")
    if validating:
        catch_up_best(folder, rows, model.heads)
    done = 0
    failures: collections.Counter[int] = collections.Counter()
    idle_since = time.monotonic()
    while True:
        trained_out = ended()
        waiting = _waiting(folder, {int(row["step"]) for row in rows}, failures, chosen)
        for step, prefix in waiting.items():
            start = time.monotonic()
            held = hold_checkpoint(folder, prefix)
            try:
                restore_model(model, held or prefix)
            except InputError as error:
                failures[step] += 1
                _tell_failure(error, failures[step], chosen.retries)
                if held:
                    release_checkpoint(held)
                continue
            evaluation = evaluate_model(
                compiled, outputs, files, trained, chosen.batch, chosen.frames_mode, chosen.on_corrupt, thresholds
            )
            _summarise(writer, evaluation, step)
            rows.append(evaluation_row(step, prefix, evaluation, outputs, time.monotonic() - start, intervals))
            write_evaluation(folder, chosen.partition, rows, evaluation, outputs)
            if validating:
                catch_up_best(folder, rows[-1:], model.heads)
            if held:
                release_checkpoint(held)
            done += 1
            idle_since = time.monotonic()
            told = [f"CCC {name} {value:.3f}" for name, value in evaluation.ccc.items()]
            told += [f"{name} {value:.3f}" for name, value in evaluation.by_head.items()]
            print(f"step {step}: " + ", ".join(told))
            watched = _watched(best_by(model.heads, rows[-1]), chosen.stop_by)
            if validating and request_stop(folder, rows, chosen.stop_after, watched):
                print(f"no gain in {chosen.stop_after} evaluations: training is asked to stop", flush=True)
        if not waiting and trained_out and chosen.exit_when_trained:
            return done
        if not set(waiting) - set(failures):
            idle = time.monotonic() - idle_since
            if not waiting and chosen.exit_after_idle_seconds and idle >= chosen.exit_after_idle_seconds:
                print(f"nothing new for {idle:.0f} s")
                return done
            time.sleep(chosen.poll_seconds)


def _watched(columns: Mapping[str, str], name: str) -> str:
    """The column that --stop_by names."""
    if name not in columns:
        raise InputError(f"--stop_by={name}", "no best checkpoint has this name", f"choose of {', '.join(columns)}")
    return columns[name]


def _waiting(
    folder: ModelFolder, known: set[int], failures: Mapping[int, int], chosen: EvaluateOptions
) -> dict[int, str]:
    """Step -> prefix of the checkpoints to evaluate now."""
    there = {step: prefix for step, prefix in list_checkpoints(folder).items() if failures[step] <= chosen.retries}
    if chosen.which == "latest" and there:
        there = {max(there): there[max(there)]}
    return {step: prefix for step, prefix in there.items() if step not in known}


def _tell_failure(error: InputError, times: int, retries: int) -> None:
    if times <= retries:
        print(f"{error.path}: {error.what}; tried again at the next look", flush=True)
    else:
        print(f"warning: {error.path}: {error.what}; skipped after {times} tries", file=sys.stderr, flush=True)


def _wait_for_checkpoint(folder: ModelFolder, chosen: EvaluateOptions, ended: Callable[[], bool]) -> None:
    said = False
    while not (folder.model.exists() and list_checkpoints(folder)):
        if chosen.exit_when_trained and ended():
            raise InputError(folder.root, "training ended without a checkpoint", "train the model first")
        if not said:
            print(f"waiting for a checkpoint in {folder.checkpoints}", flush=True)
            said = True
        time.sleep(chosen.poll_seconds)


def _watch_training(folder: ModelFolder, grace_seconds: float) -> Callable[[], bool]:
    """A function that tells whether ``training.json`` says that training has ended and will not just be started again.

    What the file said already when this process began counts after `grace_seconds`; what was written since, at once.
    Whether it was written since is told by the file alone, for another machine's clock may be wrong.
    """

    def written() -> tuple[int, int]:
        try:
            facts = folder.training.stat()
        except FileNotFoundError:
            return 0, 0
        return facts.st_ino, facts.st_mtime_ns

    old, began = written(), time.monotonic()

    told = False

    def ended() -> bool:
        nonlocal told
        state = read_json(folder.training)["state"] if folder.training.exists() else "running"
        if state == "interrupted" and not told:
            told = True
            print("training was interrupted: waiting for it to go on", flush=True)
        if state in ("running", "interrupted"):
            return False
        return written() != old or time.monotonic() - began >= grace_seconds

    return ended


def _summarise(writer: tf.summary.SummaryWriter, evaluation: Evaluation, step: int) -> None:
    with writer.as_default(step=step):
        for name, value in evaluation.ccc.items():
            tf.summary.scalar(f"eval/concordance_{name}", value)
        for name, value in evaluation.mse.items():
            tf.summary.scalar(f"eval/mse_{name}", value)
        for name, value in evaluation.by_head.items():
            tf.summary.scalar(f"eval/{name}", value)
    writer.flush()


def main(argv: list[str]) -> int:
    chosen = options.from_flags(EvaluateOptions)
    intervals = options.from_flags(BootstrapOptions)
    if not chosen.workspace or not chosen.model:
        raise InputError("--workspace and --model", "both are needed", "name the database's and the model's folder")
    device = use_device(chosen.gpu, required=flags.FLAGS["gpu"].present > 0)
    print(f"evaluating on {device}", flush=True)
    folder = ModelFolder(Path(chosen.model))
    thresholds = options.from_flags(Thresholds)
    done = evaluate_checkpoints(folder, Workspace(Path(chosen.workspace)), chosen, intervals, thresholds)
    print(f"{done} checkpoints evaluated, see {folder.evaluations(chosen.partition)}")
    return 0


def run() -> None:
    options.run_main(main, EvaluateOptions, BootstrapOptions, Thresholds)


if __name__ == "__main__":
    run()
