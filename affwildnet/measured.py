"""What is measured of a set of predictions: over all frames, by entry, and how certain it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from affwildnet.bootstrap import BootstrapOptions, bootstrap_intervals
from affwildnet.classification_metrics import ClassificationCounts, Thresholds, mean_of_defined
from affwildnet.heads import Head, regression_places
from affwildnet.metrics import StreamingCCC

# Ten seconds: within one clip stretches of this length are resampled, as frames close by tell the same.
BLOCK_FRAMES = 300


@dataclasses.dataclass(frozen=True)
class EntryPredictions:
    """One entry's frames in order: numbers int64 (N,), predictions (values) and labels float32 (N, outputs).

    A label that is NaN is missing.

    `clip` is the clip it comes from, which two entries share where it shows two people.
    """

    entry: str
    frames: np.ndarray
    predictions: np.ndarray
    labels: np.ndarray
    clip: str = ""


def moments_by_entry(entries: Sequence[EntryPredictions]) -> dict[str, StreamingCCC]:
    """Each entry's own sums."""
    return {entry.entry: _moments(entry.predictions, entry.labels) for entry in entries}


def moments_by_clip(entries: Sequence[EntryPredictions]) -> dict[str, StreamingCCC]:
    """The sums of each clip, over both people where it shows two: their frames are not independent."""
    clips: dict[str, StreamingCCC] = {}
    for entry in entries:
        own = _moments(entry.predictions, entry.labels)
        clips.setdefault(entry.clip or entry.entry, StreamingCCC(own.dimensions)).merge(own)
    return clips


def block_moments(entry: EntryPredictions) -> list[StreamingCCC]:
    """The sums of each stretch of `BLOCK_FRAMES` frames of an entry; a tail of less than half joins the one before."""
    count = max(1, int(len(entry.frames) / BLOCK_FRAMES + 0.5))
    cuts = np.arange(1, count) * BLOCK_FRAMES
    pairs = zip(np.split(entry.predictions, cuts), np.split(entry.labels, cuts), strict=True)
    return [_moments(predictions, labels) for predictions, labels in pairs]


def by_output(outputs: Sequence[str], values: np.ndarray) -> dict[str, float]:
    """Values (outputs,) by name, and ``total``, their mean; without outputs nothing."""
    if not outputs:
        return {}
    return {name: float(value) for name, value in zip(outputs, values, strict=True)} | {"total": float(values.mean())}


def intervals_by_output(
    groups: Sequence[StreamingCCC], outputs: Sequence[str], chosen: BootstrapOptions
) -> dict[str, dict[str, list[float]]]:
    """``ccc`` and ``mse`` -> output or ``total`` -> [low, high]; NaN where fewer than two groups are."""
    if not outputs:
        return {"ccc": {}, "mse": {}}
    found = bootstrap_intervals(groups, chosen)
    names = (*outputs, "total")
    return {
        metric: dict(zip(names, getattr(found, metric).tolist(), strict=True)) if groups else {}
        for metric in ("ccc", "mse")
    }


def regression_part(
    entries: Sequence[EntryPredictions], outputs: Sequence[str], heads: Sequence[Head]
) -> tuple[list[EntryPredictions], tuple[str, ...]]:
    """The columns of regressions alone, of which there are CCC and MSE, and their names; without heads all."""
    places = regression_places(outputs, heads)
    if len(places) == len(outputs):
        return list(entries), tuple(outputs)
    parts = [
        dataclasses.replace(entry, predictions=entry.predictions[:, places], labels=entry.labels[:, places])
        for entry in entries
    ]
    return parts, tuple(outputs[place] for place in places)


def classification_metrics(
    entries: Sequence[EntryPredictions], heads: Sequence[Head], thresholds: Thresholds
) -> dict[str, float]:
    """`ClassificationCounts.metrics` over all frames; {} where no head is a classification."""
    counts = ClassificationCounts(heads, thresholds)
    for entry in entries:
        counts.update(entry.predictions, entry.labels)
    return counts.metrics()


def metrics_of_heads(
    heads: Sequence[Head], ccc: Mapping[str, float], mse: Mapping[str, float], classified: Mapping[str, float]
) -> dict[str, float]:
    """`classified`, and for each regression ``ccc_HEAD``, ``mse_HEAD``, means over its columns; ``score_total``.

    That is the mean over the heads of what tells most of each: the mean CCC, the mean F1, or the macro F1 (those that
    are defined). Without heads {}.
    """
    if not heads:
        return {}
    told = dict(classified)
    for head in heads:
        if head.kind == "regression":
            for name, values in (("ccc", ccc), ("mse", mse)):
                told[f"{name}_{head.name}"] = float(np.mean([values[column] for column in head.columns]))
    scores = {"regression": "ccc", "sigmoid": "f1", "softmax": "macro_f1"}
    told["score_total"] = mean_of_defined([told[f"{scores[head.kind]}_{head.name}"] for head in heads])
    return told


def entry_rows(
    entries: Sequence[EntryPredictions],
    outputs: Sequence[str],
    chosen: BootstrapOptions | None = None,
    heads: Sequence[Head] = (),
    thresholds: Thresholds = Thresholds(),  # noqa: B008 it is frozen
) -> list[dict[str, Any]]:
    """A row an entry: entry, clip, frames, ``ccc_…``, ``mse_…`` of each output and total, ``correlation_…``.

    With heads the outputs are those of regressions, and the others' metrics follow (`ClassificationCounts`).

    With `chosen` also ``low_ccc_…`` and ``high_ccc_…``, from resampled stretches of the entry (`BLOCK_FRAMES`): how
    certain the value is for this clip, not for others. Empty where a value is not defined.
    """
    rows = []
    whole, (entries, outputs) = entries, regression_part(entries, outputs, heads)
    for entry, with_all in zip(entries, whole, strict=True):
        own = _moments(entry.predictions, entry.labels)
        row: dict[str, Any] = {"entry": entry.entry, "clip": entry.clip, "frames": own.count}
        row |= _prefixed("ccc", by_output(outputs, own.ccc()))
        row |= _prefixed("mse", by_output(outputs, own.mse()))
        row |= _prefixed("correlation", by_output(outputs, own.correlation()))
        if chosen is not None:
            ends = intervals_by_output(block_moments(entry), outputs, chosen)["ccc"]
            row |= _prefixed("low_ccc", {name: low for name, (low, _) in ends.items()})
            row |= _prefixed("high_ccc", {name: high for name, (_, high) in ends.items()})
        row |= classification_metrics([with_all], heads, thresholds)
        rows.append({name: "" if value != value else value for name, value in row.items()})
    return rows


def _moments(predictions: np.ndarray, labels: np.ndarray) -> StreamingCCC:
    moments = StreamingCCC(predictions.shape[-1])
    moments.update(predictions, labels)
    return moments


def _prefixed(prefix: str, values: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}_{name}": value for name, value in values.items()}
