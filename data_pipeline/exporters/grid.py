"""An annotation at regular times, as the programs want it that keep no stamps of their own."""

from __future__ import annotations

import numpy as np

from data_pipeline.annotations import Trace
from data_pipeline.nearest import HAS_VALUE, MARKED, values_at

MAX_GAP = 1.0  # seconds; further than this from a stamp there is no value


def regular(traces: list[Trace], rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seconds k / `rate` (N,) up to the last stamp, values float64 (N, K), NaN for none, and whether marked (N, K)."""
    end = max(float(trace.stamps[-1]) for trace in traces)
    seconds = np.arange(np.floor(end * rate + 1e-6) + 1) / rate
    found = [values_at(trace, seconds, MAX_GAP) for trace in traces]
    values = np.stack([np.where(why == HAS_VALUE, value, np.nan) for value, why in found], axis=1)
    return seconds, values, np.stack([why == MARKED for _, why in found], axis=1)
