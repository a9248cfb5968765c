"""MTCNN (Zhang et al. 2016) by the package mtcnn, on whole pictures; it loads TensorFlow, and takes its time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from data_pipeline.detectors.face import Face

MIN_SCORE = 0.8
# The package names points as the viewer sees them: its left eye is the person's right eye.
_POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


def load_mtcnn(min_score: float) -> Callable[[np.ndarray], list[Face]]:
    """A detector: uint8 RGB (height, width, 3) -> faces whose probability is at least `min_score`, best first.

    Landmarks are right eye, left eye, nose tip, right and left corner of the mouth (the person's right and left).
    """
    from mtcnn import MTCNN  # TensorFlow comes along

    network = MTCNN(device="CPU:0")

    def detect(picture: np.ndarray) -> list[Face]:
        found = network.detect_faces(np.ascontiguousarray(picture), threshold_onet=min_score)
        faces = []
        for one in found:
            landmarks = np.array([one["keypoints"][name] for name in _POINTS], np.float32)
            x, y, width, height = map(float, one["box"])
            faces.append(Face(x, y, width, height, float(one["confidence"]), landmarks))
        return sorted(faces, key=lambda face: -face.score)

    return detect
