"""The thesis's filter by colour (§3.2.3): a face keeps its colours from frame to frame, and other faces have others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

BINS = 8
# A lone detection farther than this from the reference shows somebody else, or no face.
MAX_DISTANCE = 0.5


def rgb_histogram(frames: Iterable[Sequence[np.ndarray]], start: int) -> list[tuple[int, float]]:
    """Follows the person of the first frame's crop `start` by Hellinger distance of RGB histograms.

    The first frame's crop is kept unconditionally and is the reference. After it, a frame's only crop is kept if its
    distance to the reference is at most 0.5, and of several the nearest is kept without a threshold; what is kept
    becomes the reference.
    """
    choices: list[tuple[int, float]] = []
    reference: np.ndarray | None = None
    for crops in frames:
        histograms = [colour_histogram(crop) for crop in crops]
        if reference is None:
            choices.append((start, float("nan")))
            reference = histograms[start]
            continue
        distances = [hellinger_distance(reference, histogram) for histogram in histograms]
        nearest = int(np.argmin(distances))
        kept = len(crops) > 1 or distances[nearest] <= MAX_DISTANCE
        choices.append((nearest if kept else -1, distances[nearest]))
        if kept:
            reference = histograms[nearest]
    return choices


def colour_histogram(crop: np.ndarray) -> np.ndarray:
    """Counts of an uint8 RGB picture's pixels in 8x8x8 bins over [0, 256), float32 (8, 8, 8)."""
    return cv2.calcHist([np.ascontiguousarray(crop)], [0, 1, 2], None, [BINS] * 3, [0, 256] * 3)


def hellinger_distance(one: np.ndarray, other: np.ndarray) -> float:
    """``sqrt(1 - sum(sqrt(a b)) / sqrt(sum(a) sum(b)))``, 0 for equal colours and 1 for none in common, any scale."""
    return float(cv2.compareHist(one, other, cv2.HISTCMP_HELLINGER))
