"""How far each annotator's hand lags behind the others', by cross-correlation."""

from __future__ import annotations

import numpy as np

from data_pipeline.reliability import pairwise_pearson

ROUNDS = 10  # lags stop changing after two or three
LEAST_PEAK = 0.2  # a correlation lower than this is no match to shift by


def estimate_lags(ratings: np.ndarray, longest: int) -> np.ndarray:
    """The lag of each annotator in samples, float64 (K,), their mean 0: positive where one comes late.

    Each annotator in turn is held against the mean of the others (each of mean 0 and variance 1, and moved by the lag
    found for them so far), and takes the shift of at most `longest` samples either way with the highest Pearson
    correlation, until nothing changes. What all have in common, their distance to what they saw, cannot be known.
    An annotator whose best correlation is below `LEAST_PEAK`, or lies at the bound and so is no peak, gets the shift 0.

    Args:
      ratings: (N, K) samples on one regular time grid, without gaps.
      longest: bound of the shift; at most a third of N is used, so that enough overlaps.
    """
    samples, annotators = ratings.shape
    longest = min(longest, samples // 3)
    shifts = np.zeros(annotators, np.int64)
    if annotators < 2 or longest < 1:
        return shifts.astype(np.float64)
    spread = ratings.std(axis=0)
    standard = (ratings - ratings.mean(axis=0)) / np.where(spread > 0, spread, 1)
    for _ in range(ROUNDS):
        before = shifts.copy()
        for one in range(annotators):
            others = [_shifted(standard[:, other], shifts[other]) for other in range(annotators) if other != one]
            shifts[one] = _best_shift(standard[:, one], _mean(others), longest)
        if np.array_equal(shifts, before):
            break
    return shifts - shifts.mean()


def _mean(curves: list[np.ndarray]) -> np.ndarray:
    """The mean of those that reach each sample, NaN where none does."""
    there = np.isfinite(curves)
    counts = there.sum(axis=0)
    return np.where(counts > 0, np.nansum(curves, axis=0) / np.maximum(counts, 1), np.nan)


def _shifted(values: np.ndarray, lag: int) -> np.ndarray:
    """`values` as they would stand without `lag`: sample t is what came at t + lag; NaN where that is outside."""
    moved = np.full(len(values), np.nan)
    moved[max(-lag, 0) : len(values) - max(lag, 0)] = values[max(lag, 0) : len(values) + min(lag, 0)]
    return moved


def _best_shift(values: np.ndarray, reference: np.ndarray, longest: int) -> int:
    tried = range(-longest, longest + 1)
    found = [_pearson(_shifted(values, lag), reference) for lag in tried]
    # Of equally good shifts the smallest.
    best = max(range(len(tried)), key=lambda index: (round(found[index], 12), -abs(tried[index])))
    return tried[best] if found[best] >= LEAST_PEAK and abs(tried[best]) < longest else 0


def _pearson(one: np.ndarray, other: np.ndarray) -> float:
    both = np.isfinite(one) & np.isfinite(other)
    return float(pairwise_pearson(np.stack([one[both], other[both]], axis=1))[0, 1]) if both.sum() > 1 else 0.0
