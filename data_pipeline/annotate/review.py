"""What the review page shows of an entry: everybody's traces, their versions, and how well people agree."""

from __future__ import annotations

import math
from typing import Any

from data_pipeline.annotate.passes import Pass
from data_pipeline.annotate.publish import read_versions
from data_pipeline.annotations import NO_VALUE, Trace, find_annotators, read_trace
from data_pipeline.consensus import find_lags, sample_together
from data_pipeline.reliability import mean_with_others, measure_agreement, pairwise_ccc, pairwise_pearson
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace

MOST_POINTS = 12_000  # of a trace on the page
_MAX_GAP, _MAX_LAG = 1.0, 4.0  # seconds, the defaults of data_pipeline.agreement


def review_facts(workspace: Workspace, entry: str, dimension: str) -> dict[str, Any]:
    """``traces`` (annotator, points ``[seconds, value or null]``, versions), ``agreement``, ``annotators``, ``faults``.

    A file that cannot be read is told in ``faults``, the others are shown.
    """
    found: dict[str, Trace] = {}
    traces: list[dict[str, Any]] = []
    faults: list[str] = []
    for name in find_annotators(workspace, entry):
        path = workspace.annotations / name / entry / f"{dimension}.txt"
        if not path.exists():
            continue
        try:
            found[name] = read_trace(path)
            versions = read_versions(workspace, Pass(name, entry, dimension, 0))
        except InputError as error:
            found.pop(name, None)
            faults.append(f"{name}: {error.what}")
            continue
        told = [{key: version.get(key, "") for key in ("version", "from", "by", "made")} for version in versions]
        traces.append({"annotator": name, "points": _points(found[name]), "versions": told})
    return {"traces": traces, "faults": faults, **_agreement(found)}


def _points(trace: Trace) -> list[list[float | int | None]]:
    step = math.ceil(len(trace.stamps) / MOST_POINTS)
    pairs = zip(trace.stamps[::step].tolist(), trace.values[::step].tolist(), strict=True)
    return [[round(stamp, 3), None if value == NO_VALUE else value] for stamp, value in pairs]


def _agreement(traces: dict[str, Trace]) -> dict[str, Any]:
    if len(traces) < 2:
        return {"samples": 0, "agreement": {}, "annotators": []}
    ratings = sample_together(list(traces.values()), _MAX_GAP)
    if len(ratings) < 2:
        return {"samples": len(ratings), "agreement": {}, "annotators": []}
    lags = find_lags(traces, _MAX_GAP, _MAX_LAG)
    ccc, pearson = mean_with_others(pairwise_ccc(ratings)), mean_with_others(pairwise_pearson(ratings))
    people = [
        {"annotator": name, "ccc": _number(ccc[index]), "pearson": _number(pearson[index]), "lag": _number(lags[name])}
        for index, name in enumerate(traces)
    ]
    measures = {name: _number(value) for name, value in measure_agreement(ratings).items()}
    return {"samples": len(ratings), "agreement": measures, "annotators": people}


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return round(float(value), 4) if math.isfinite(value) else None
