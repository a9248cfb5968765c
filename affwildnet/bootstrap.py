"""Confidence intervals of CCC and MSE by resampling whole groups of frames: clips, or stretches of one clip.

Frames of a clip are alike, so resampling frames would give intervals that are far too narrow; people and scenes, which
is what a database has few of, come by the clip (percentile bootstrap over clusters: Davison and Hinkley 1997, ch. 3).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from affwildnet.metrics import StreamingCCC
from tfrecords.options import option


@dataclasses.dataclass(frozen=True)
class BootstrapOptions:
    """How confidence intervals are drawn."""

    bootstrap: int = option(2000, "resamples for confidence intervals; 0 for none", at_least=0)
    confidence: float = option(0.95, "part of the resamples inside an interval", at_least=0.5, at_most=0.9999)
    bootstrap_seed: int = option(1, "seed of the resamples")


@dataclasses.dataclass(frozen=True)
class Intervals:
    """Lower and upper ends, each (dimensions + 1, 2) float64 with the mean over the dimensions last."""

    ccc: np.ndarray
    mse: np.ndarray


def bootstrap_intervals(groups: Sequence[StreamingCCC], chosen: BootstrapOptions) -> Intervals:
    """Percentile intervals of the metrics over all frames, from resamples of `groups` with replacement.

    Works on each group's moments, so the time does not depend on the number of frames. CCC with N - 1. Resamples whose
    metric is not defined (nothing in them moves) are passed over.

    Returns:
      NaN where there are fewer than two groups or no resample is asked for: one group says nothing about others.
    """
    groups = [group for group in groups if group.count]
    dimensions = groups[0].dimensions if groups else 0
    if len(groups) < 2 or not chosen.bootstrap:
        nothing = np.full((dimensions + 1, 2), np.nan)
        return Intervals(nothing, nothing)
    # Deviations from the common means: sums of them lose no digits that matter.
    origin = merged(groups).means()
    moments = np.stack([group.moments_about(origin) for group in groups])
    generator = np.random.default_rng(chosen.bootstrap_seed)
    times = generator.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=chosen.bootstrap)
    sums = np.einsum("rg,gdm->rdm", times.astype(np.float64), moments)
    ccc, mse = metrics_of_sums(sums, origin)
    return Intervals(_percentiles(ccc, chosen.confidence), _percentiles(mse, chosen.confidence))


def merged(groups: Sequence[StreamingCCC]) -> StreamingCCC:
    """All frames of one or more groups."""
    whole = StreamingCCC(groups[0].dimensions)
    for group in groups:
        whole.merge(group)
    return whole


def metrics_of_sums(sums: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """CCC with N - 1 and MSE, each (resamples, dimensions), of sums (resamples, dimensions, 6) about `origin`.

    Sums of what `StreamingCCC.moments_about` gives; a CCC that is not defined is not finite.
    """
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    offset = origin[:, 0] - origin[:, 1]
    gap = offset + (x - y) / n
    spread = (xx - x * x / n) + (yy - y * y / n)
    with np.errstate(invalid="ignore", divide="ignore"):
        denominator = spread / (n - 1) + gap * gap
        ccc = 2 * (xy - x * y / n) / (n - 1) / denominator
    mse = (xx - 2 * xy + yy + 2 * offset * (x - y)) / n + offset * offset
    return ccc, mse


def _percentiles(values: np.ndarray, confidence: float) -> np.ndarray:
    values = np.column_stack([values, values.mean(axis=1)])
    ends = 50 * (1 - confidence), 50 * (1 + confidence)
    rows = []
    for column in values.T:
        finite = column[np.isfinite(column)]
        rows.append(np.percentile(finite, ends) if finite.size else np.full(2, np.nan))
    return np.array(rows)
