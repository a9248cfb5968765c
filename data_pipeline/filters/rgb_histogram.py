"""The thesis's filter by colour (§3.2.3): a face keeps its colours from frame to frame, and other faces have others."""

from __future__ import annotations

import cv2
import numpy as np
import scipy.optimize

from data_pipeline.filters.clip_faces import NOBODY, Choice, ClipFaces

BINS = 8
# A lone detection farther than this from the reference shows somebody else, or no face.
MAX_DISTANCE = 0.5


def rgb_histogram(clip: ClipFaces, people: int) -> list[list[Choice]]:
    """Follows people by the Hellinger distance of RGB histograms, from the first frame that shows them all.

    That frame's crops are kept unconditionally and are the references. After it, a frame's only crop is kept if its
    distance to the reference is at most 0.5, and of several the nearest is kept without a threshold; what is kept
    becomes the reference. Of several people each has a reference; a frame's crops are dealt out so that the distances
    are least in sum, and nobody shares one.
    """
    first, starts = clip.start(people) or (len(clip.frames), [])
    choices: list[list[Choice]] = [[NOBODY] * people] * first
    references: list[np.ndarray] = []
    for found in clip.frames[first:]:
        histograms = [colour_histogram(crop) for crop in found.crops()]
        if not references:
            choices.append([(start, float("nan")) for start in starts])
            references = [histograms[start] for start in starts]
            continue
        distances = np.array([[hellinger_distance(ref, other) for other in histograms] for ref in references])
        row: list[Choice] = [(-1, float(mine.min())) for mine in distances]
        for person, crop in zip(*scipy.optimize.linear_sum_assignment(distances), strict=True):
            distance = float(distances[person, crop])
            if len(found) > 1 or distance <= MAX_DISTANCE:
                row[person] = (int(crop), distance)
                references[person] = histograms[crop]
        choices.append(row)
    return choices


def colour_histogram(crop: np.ndarray) -> np.ndarray:
    """Counts of an uint8 RGB picture's pixels in 8x8x8 bins over [0, 256), float32 (8, 8, 8)."""
    return cv2.calcHist([np.ascontiguousarray(crop)], [0, 1, 2], None, [BINS] * 3, [0, 256] * 3)


def hellinger_distance(one: np.ndarray, other: np.ndarray) -> float:
    """``sqrt(1 - sum(sqrt(a b)) / sqrt(sum(a) sum(b)))``, 0 for equal colours and 1 for none in common, any scale."""
    return float(cv2.compareHist(one, other, cv2.HISTCMP_HELLINGER))
