"""The value of an annotation at a moment: that of the nearest stamp (§3.2.4), if it is near enough."""

from __future__ import annotations

import numpy as np

from data_pipeline.annotations import Trace
from data_pipeline.decode import FRAME_RATE

# Why a moment has no value; 0 where it has one. Of several reasons the highest is told.
REASONS = ("labelled", "gap", "before_annotation", "past_annotation", "invalid")
HAS_VALUE, GAP, BEFORE, PAST, MARKED = range(len(REASONS))


def nearest_samples(trace: Trace, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of `seconds` (N,) the number of the sample with the nearest stamp, and the distance in seconds.

    Of two stamps equally near the earlier is taken (undefined in the original), of samples with one stamp the first.
    """
    after = np.clip(np.searchsorted(trace.stamps, seconds), 0, len(trace.stamps) - 1)
    before = np.searchsorted(trace.stamps, trace.stamps[np.maximum(after - 1, 0)])
    to_before, to_after = np.abs(seconds - trace.stamps[before]), np.abs(trace.stamps[after] - seconds)
    # Stamps carry milliseconds; a nanosecond keeps the rounding of n / 30 from deciding what is a tie.
    first = to_before <= to_after + 1e-9
    return np.where(first, before, after), np.where(first, to_before, to_after)


def nearest_values(trace: Trace, frames: np.ndarray, frame_rate: float = FRAME_RATE) -> np.ndarray:
    """The value with the nearest stamp, however far, for each frame number (int, from 1), int64 like `frames`.

    Frame n is at n / `frame_rate` seconds.
    """
    samples, _ = nearest_samples(trace, np.asarray(frames, np.float64) / frame_rate)
    return trace.values[samples]


def values_at(trace: Trace, seconds: np.ndarray, max_gap: float) -> tuple[np.ndarray, np.ndarray]:
    """The values at `seconds` (N,), float64 with NaN for none, and why there is none, an index of `REASONS` (N,).

    There is none where the nearest stamp is more than `max_gap` seconds away (0: no limit), or marked invalid.
    """
    samples, distances = nearest_samples(trace, seconds)
    reasons = np.where(trace.valid[samples], HAS_VALUE, MARKED)
    if max_gap > 0:
        far = distances > max_gap + 1e-9
        place = np.where(seconds < trace.stamps[0], BEFORE, np.where(seconds > trace.stamps[-1], PAST, GAP))
        reasons = np.where(far, place, reasons)
    return np.where(reasons == HAS_VALUE, trace.values[samples], np.nan), reasons
