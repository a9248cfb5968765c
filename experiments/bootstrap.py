"""Whether two systems differ by more than the choice of test clips: a paired bootstrap over clips (Efron)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from affwildnet.bootstrap import merged, metrics_of_sums
from affwildnet.metrics import StreamingCCC
from experiments.results import EntryCurves

RESAMPLES = 2000
# Resampling a handful of clips shows hardly any of the variation between clips: intervals come out far too narrow.
FEWEST_CLIPS = 10


@dataclasses.dataclass(frozen=True)
class Comparison:
    """CCC of the first minus that of the second, its 95 % interval, two-sided p, and how many clips there were."""

    difference: float
    low: float
    high: float
    p: float
    clips: int


def compare(
    first: Sequence[Mapping[str, EntryCurves]],
    second: Sequence[Mapping[str, EntryCurves]],
    clip_of: Mapping[str, str],
    resamples: int = RESAMPLES,
    seed: int = 1,
) -> Comparison | None:
    """Compares two systems, each by its seeds' curves (entry -> curves), whose CCCs are averaged.

    Clips are drawn with replacement, the same for both: frames of a clip, and two people in one, go together. An entry
    without a known clip is one of its own.

    Returns:
      None where they share fewer than `FEWEST_CLIPS`.
    """
    entries = sorted(set.intersection(*(set(curves) for curves in [*first, *second])))
    clips = sorted({clip_of.get(entry, entry) for entry in entries})
    if len(clips) < FEWEST_CLIPS:
        return None
    index = {clip: number for number, clip in enumerate(clips)}
    draws = np.random.default_rng(seed).integers(len(clips), size=(resamples, len(clips)))
    counts = np.apply_along_axis(np.bincount, 1, draws, minlength=len(clips))
    counts = np.concatenate([np.ones((1, len(clips)), counts.dtype), counts])  # the first row is the clips as they are

    def ccc(system: Sequence[Mapping[str, EntryCurves]]) -> np.ndarray:
        values = []
        for curves in system:
            groups = [StreamingCCC(1) for _ in clips]
            for entry in entries:
                own = curves[entry]
                groups[index[clip_of.get(entry, entry)]].update(own.predicted[:, None], own.labels[:, None])
            origin = merged(groups).means()
            moments = np.stack([group.moments_about(origin) for group in groups])
            values.append(metrics_of_sums(np.einsum("rg,gdm->rdm", counts, moments), origin)[0][:, 0])
        return np.mean(values, axis=0)

    differences = ccc(first) - ccc(second)
    own, drawn = differences[0], differences[1:]
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    tail = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return Comparison(float(own), float(low), float(high), min(1.0, 2 * (tail + 1) / (len(drawn) + 1)), len(clips))
