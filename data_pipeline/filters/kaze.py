"""What the thesis's filters compare faces by (§3.2.3): the strongest KAZE key points of a crop, as one vector."""

from __future__ import annotations

import functools

import cv2
import numpy as np

KEY_POINTS = 32
VALUES = 64  # of one key point's descriptor


def kaze_vector(crop: np.ndarray) -> np.ndarray | None:
    """The descriptors of the 32 strongest key points by falling response, joined and zero-padded to float32 (2048,).

    `crop` is uint8 RGB; OpenCV's KAZE runs with its defaults. Of equally strong key points the one that OpenCV names
    first comes first. None where there is no key point.
    """
    key_points, descriptors = _kaze().detectAndCompute(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), None)
    if not key_points:
        return None
    strongest = np.argsort([-point.response for point in key_points], kind="stable")[:KEY_POINTS]
    vector = np.zeros(KEY_POINTS * VALUES, np.float32)
    vector[: len(strongest) * VALUES] = descriptors[strongest].ravel()
    return vector


def cosine_distance(one: np.ndarray, other: np.ndarray) -> float:
    """``1 - a·b / (|a| |b|)``, from 0 for the same direction to 2 for the opposite."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    return float(1 - a @ b / np.sqrt((a @ a) * (b @ b)))


@functools.cache
def _kaze() -> cv2.Feature2D:
    return cv2.xfeatures2d.KAZE_create()  # type: ignore[attr-defined]
