"""Several annotators of one dimension -> one value a moment, as Aff-Wild merges: the mean of those who agree best."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from data_pipeline.annotations import Trace
from data_pipeline.decode import FRAME_RATE
from data_pipeline.lags import estimate_lags
from data_pipeline.nearest import HAS_VALUE, values_at
from data_pipeline.reliability import mean_with_others, pairwise_pearson


@dataclasses.dataclass(frozen=True)
class Consensus:
    """Who was taken, and the lag in seconds (0 where none was removed) that each one's stamps were moved by."""

    traces: dict[str, Trace]
    lags: dict[str, float]

    def values_at(self, seconds: np.ndarray, max_gap: float) -> tuple[np.ndarray, np.ndarray]:
        """The mean of those who have a value at `seconds` (N,), float64, NaN where nobody has, and why; see nearest."""
        found = [values_at(trace, seconds, max_gap) for trace in self.traces.values()]
        values, reasons = (np.stack(part) for part in zip(*found, strict=True))
        counts = np.sum(reasons == HAS_VALUE, axis=0)
        mean = np.where(counts > 0, np.nansum(values, axis=0) / np.maximum(counts, 1), np.nan)
        return mean, np.where(counts > 0, HAS_VALUE, reasons.max(axis=0))


def sample_together(traces: Sequence[Trace], max_gap: float) -> np.ndarray:
    """The annotators' values at the frames' times n / 30 s at which all of them have one, float64 (N, K)."""
    first = max(trace.stamps[0] for trace in traces)
    last = min(trace.stamps[-1] for trace in traces)
    frames = np.arange(np.ceil(first * FRAME_RATE - 1e-6), np.floor(last * FRAME_RATE + 1e-6) + 1)
    ratings = np.stack([values_at(trace, frames / FRAME_RATE, max_gap)[0] for trace in traces], axis=1)
    return ratings[~np.isnan(ratings).any(axis=1)]


def find_lags(traces: Mapping[str, Trace], max_gap: float, max_lag: float) -> dict[str, float]:
    """Each annotator's lag in seconds against the others, of at most `max_lag`, their mean 0; see lags.py."""
    ratings = sample_together(list(traces.values()), max_gap)
    if len(ratings) < 2:
        return dict.fromkeys(traces, 0.0)
    lags = estimate_lags(ratings, round(max_lag * FRAME_RATE)) / FRAME_RATE
    return dict(zip(traces, lags.tolist(), strict=True))


def without_lag(trace: Trace, lag: float) -> Trace:
    """The annotation as it would stand had the annotator not come `lag` seconds late."""
    return dataclasses.replace(trace, stamps=trace.stamps - lag)


def best_annotators(ratings: np.ndarray, least: float) -> tuple[list[int], float]:
    """Who agrees best: whoever correlates least with the others on average goes, until all reach `least`.

    Args:
      ratings: (N, K) of two annotators or more.
      least: mean Pearson correlation with the others that remain.

    Returns:
      The numbers of those who remain, none where no two agree, and the last two's correlation then, else the lowest
      mean correlation of those who remain; NaN where they share no time.
    """
    if len(ratings) < 2:
        return [], float("nan")
    pairwise = pairwise_pearson(ratings)
    left = list(range(ratings.shape[1]))
    while True:
        means = mean_with_others(pairwise[np.ix_(left, left)])
        if means.min() >= least:
            return left, float(means.min())
        if len(left) == 2:
            return [], float(means.min())
        # Of equals the later goes.
        del left[len(left) - 1 - int(np.argmin(means[::-1]))]


def merge_annotators(
    traces: Mapping[str, Trace], keep_all: bool, least: float, remove_lag: bool, max_gap: float, max_lag: float
) -> tuple[Consensus | None, float]:
    """Merges the annotations of one dimension; `None` where no two annotators agree, with how much they do.

    With `remove_lag` every annotator is moved first, so that who is chosen does not depend on how quick they are.
    """
    moved = dict(traces)
    lags = dict.fromkeys(moved, 0.0)
    if len(moved) == 1:
        return Consensus(moved, lags), float("nan")
    if remove_lag:
        lags = find_lags(moved, max_gap, max_lag)
        moved = {name: without_lag(trace, lags[name]) for name, trace in moved.items()}
    agreement = float("nan")
    if not keep_all:
        chosen, agreement = best_annotators(sample_together(list(moved.values()), max_gap), least)
        if not chosen:
            return None, agreement
        moved = {name: trace for index, (name, trace) in enumerate(moved.items()) if index in chosen}
    return Consensus(moved, {name: lags[name] for name in moved}), agreement
