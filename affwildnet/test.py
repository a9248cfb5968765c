"""Tests a model's best checkpoints on held-out people: ``python -m affwildnet.test --workspace=W --model=DIR``."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from affwildnet.bootstrap import BootstrapOptions
from affwildnet.checkpoints import checkpoint_step, choose_checkpoint, restore_model
from affwildnet.classification_metrics import Thresholds
from affwildnet.devices import use_device
from affwildnet.evaluation import Evaluation, compile_model, evaluate_model
from affwildnet.measured import (
    EntryPredictions,
    entry_rows,
    intervals_by_output,
    moments_by_clip,
    moments_by_entry,
)
from affwildnet.metrics import StreamingCCC
from affwildnet.model_folder import ModelFolder, check_records, is_synthetic, load_model
from affwildnet.stream_figures import write_figures
from tfrecords import options
from tfrecords.corrupt import CorruptRecords
from tfrecords.errors import InputError
from tfrecords.index import RecordFile, open_partition
from tfrecords.labels import ORIGINAL_LABELS
from tfrecords.loader import read_labels
from tfrecords.loader_options import FRAMES_MODES, ON_CORRUPT
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_csv, read_json, write_csv, write_json


@dataclasses.dataclass(frozen=True)
class TestOptions:
    """What is tested on what."""

    workspace: str = option("", "workspace folder")
    model: str = option("", "model folder")
    partition: str = option("test", "part of the database", choices=("train", "validation", "test"))
    checkpoints: tuple[str, ...] = option(
        (),
        "checkpoints to test: valence, arousal or total for the best on validation (with heads also their names), "
        "latest, or a step; without, valence and arousal, of a network that has not both total",
    )
    frames_mode: str = option(
        "all", "all: every labelled frame; kept: those that the original's sequences kept", FRAMES_MODES
    )
    on_corrupt: str = option("fatal", "what a damaged record does: end the run, or be left out and counted", ON_CORRUPT)
    batch: int = option(8, "sequences computed at once", at_least=1)
    plots: bool = option(True, "draw the thesis's figures 6.3 to 6.8 and histograms of each checkpoint")
    gpu: int = option(0, "GPU of this process, -1 for the CPU")


def test_model(
    folder: ModelFolder,
    workspace: Workspace,
    chosen: TestOptions,
    intervals: BootstrapOptions = BootstrapOptions(),  # noqa: B008
    thresholds: Thresholds = Thresholds(),  # noqa: B008
) -> dict[str, Any]:
    """Tests the chosen checkpoints; writes and returns ``test/results.json``, predictions, tables and plots beside it.

    Raises:
      InputError: a checkpoint is not there, or the records do not fit the model.
    """
    model, spec = load_model(folder)
    compiled = compile_model(model)
    files = open_partition(workspace, chosen.partition)
    check_records(files, spec, folder)
    trained = read_json(folder.model)["training"]
    outputs = model.options.outputs
    training = open_partition(workspace, "train")
    results: dict[str, Any] = {
        "partition": chosen.partition,
        "synthetic": is_synthetic(folder),
        "database": partition_sizes(workspace),
        "intervals": dataclasses.asdict(intervals),
        **({"thresholds": dataclasses.asdict(thresholds)} if model.heads else {}),
        "checkpoints": {},
    }
    usual = ORIGINAL_LABELS if set(ORIGINAL_LABELS) <= set(outputs) else ("total",)
    for which in chosen.checkpoints or usual:
        prefix = choose_checkpoint(folder, which)
        restore_model(model, prefix)
        evaluation = evaluate_model(
            compiled, outputs, files, trained, chosen.batch, chosen.frames_mode, chosen.on_corrupt, thresholds
        )
        regressed, names = evaluation.regressions(outputs)
        for entry in evaluation.entries:
            write_predictions(folder.test(which) / f"{entry.entry}.csv", entry, outputs)
        by_entry = entry_rows(evaluation.entries, outputs, intervals, evaluation.heads, thresholds)
        write_csv(folder.root / "test" / f"{which}-entries.csv", list(by_entry[0]), by_entry)
        if chosen.plots and names:
            told = f"{chosen.partition} part, step {checkpoint_step(prefix)}"
            notice = ", SYNTHETIC: drawn faces" if results["synthetic"] else ""
            write_figures(folder.test(which), regressed, names, told + notice)
        results["checkpoints"][which] = _result(folder, prefix, evaluation, outputs, intervals)
        results["constant"] = constant_baseline(training, regressed, names, chosen.on_corrupt)
    write_json(folder.root / "test" / "results.json", _without_nan(results))
    return results


def partition_sizes(workspace: Workspace) -> dict[str, dict[str, int]]:
    """Entries, subjects and labelled frames of each part of the database, for whoever reads the results alone."""
    sizes: dict[str, dict[str, int]] = {}
    rows = read_csv(workspace.partition, ("entry", "partition"))
    for part in ("train", "validation", "test"):
        own = [row for row in rows if row["partition"] == part]
        sizes[part] = {
            "entries": len(own),
            "subjects": len({row.get("subject") or row["entry"] for row in own}),
            "frames": sum(int(row.get("frames") or 0) for row in own),
        }
    return sizes


def constant_baseline(
    training: list[RecordFile], tested: list[EntryPredictions], outputs: tuple[str, ...], on_corrupt: str
) -> dict[str, dict[str, float]]:
    """CCC and MSE of always saying the training part's mean, by output; the CCC of a constant is 0."""
    corrupt = CorruptRecords(on_corrupt == "skip")
    labels = np.concatenate([read_labels(file, outputs, corrupt) for file in training])
    means = np.nanmean(labels, axis=0) if np.isnan(labels).any() else labels.mean(axis=0)
    streaming = StreamingCCC(len(outputs))
    for entry in tested:
        streaming.update(np.broadcast_to(means, entry.labels.shape), entry.labels)
    return {
        "ccc": dict(zip(outputs, streaming.ccc().tolist(), strict=True)),
        "mse": dict(zip(outputs, streaming.mse().tolist(), strict=True)),
    }


