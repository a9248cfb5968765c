"""F1 of action units and other labels by themselves, accuracy and macro F1 of classes, counted over a stream of frames.

Counts are whole numbers, so that batching, order and merging change nothing. A label that is NaN is missing, and its
frame does not count there.

| head | metric | of |
| --- | --- | --- |
| ``sigmoid`` | ``f1_COLUMN`` | that column: 2 TP / (2 TP + FP + FN) |
| | ``f1_HEAD`` | the mean over its columns |
| ``softmax`` | ``accuracy_HEAD`` | the labelled frames whose likeliest class is theirs |
| | ``f1_COLUMN``, ``macro_f1_HEAD`` | each class against the others; their mean |

An F1 without any frame that has the label or is predicted to have it is not defined (NaN), and means are over those
that are, as scikit-learn's macro F1 is over classes that occur. As in the losses a frame has a class where all columns
of the head have a label and one is above 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from affwildnet.heads import Head
from tfrecords.options import option


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """From where on a label, and a probability, say that a unit is there."""

    present_from: float = option(
        0.4, "labels of sigmoid heads from here on count as present: of intensities 2 of 5", at_least=0, at_most=1
    )
    predicted_from: float = option(
        0.5, "probabilities of sigmoid heads from here on count as predicted to be present", at_least=0, at_most=1
    )


class ClassificationCounts:
    """The frames of each outcome, for the ``sigmoid`` and ``softmax`` heads of `heads`."""

    def __init__(self, heads: Sequence[Head], thresholds: Thresholds = Thresholds()) -> None:
        self._heads = tuple(heads)
        self._thresholds = thresholds
        # Of a sigmoid head rows of true positives, false positives and false negatives; of a softmax head true classes
        # by predicted ones.
        self._counts = {
            head.name: np.zeros((3 if head.kind == "sigmoid" else len(head.columns), len(head.columns)), np.int64)
            for head in heads
            if head.kind != "regression"
        }
        self._finite = dict.fromkeys(self._counts, True)

    def update(self, values: np.ndarray, labels: np.ndarray) -> None:
        """Adds frames: values, which are probabilities, and labels (N, K), the columns of all heads side by side."""
        begin = 0
        for head in self._heads:
            place = slice(begin, begin := begin + len(head.columns))
            if head.name in self._counts:
                self._finite[head.name] &= bool(np.isfinite(values[:, place]).all())
                count = self._units if head.kind == "sigmoid" else _confusion
                self._counts[head.name] += count(values[:, place], labels[:, place])

    def merge(self, other: ClassificationCounts) -> None:
        """Adds the frames that `other`, of the same heads and thresholds, was given."""
        for name, counts in other._counts.items():
            self._counts[name] += counts
            self._finite[name] &= other._finite[name]

    def metrics(self) -> dict[str, float]:
        """The module's metrics by name; NaN where one is not defined, or a probability was not finite."""
        told: dict[str, float] = {}
        for head in self._heads:
            if head.name not in self._counts:
                continue
            counts = self._counts[head.name]
            if head.kind == "sigmoid":
                f1 = _f1(*counts)
                own = {f"f1_{name}": value for name, value in zip(head.columns, f1.tolist(), strict=True)}
                own[f"f1_{head.name}"] = mean_of_defined(f1.tolist())
            else:
                hits, total = counts.diagonal(), counts.sum()
                f1 = _f1(hits, counts.sum(axis=0) - hits, counts.sum(axis=1) - hits)
                own = {f"f1_{name}": value for name, value in zip(head.columns, f1.tolist(), strict=True)}
                own[f"accuracy_{head.name}"] = float(hits.sum() / total) if total else np.nan
                own[f"macro_f1_{head.name}"] = mean_of_defined(f1.tolist())
            told |= own if self._finite[head.name] else dict.fromkeys(own, np.nan)
        return told

    def _units(self, values: np.ndarray, labels: np.ndarray) -> np.ndarray:
        # NaN compares false, so a missing label is no hit; it must be no false alarm either.
        labelled = ~np.isnan(labels)
        present = labels >= self._thresholds.present_from
        predicted = labelled & (values >= self._thresholds.predicted_from)
        return np.stack([(present & predicted), (~present & predicted), (present & ~predicted)]).sum(axis=1)


def mean_of_defined(values: Sequence[float]) -> float:
    """The mean of those that are not NaN; NaN where all are."""
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else np.nan


def _confusion(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    known = ~np.isnan(labels).any(axis=-1) & (labels > 0).any(axis=-1)
    counts = np.zeros((labels.shape[-1], labels.shape[-1]), np.int64)
    np.add.at(counts, (labels[known].argmax(axis=-1), values[known].argmax(axis=-1)), 1)
    return counts


def _f1(hits: np.ndarray, false_alarms: np.ndarray, misses: np.ndarray) -> np.ndarray:
    total = 2 * hits + false_alarms + misses
    return np.where(total > 0, 2 * hits / np.maximum(total, 1), np.nan)
