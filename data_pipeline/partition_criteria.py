"""How far a partition is from what it shall be, criterion by criterion.

Every distance is the share of the entries (or frames) that would have to be elsewhere for the criterion to be met:
half the sum of all deviations, in units of their total. 0 is perfect, 1 the worst.

| criterion | what is wanted |
| --- | --- |
| videos | each part has its share of the entries |
| frames | each part has its share of the labelled frames |
| gender | male and female are as many in each part, up to its share of the database's excess of one; others spread |
| class | each valence class spreads over the parts as the shares |
| valence, arousal | each part's histogram of labels has the shape of the whole database's |

Class, valence and arousal are of the entries and frames that have these labels, and are no criteria where none has.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from data_pipeline.partition_entries import CLASSES, LabelledEntry


@dataclasses.dataclass(frozen=True)
class Criterion:
    """Sums that each part shall reach.

    Attributes:
      name: one of `partition_options.CRITERIA`.
      categories: the K sums' names.
      values: float64 (K, N), what each item (an entry, or a group of entries) adds to each sum.
      target: float64 (K, P), what each part's sums shall be.
    """

    name: str
    categories: tuple[str, ...]
    values: np.ndarray
    target: np.ndarray

    def grouped(self, groups: Sequence[Sequence[int]]) -> Criterion:
        """The same of groups of items."""
        values = np.array([self.values[:, group].sum(axis=1) for group in groups]).T
        return dataclasses.replace(self, values=values)

    def reached(self, parts: np.ndarray) -> np.ndarray:
        """The sums (K, P) of the items assigned to `parts`, int (N,)."""
        return self.values @ np.eye(self.target.shape[1])[parts]

    def distance(self, parts: np.ndarray) -> float:
        return float(0.5 * np.abs(self.reached(parts) - self.target).sum())


def make_criteria(entries: Sequence[LabelledEntry], shares: Sequence[float]) -> list[Criterion]:
    """The criteria that `entries` can be weighed by: ``gender`` and those of the labels only where some are known."""
    frames = np.array([entry.frames for entry in entries], float)
    classes = [entry.valence_class for entry in entries]
    histograms = {
        "valence": np.array([entry.valence_histogram for entry in entries], float).T,
        "arousal": np.array([entry.arousal_histogram for entry in entries], float).T,
    }
    criteria = [
        _spread("videos", ("entries",), np.ones((1, len(entries))), shares),
        _spread("frames", ("frames",), frames[None], shares),
        *_gender([entry.gender for entry in entries], shares),
    ]
    if not any(classes):
        return criteria
    criteria.append(_spread("class", CLASSES, _indicators(classes, CLASSES), shares))
    for name, histogram in histograms.items():
        edges = np.linspace(-1, 1, len(histogram) + 1)
        categories = tuple(f"{low:+.2f}..{high:+.2f}" for low, high in itertools.pairwise(edges))
        # A part's frames in a bin less what the database's shape would give it for its own number of frames.
        own = histogram.sum(axis=0)
        shape = histogram.sum(axis=1, keepdims=True) / own.sum()
        values = (histogram - shape * own) / own.sum()
        criteria.append(Criterion(name, categories, values, np.zeros((len(histogram), len(shares)))))
    return criteria


def _spread(name: str, categories: Sequence[str], values: np.ndarray, shares: Sequence[float]) -> Criterion:
    """Every sum over the parts by the shares."""
    unit = values / max(values.sum(), 1e-9)
    return Criterion(name, tuple(categories), unit, np.outer(unit.sum(axis=1), shares))


def _gender(genders: Sequence[str], shares: Sequence[float]) -> list[Criterion]:
    known = sum(map(bool, genders))
    if not known:
        return []
    others = sorted(set(genders) - {"", "male", "female"})
    male, female = _indicators(genders, ("male", "female"))
    # Where the whole has more of one, each part takes its share of the excess: else one part would take all of it.
    values = np.vstack([(male - female)[None], _indicators(genders, others)]) / known
    target = np.outer(values.sum(axis=1), shares)
    return [Criterion("gender", ("male - female", *others), values, target)]


def _indicators(words: Sequence[str], categories: Sequence[str]) -> np.ndarray:
    """float64 (K, N): 1 where an item has the category."""
    return np.array([[word == category for word in words] for category in categories], float).reshape(-1, len(words))
