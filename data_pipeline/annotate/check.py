"""Whether a pass covers its clip: first and last stamp, gaps, number of samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from data_pipeline.annotations import Trace

# The matcher labels no frame that is further than this from a stamp (its default).
LONGEST_GAP = 1.0
PAST_END = 0.5  # seconds: players and ffprobe differ by a frame or so in how long a clip is
TOLD_GAP = 0.1  # shorter ones are the display's own
LEAST_RATE = 5.0  # samples a second
_GAPS_TOLD = 20


def check_trace(trace: Trace, seconds: float) -> dict[str, Any]:
    """The check of a trace over a clip of `seconds`, as ``passes/DIMENSION.json`` holds it and the page shows it.

    ``passed`` says whether it counts as done; ``problems`` are sentences, ``go_on_from`` the second from which to do
    the pass again (None where nothing is wrong).
    """
    stamps = trace.stamps
    if not len(stamps):
        told: dict[str, Any] = {"samples": 0, "first": None, "last": None, "seconds": seconds, "rate": 0.0, "gaps": []}
        return told | {"passed": False, "problems": ["There is no sample."], "go_on_from": 0.0}
    steps = np.diff(stamps)
    gaps = [[float(stamps[k]), float(stamps[k + 1])] for k in np.flatnonzero(steps > TOLD_GAP)]
    first, last = float(stamps[0]), float(stamps[-1])
    problems: list[tuple[float, str]] = []
    if first > LONGEST_GAP:
        problems.append((0.0, f"The first sample is at {first:.2f} s."))
    long = [(start, end) for start, end in gaps if end - start > LONGEST_GAP]
    problems += [(start, f"Between {start:.2f} s and {end:.2f} s there is no sample.") for start, end in long]
    if last < seconds - LONGEST_GAP:
        problems.append((last, f"The last sample is at {last:.2f} s, the clip ends at {seconds:.2f} s."))
    if last > seconds + PAST_END:
        problems.append((max(0.0, seconds - LONGEST_GAP), f"The last sample is at {last:.2f} s, after the clip's end."))
    rate = (len(stamps) - 1) / (last - first) if last > first else 0.0
    if not problems and rate < LEAST_RATE:
        problems.append((first, f"There are only {rate:.1f} samples a second."))
    return {
        "samples": len(stamps),
        "first": first,
        "last": last,
        "seconds": seconds,
        "rate": round(rate, 2),
        "gaps": gaps[:_GAPS_TOLD],
        "longest_gap": float(steps.max(initial=0.0)),
        "passed": not problems,
        "problems": [text for _, text in problems],
        "go_on_from": problems[0][0] if problems else None,
    }
