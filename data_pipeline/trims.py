"""Where to cut a video, from how many faces each of its frames shows (the thesis's §3.2: trimming)."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfrecords.options import option


@dataclasses.dataclass(frozen=True)
class TrimOptions:
    """What is cut out and where a clip is split."""

    longest_gap: float = option(3.0, "seconds without the clip's people in view that end a part", at_least=0)
    longest_part: float = option(600.0, "seconds after which a clip is split", at_least=1)
    shortest_part: float = option(5.0, "seconds; shorter parts are left out", at_least=0)


def suggest_cuts(
    faces: np.ndarray, people: int, longest_gap: int, longest_part: int, shortest_part: int
) -> list[tuple[int, int]]:
    """The parts to keep of a clip whose frame n (from 0) shows ``faces[n]`` faces, as [first, end) pairs of frames.

    A part begins and ends with a frame that shows at least `people` faces, holds no longer run of frames with fewer
    than `longest_gap`, is at most `longest_part` long (a longer one is split evenly) and at least `shortest_part`.

    Args:
      faces: (frames,) whole numbers.
      people: how many faces have to be in view, 1 or 2.
    """
    seen = np.flatnonzero(np.asarray(faces) >= people)
    if not len(seen):
        return []
    cuts = []
    for stretch in np.split(seen, np.flatnonzero(np.diff(seen) - 1 > longest_gap) + 1):
        first, end = stretch[0], stretch[-1] + 1
        pieces = -(-(end - first) // longest_part)
        bounds = np.linspace(first, end, pieces + 1).round()[1:-1]
        for piece in np.split(stretch, np.searchsorted(stretch, bounds)):
            if len(piece) and piece[-1] + 1 - piece[0] >= shortest_part:
                cuts.append((int(piece[0]), int(piece[-1]) + 1))
    return cuts
