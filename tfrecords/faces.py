"""A face crop -> the square that is stored in a record and given to a network."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

# `linear_tf1` is the rule of the released networks: TensorFlow 1's resize, whose pixel i stands at i * n / size.
RESIZE_RULES = {"cubic": cv2.INTER_CUBIC, "linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA, "linear_tf1": None}


def resize_face(crop: np.ndarray, size: int, rule: str = "cubic") -> np.ndarray:
    """The crop as uint8 RGB (size, size, 3); the aspect ratio is not kept (SPEC, TFRecords: OpenCV's bicubic)."""
    interpolation = RESIZE_RULES[rule]
    if interpolation is None:
        return _resize_from_corner(crop, size)
    return cv2.resize(crop, (size, size), interpolation=interpolation)


def landmarks_in_box(landmarks: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """Landmarks (K, 2) in pixels as a network reads them, float32 (2K,): x0, y0, x1, y1, …

    The box (x, y, width, height) reaches from -1 to 1 both ways; points may lie outside. So they do not depend on where
    in the picture the face is, nor on its size.
    """
    x, y, width, height = box
    inside = (landmarks - np.array([x, y])) / np.array([width, height])
    return (2 * inside - 1).astype(np.float32).ravel()


def _resize_from_corner(crop: np.ndarray, size: int) -> np.ndarray:
    """Bilinear as TensorFlow 1 does it by default: output pixel i reads position ``i * n / size``, not its centre's.

    The released networks were fed the fractions; ours take whole numbers, so they are rounded.
    """
    picture = crop.astype(np.float32)
    for axis in (0, 1):
        positions = np.arange(size, dtype=np.float32) * np.float32(picture.shape[axis] / size)
        below = positions.astype(np.int64)
        above = np.minimum(below + 1, picture.shape[axis] - 1)
        part = (positions - below).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        low, high = np.take(picture, below, axis), np.take(picture, above, axis)
        picture = low + (high - low) * part
    return np.rint(picture).astype(np.uint8)