def write_predictions(path: Path, entry: EntryPredictions, outputs: tuple[str, ...]) -> None:
    """Writes one entry's predictions (values): frame, then for each output its own and its label, empty if missing."""
    columns = ["frame", *(column for name in outputs for column in (name, f"{name}_label"))]
    rows = []
    for frame, predicted, label in zip(entry.frames, entry.predictions, entry.labels, strict=True):
        row: dict[str, object] = {"frame": int(frame)}
        for index, name in enumerate(outputs):
            row |= {
                name: f"{predicted[index]:.5f}",
                f"{name}_label": "" if np.isnan(label[index]) else f"{label[index]:.3f}",
            }
        rows.append(row)
    write_csv(path, columns, rows)


def _place(folder: ModelFolder, prefix: str) -> str:
    """The checkpoint as a path in the folder, or whole where it lies elsewhere (behind a link)."""
    path, root = Path(prefix).resolve(), folder.root.resolve()
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _result(
    folder: ModelFolder, prefix: str, evaluation: Evaluation, outputs: tuple[str, ...], intervals: BootstrapOptions
) -> dict[str, Any]:
    regressed, outputs = evaluation.regressions(outputs)
    by_entry = moments_by_entry(regressed)
    by_clip = moments_by_clip(regressed)
    return {
        "step": checkpoint_step(prefix),
        "checkpoint": _place(folder, prefix),
        "ccc": evaluation.ccc,
        "population_ccc": evaluation.population_ccc,
        "mse": evaluation.mse,
        "correlation": evaluation.correlation,
        "interval": intervals_by_output(list(by_clip.values()), outputs, intervals),
        "clips": len(by_clip),
        "frames": evaluation.frames,
        "dropped": evaluation.dropped,
        "corrupt": evaluation.corrupt,
        "frames_mode": evaluation.frames_mode,
        "ccc_by_entry": {
            name: dict(zip(outputs, moments.ccc().tolist(), strict=True)) for name, moments in by_entry.items()
        },
        **({"heads": evaluation.by_head} if evaluation.heads else {}),
    }


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: null stands for a metric that is not defined."""
    if isinstance(value, dict):
        return {name: _without_nan(own) for name, own in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(own) for own in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _told(name: str, result: dict[str, Any]) -> str:
    low, high = result["interval"]["ccc"][name]
    interval = "" if math.isnan(low) else f" [{low:.3f}, {high:.3f}]"
    return f"{name} CCC {result['ccc'][name]:.3f}{interval} MSE {result['mse'][name]:.3f}"


def main(argv: list[str]) -> int:
    chosen = options.from_flags(TestOptions)
    intervals = options.from_flags(BootstrapOptions)
    if not chosen.workspace or not chosen.model:
        raise InputError("--workspace and --model", "both are needed", "name the database's and the model's folder")
    print(f"testing on {use_device(chosen.gpu)}")
    folder = ModelFolder(Path(chosen.model))
    thresholds = options.from_flags(Thresholds)
    results = test_model(folder, Workspace(Path(chosen.workspace)), chosen, intervals, thresholds)
    for which, result in results["checkpoints"].items():
        told = [_told(name, result) for name in result["ccc"]]
        told += [f"{name} {value:.3f}" for name, value in result.get("heads", {}).items()]
        values = ", ".join(told)
        best = "" if which == "latest" or which.isdigit() else "best by "
        print(f"{best}{which}, step {result['step']}: {values}")
    print(f"results in {folder.root / 'test'}")
    return 0


def run() -> None:
    options.run_main(main, TestOptions, BootstrapOptions, Thresholds)


if __name__ == "__main__":
    run()
