"""Where a clip cuts from one shot to another: small pictures of the brightness of two frames that differ much."""

from __future__ import annotations

import cv2
import numpy as np

from data_pipeline.frames import Frame

THUMBNAIL = (64, 36)
# Mean difference of brightness, of 255: cuts had 27 to 142, anything else at most 13.5
# (../shared/reference/detection_trials.md).
CUT = 20.0


def thumbnail(frame: Frame) -> np.ndarray:
    """The frame's brightness, uint8 (36, 64)."""
    return frame.luma(*THUMBNAIL)


def is_cut(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether the shot changes between the frames of two thumbnails."""
    return cv2.norm(before, after, cv2.NORM_L1) / before.size > CUT
