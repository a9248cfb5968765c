"""The published numbers: the author's file of recorded test runs, and which of its checkpoints the paper prints."""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
from collections.abc import Sequence

import ml_collections

from tfrecords.workspace import read_csv

MEASURES = ("ccc_valence", "ccc_arousal", "mse_valence", "mse_arousal")
_COLUMNS = ("concordance_valence", "concordance_arousal", "mse_valence", "mse_arousal")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A tested checkpoint: its step (None: untold), its measures by name, and whether the paper prints it."""

    step: int | None
    measures: dict[str, float]
    printed: bool


@functools.cache
def recorded_runs() -> dict[str, dict[int, dict[str, float]]]:
    """Recorded run -> step -> measure -> value, of ``original_test_results.csv`` (24 runs, 52 checkpoints)."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    with importlib.resources.as_file(importlib.resources.files("experiments.configs")) as folder:
        for row in read_csv(folder / "original_test_results.csv"):
            measures = {name: float(row[column]) for name, column in zip(MEASURES, _COLUMNS, strict=True)}
            found.setdefault(row["run"], {})[int(row["step"])] = measures
    return found


def highest_recorded_step() -> int:
    """The longest that any recorded run was trained before a checkpoint of it was tested: 260336."""
    return max(step for run in recorded_runs().values() for step in run)


def published_checkpoints(run: ml_collections.ConfigDict) -> list[Checkpoint]:
    """What is published of a table's row (`configs.table.make_run`): printed first, in the paper's order."""
    if run.published:
        return [Checkpoint(None, dict(run.published), True)]
    recorded = recorded_runs()[run.recorded] if run.recorded else {}
    printed = [Checkpoint(step, recorded[step], True) for step in run.printed]
    return printed + [Checkpoint(step, own, False) for step, own in recorded.items() if step not in run.printed]


def best_published(checkpoints: Sequence[Checkpoint]) -> dict[str, float]:
    """One number a column, as the paper compares its systems (§6.2.1): the best CCC of each dimension with its MSE.

    Printed checkpoints count; those of the file only where nothing of the run is printed.
    """
    counted = [one for one in checkpoints if one.printed] or list(checkpoints)
    best: dict[str, float] = {}
    for dimension in ("valence", "arousal"):
        known = [one for one in counted if f"ccc_{dimension}" in one.measures]
        if known:
            chosen = max(known, key=lambda one: one.measures[f"ccc_{dimension}"]).measures
            names = [f"{measure}_{dimension}" for measure in ("ccc", "mse")]
            best |= {name: chosen[name] for name in names if name in chosen}
    return best
