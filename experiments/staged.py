"""The thesis's way from table to table: the winner of one, on the validation part, decides what the next varies on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_collections

from experiments.places import Places
from experiments.plan import Plan
from tfrecords.errors import InputError
from tfrecords.workspace import read_json

CHOICES = ("total", "valence", "arousal")


def validation_ccc(folder: Path, by: str) -> float:
    """The highest validation CCC of a run by its mean, valence or arousal; NaN where it has none."""
    best = read_json(folder / "best.json") if (folder / "best.json").exists() else {}
    return float(best[by]["ccc"]) if by in best else math.nan


def variant_scores(places: Places, plan: Plan, table: str, by: str) -> dict[str, float]:
    """Variant -> mean over its seeds of `validation_ccc`, of those that have one."""
    scores: dict[str, list[float]] = {}
    for row in plan.rows:
        if row.table == table:
            value = validation_ccc(places.run(row.run), by)
            if not math.isnan(value):
                scores.setdefault(row.variant, []).append(value)
    return {variant: sum(values) / len(values) for variant, values in scores.items()}


def winner(places: Places, plan: Plan, config: ml_collections.ConfigDict, by: str) -> tuple[str, dict[str, Any]]:
    """The variant that is best on the validation part, and the flags that it hands on to the next tables.

    Raises:
      InputError: no run of the table was evaluated.
    """
    scores = variant_scores(places, plan, config.table, by)
    if not scores:
        what = f"table {config.table} has no evaluated run, so --staged has no winner to go on with"
        raise InputError(places.root, what, "see runs.csv for what failed")
    variant = max(scores, key=lambda name: scores[name])
    flags: Mapping[str, Any] = {**config.common, **config.runs[variant].flags}
    return variant, {name: flags[name] for name in config.carries}
