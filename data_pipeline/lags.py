"""How far each annotator's hand lags behind the others', by cross-correlation."""

from __future__ import annotations

import numpy as np
import scipy.signal

ROUNDS = 10  # lags stop changing after two or three
LEAST_PEAK = 0.5  # curves as slow as these meet at some shift by chance; what correlates less is no match to move by


def estimate_lags(ratings: np.ndarray, longest: int) -> np.ndarray:
    """The lag of each annotator in samples, float64 (K,), their mean 0: positive where one comes late.

    Each annotator in turn is held against the mean of the others (each of mean 0 and variance 1, and moved by the lag
    found for them so far), and takes the shift of at most `longest` samples either way with the highest Pearson
    correlation, until nothing changes. What all have in common, their distance to what they saw, cannot be known.
    An annotator whose best correlation is below `LEAST_PEAK`, or lies at the bound and so is no peak, has the lag 0.

    Args:
      ratings: (N, K) samples on one regular time grid, without gaps.
      longest: bound of the shift; at most a third of N is used, so that enough overlaps.
    """
    samples, annotators = ratings.shape
    longest = min(longest, samples // 3)
    shifts, found = np.zeros(annotators, np.int64), np.zeros(annotators, bool)
    if annotators < 2 or longest < 1:
        return shifts.astype(np.float64)
    spread = ratings.std(axis=0)
    standard = (ratings - ratings.mean(axis=0)) / np.where(spread > 0, spread, 1)
    for _ in range(ROUNDS):
        before = shifts.copy()
        for one in range(annotators):
            others = [_shifted(standard[:, other], shifts[other]) for other in range(annotators) if other != one]
            correlations = _correlations(standard[:, one], _mean(others), longest)
            # Of equally good shifts the smallest.
            distance = np.abs(np.arange(-longest, longest + 1))
            best = np.lexsort((distance, -np.round(correlations, 9)))[0]
            found[one] = correlations[best] >= LEAST_PEAK and distance[best] < longest
            shifts[one] = best - longest if found[one] else 0
        if np.array_equal(shifts, before):
            break
    return np.where(found, shifts - (shifts[found].mean() if found.any() else 0), 0.0)


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


def _correlations(values: np.ndarray, reference: np.ndarray, longest: int) -> np.ndarray:
    """Pearson correlations (2 * `longest` + 1,) of `values` moved by each lag with `reference`, where both are.

    Sums over the overlap of each lag are correlations themselves, so all come from a few FFTs.
    """
    there = np.isfinite(reference).astype(np.float64)
    known = np.nan_to_num(reference)
    middle = len(values) - 1

    def sums(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return scipy.signal.correlate(one, other, method="fft")[middle - longest : middle + longest + 1]

    count = np.maximum(sums(np.ones(len(values)), there), 1)
    mean_one, mean_other = sums(values, there) / count, sums(np.ones(len(values)), known) / count
    covariance = sums(values, known) / count - mean_one * mean_other
    variance_one = sums(values**2, there) / count - mean_one**2
    variance_other = sums(np.ones(len(values)), known**2) / count - mean_other**2
    below = np.sqrt(np.maximum(variance_one, 0) * np.maximum(variance_other, 0))
    return np.where(below > 1e-6, covariance / np.maximum(below, 1e-6), 0.0)
