"""Images of a database -> crops."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np

from data_pipeline.detectors.blazeface import MIN_SCORE, load_blazeface
from data_pipeline.detectors.face import Face, crop
from data_pipeline.importers.database import GivenFace, ImportOptions
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


def faces_of_images(
    images: Mapping[int, Path], options: ImportOptions, counts: collections.Counter[str]
) -> Iterator[GivenFace]:
    """The face of each image by its frame, ascending; as `options.images` says the whole image or what is found in it.

    Images in which no face is found are counted.
    """
    if options.images == "faces":
        for frame, image in images.items():
            yield whole_face(frame, image, options.jpeg_quality)
        return
    detect = load_blazeface(MIN_SCORE)
    for frame, image in images.items():
        picture = np.ascontiguousarray(read_picture(image)[0])
        face = next(iter(detect(picture)), None)
        if face is not None:
            corners = np.array([[face.x, face.y], [face.x + face.width, face.y + face.height]], np.float32)
            given = cut_face(frame, picture, corners, face.landmarks, options.crop_margin, options.jpeg_quality)
        if face is None or given is None:
            counts["images without a face"] += 1
            continue
        yield given


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
