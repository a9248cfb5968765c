"""A detected face, and its crop."""

from __future__ import annotations

import dataclasses

import numpy as np

# A face of fewer pixels a side carries no expression, and its crop would be empty when clipped.
MIN_SIDE = 12


@dataclasses.dataclass(frozen=True)
class Face:
    """A face in a picture: box and landmarks in pixels, x to the right and y down, from the upper left corner.

    `landmarks` is float32 (K, 2). Which points they are depends on the detector, but where there are any, the first two
    are the person's right eye and left eye. `interpolated` says that the detector looked at other frames than this one.
    """

    x: float
    y: float
    width: float
    height: float
    score: float
    landmarks: np.ndarray
    interpolated: bool = False

    def bounds(self, picture_width: int, picture_height: int, margin: float = 0.0) -> tuple[int, int, int, int]:
        """The box as whole pixels (left, top, right, bottom), grown by `margin` of its sides and clipped."""
        left = round(self.x - margin * self.width)
        top = round(self.y - margin * self.height)
        right = round(self.x + (1 + margin) * self.width)
        bottom = round(self.y + (1 + margin) * self.height)
        return max(left, 0), max(top, 0), min(right, picture_width), min(bottom, picture_height)


def in_view(face: Face, picture_width: int, picture_height: int) -> bool:
    """Whether the part of the box that lies in the picture has at least `MIN_SIDE` pixels a side."""
    left, top, right, bottom = face.bounds(picture_width, picture_height)
    return right - left >= MIN_SIDE and bottom - top >= MIN_SIDE


def crop(picture: np.ndarray, face: Face, margin: float = 0.0) -> np.ndarray:
    """The face's part of the picture, a view, without margin as in the thesis's §3.2.2 unless one is given."""
    left, top, right, bottom = face.bounds(picture.shape[1], picture.shape[0], margin)
    return picture[top:bottom, left:right]


def box_overlap(one: Face, other: Face) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one.width * one.height + other.width * other.height - shared)
