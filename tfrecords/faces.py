"""A face crop -> the square that is stored in a record and given to a network."""

from __future__ import annotations

import cv2
import numpy as np

RESIZE_RULES = {"cubic": cv2.INTER_CUBIC, "linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


def resize_face(crop: np.ndarray, size: int, rule: str = "cubic") -> np.ndarray:
    """The crop as uint8 RGB (size, size, 3); the aspect ratio is not kept (SPEC, TFRecords: OpenCV's bicubic)."""
    return cv2.resize(crop, (size, size), interpolation=RESIZE_RULES[rule])
