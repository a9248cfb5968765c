"""Tests a model's best checkpoints on held-out people: ``python -m affwildnet.test --workspace=W --model=DIR``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from affwildnet.checkpoints import checkpoint_step, choose_checkpoint, restore_model
from affwildnet.devices import use_device
from affwildnet.evaluation import EntryPredictions, Evaluation, compile_model, evaluate_model
from affwildnet.metrics import StreamingCCC
from affwildnet.model_folder import ModelFolder, check_records, is_synthetic, load_model
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.index import RecordFile, open_partition
from tfrecords.loader import read_labels
from tfrecords.loader_options import FRAMES_MODES, ON_CORRUPT
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_json, write_csv, write_json


@dataclasses.dataclass(frozen=True)
class TestOptions:
    """What is tested on what."""

    workspace: str = option("", "workspace folder")
    model: str = option("", "model folder")
    partition: str = option("test", "part of the database", choices=("train", "validation", "test"))
    checkpoints: tuple[str, ...] = option(
        ("valence", "arousal"),
        "checkpoints to test: valence, arousal or total for the best on validation, latest, or a step",
    )
    frames_mode: str = option(
        "all", "all: every labelled frame; kept: those that the original's sequences kept", FRAMES_MODES
    )
    on_corrupt: str = option("fatal", "what a damaged record does: end the run, or be left out and counted", ON_CORRUPT)
    batch: int = option(8, "sequences computed at once")
    gpu: int = option(0, "GPU of this process, -1 for the CPU")


def test_model(folder: ModelFolder, workspace: Workspace, chosen: TestOptions) -> dict[str, Any]:
    """Tests the chosen checkpoints; writes and returns ``test/results.json``, predictions beside it.

    Raises:
      InputError: a checkpoint is not there, or the records do not fit the model.
    """
    model, spec = load_model(folder)
    compiled = compile_model(model)
    files = open_partition(workspace, chosen.partition)
    check_records(files, spec, folder)
    trained = read_json(folder.model)["training"]
    results: dict[str, Any] = {"partition": chosen.partition, "synthetic": is_synthetic(folder), "checkpoints": {}}
    for which in chosen.checkpoints:
        prefix = choose_checkpoint(folder, which)
        restore_model(model, prefix)
        evaluation = evaluate_model(
            compiled, model.options.outputs, files, trained, chosen.batch, chosen.frames_mode, chosen.on_corrupt
        )
        for entry in evaluation.entries:
            write_predictions(folder.test(which) / f"{entry.entry}.csv", entry, model.options.outputs)
        results["checkpoints"][which] = _result(prefix, evaluation, model.options.outputs)
    training = open_partition(workspace, "train")
    results["constant"] = constant_baseline(training, files, model.options.outputs)
    write_json(folder.root / "test" / "results.json", results)
    return results


def constant_baseline(
    training: list[RecordFile], tested: list[RecordFile], outputs: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """CCC and MSE of always saying the training part's mean, by output; the CCC of a constant is 0."""
    means = np.concatenate([read_labels(file, outputs) for file in training]).mean(axis=0)
    streaming = StreamingCCC(len(outputs))
    for file in tested:
        labels = read_labels(file, outputs)
        streaming.update(np.broadcast_to(means, labels.shape), labels)
    return {
        "ccc": dict(zip(outputs, streaming.ccc().tolist(), strict=True)),
        "mse": dict(zip(outputs, streaming.mse().tolist(), strict=True)),
    }


def write_predictions(path: Path, entry: EntryPredictions, outputs: tuple[str, ...]) -> None:
    """Writes one entry's predictions: frame, then for each output its prediction and its label."""
    columns = ["frame", *(column for name in outputs for column in (name, f"{name}_label"))]
    rows = []
    for frame, predicted, label in zip(entry.frames, entry.predictions, entry.labels, strict=True):
        row: dict[str, object] = {"frame": int(frame)}
        for index, name in enumerate(outputs):
            row |= {name: f"{predicted[index]:.5f}", f"{name}_label": f"{label[index]:.3f}"}
        rows.append(row)
    write_csv(path, columns, rows)


def _result(prefix: str, evaluation: Evaluation, outputs: tuple[str, ...]) -> dict[str, Any]:
    by_entry = {}
    for entry in evaluation.entries:
        streaming = StreamingCCC(len(outputs))
        streaming.update(entry.predictions, entry.labels)
        by_entry[entry.entry] = dict(zip(outputs, streaming.ccc().tolist(), strict=True))
    return {
        "step": checkpoint_step(prefix),
        "checkpoint": prefix,
        "ccc": evaluation.ccc,
        "mse": evaluation.mse,
        "correlation": evaluation.correlation,
        "frames": evaluation.frames,
        "dropped": evaluation.dropped,
        "corrupt": evaluation.corrupt,
        "frames_mode": evaluation.frames_mode,
        "ccc_by_entry": by_entry,
    }


def main(argv: list[str]) -> int:
    chosen = options.from_flags(TestOptions)
    if not chosen.workspace or not chosen.model:
        raise InputError("--workspace and --model", "both are needed", "name the database's and the model's folder")
    print(f"testing on {use_device(chosen.gpu)}")
    folder = ModelFolder(Path(chosen.model))
    results = test_model(folder, Workspace(Path(chosen.workspace)), chosen)
    for which, result in results["checkpoints"].items():
        values = ", ".join(
            f"{name} CCC {result['ccc'][name]:.3f} MSE {result['mse'][name]:.3f}" for name in result["ccc"]
        )
        print(f"best by {which}, step {result['step']}: {values}")
    print(f"results in {folder.root / 'test'}")
    return 0


def run() -> None:
    options.run_main(main, TestOptions)


if __name__ == "__main__":
    run()
