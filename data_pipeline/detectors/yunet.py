"""YuNet (Wu, Peng, Yu 2023) by OpenCV; its ONNX file is fetched with the weights and passed as a path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from data_pipeline.detectors.face import Face
from tfrecords.errors import InputError

MIN_SCORE = 0.7
_REMEDY = (
    "run python -m affwildnet.fetch_weights --weights=yunet and give "
    "--yunet_model=weights/face_detection_yunet_2023mar.onnx"
)


def load_yunet(min_score: float, model: str) -> Callable[[np.ndarray], list[Face]]:
    """A detector: uint8 RGB (height, width, 3) -> faces of at least `min_score`, the most certain first.

    `model` is the path of the ONNX file. Landmarks are right eye, left eye, nose tip, right and left corner of the
    mouth (the person's right and left).

    Raises:
      InputError: the file is not named, missing, or no network of this kind.
    """
    if not model or not Path(model).is_file():
        raise InputError(model or "--yunet_model", "YuNet's ONNX file is missing", _REMEDY)
    try:
        network = cv2.FaceDetectorYN.create(model, "", (320, 320), score_threshold=min_score)
    except cv2.error:
        raise InputError(model, "OpenCV cannot read this as a network", _REMEDY) from None

    def detect(picture: np.ndarray) -> list[Face]:
        network.setInputSize((picture.shape[1], picture.shape[0]))
        found = network.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
        rows = np.zeros((0, 15)) if found is None else found
        faces = []
        for row in rows:
            # Box (4), five points (10), score.
            x, y, width, height, *points, score = map(float, row)
            faces.append(Face(x, y, width, height, score, np.array(points, np.float32).reshape(5, 2)))
        return sorted(faces, key=lambda face: -face.score)

    return detect
