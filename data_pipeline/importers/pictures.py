"""Images of a database -> crops."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from data_pipeline.detectors.face import Face, crop
from data_pipeline.importers.database import GivenFace
from tfrecords.crops import encode_jpeg
from tfrecords.errors import InputError


def read_picture(path: Path) -> tuple[np.ndarray, bytes]:
    """The image as uint8 RGB (height, width, 3), and its file; raises `InputError` where it is missing or damaged."""
    try:
        data = path.read_bytes()
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        picture = None
    if picture is None:
        raise InputError(path, "the image is missing or damaged", "copy it from the database again")
    return picture[:, :, ::-1], data


def whole_face(frame: int, path: Path, jpeg_quality: int) -> GivenFace:
    """A face that fills its image; a JPEG goes into the crops byte for byte."""
    picture, data = read_picture(path)
    height, width = picture.shape[:2]
    jpeg = data if data[:2] == b"\xff\xd8" else encode_jpeg(picture, jpeg_quality)
    return GivenFace(frame, jpeg, (0.0, 0.0, float(width), float(height)))


def cut_face(
    frame: int, picture: np.ndarray, points: np.ndarray, landmarks: np.ndarray, margin: float, jpeg_quality: int
) -> GivenFace | None:
    """The face whose box is the one that holds `points` (K, 2) of `picture`; None where it lies outside or is none."""
    if not (len(points) and np.isfinite(points).all()):
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    box = (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
    height, width = picture.shape[:2]
    face = Face(*box, score=1.0, landmarks=landmarks)
    left, top, right, bottom = face.bounds(width, height, margin)
    if right <= left or bottom <= top:
        return None
    return GivenFace(frame, encode_jpeg(crop(picture, face, margin), jpeg_quality), box, landmarks)
