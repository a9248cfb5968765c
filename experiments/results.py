"""What a finished run has left: its measures on the test part, its validation curve, its predictions."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from tfrecords.workspace import read_csv, read_json

DIMENSIONS = ("valence", "arousal")
MEASURES = ("ccc", "mse")


@dataclasses.dataclass(frozen=True)
class Tested:
    """A run on the test part: of each dimension the measures of its own best checkpoint on validation, and its step.

    `measures` are ``ccc_valence`` …, as a table has them; `checkpoints` all that was tested, by name.
    """

    measures: dict[str, float]
    steps: dict[str, int]
    checkpoints: dict[str, dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class EntryCurves:
    """Predictions and labels of one entry's frames for one dimension, each (N,)."""

    predicted: np.ndarray
    labels: np.ndarray


def as_number(value: float | None) -> float:
    """A measure as it stands in ``results.json``, where one that is not defined is null; NaN then."""
    return math.nan if value is None else float(value)


def read_tested(folder: Path) -> Tested | None:
    """The run's test results, None where it was not tested."""
    path = folder / "test" / "results.json"
    if not path.exists():
        return None
    checkpoints = read_json(path)["checkpoints"]
    if not set(DIMENSIONS) <= set(checkpoints):
        return None
    measures = {
        f"{measure}_{name}": as_number(checkpoints[name][measure][name]) for name in DIMENSIONS for measure in MEASURES
    }
    return Tested(measures, {name: int(checkpoints[name]["step"]) for name in DIMENSIONS}, checkpoints)


def read_validation(folder: Path) -> dict[str, np.ndarray]:
    """Columns of ``evaluations.csv`` as numbers, NaN for empty, in the order of steps; {} where nothing was evaluated.

    Columns of words, as ``checkpoint``, are left out.
    """
    path = folder / "evaluations.csv"
    rows = sorted(read_csv(path), key=lambda row: int(row["step"])) if path.exists() else []
    names = [name for name in (rows[0] if rows else {}) if name not in ("checkpoint", "frames_mode")]
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}


def read_curves(folder: Path, dimension: str) -> dict[str, EntryCurves]:
    """Entry -> what the best checkpoint by `dimension` predicts of it on the test part, in the order of entries."""
    found = {}
    for path in sorted((folder / "test" / dimension).glob("*.csv")):
        rows = read_csv(path, (dimension, f"{dimension}_label"))
        values = [np.array([float(row[name]) for row in rows]) for name in (dimension, f"{dimension}_label")]
        found[path.stem] = EntryCurves(*values)
    return found
