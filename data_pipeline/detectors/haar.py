"""OpenCV's cascade of Haar features for frontal faces (Viola and Jones 2001; Lienhart and Maydt 2002).

OpenCV 5 reads cascades but brings none, so the file lies here; ``haar.LICENSE.txt`` says where it is from.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from data_pipeline.detectors.face import MIN_SIDE, Face

MIN_SCORE = 0.6
_FILE = Path(__file__).with_name("haarcascade_frontalface_default.xml.gz")


def load_haar(min_score: float) -> Callable[[np.ndarray], list[Face]]:
    """A detector: uint8 RGB (height, width, 3) -> faces of at least `min_score`, the most certain first.

    The score is w / (1 + w) of the weight w that the cascade's last stage gives. There are no landmarks.
    """
    cascade = cv2.CascadeClassifier(str(_FILE))

    def detect(picture: np.ndarray) -> list[Face]:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        side = max(MIN_SIDE, min(grey.shape) // 20)
        boxes, _, weights = cascade.detectMultiScale3(
            grey, scaleFactor=1.1, minNeighbors=5, minSize=(side, side), outputRejectLevels=True
        )
        faces = []
        for box, weight in zip(boxes, np.ravel(weights), strict=True):
            score = max(float(weight), 0.0) / (1 + max(float(weight), 0.0))
            if score >= min_score:
                x, y, width, height = map(float, box)
                faces.append(Face(x, y, width, height, score, np.zeros((0, 2), np.float32)))
        return sorted(faces, key=lambda face: -face.score)

    return detect
