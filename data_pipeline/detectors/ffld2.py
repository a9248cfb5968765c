"""The thesis's detector: deformable part models with Fourier transforms (FFLD2, Dubout and Fleuret), by cyffld2.

The package builds with effort only (Cython 0.29, Eigen's and libxml2's headers, a patch for newer Eigen; see
docs/ffld2.md), so it is no extra that pip could install, and used where it can be imported.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from data_pipeline.detectors.face import Face
from tfrecords.errors import InputError

MIN_SCORE = 0.8


def load_ffld2(min_score: float) -> Callable[[np.ndarray], list[Face]]:
    """A detector: uint8 RGB (height, width, 3) -> faces of at least `min_score`, the most certain first.

    The score is s / (1 + s) of the model's score s, so that 0.8 is cyffld2's own threshold of 4; no landmarks.

    Raises:
      InputError: cyffld2 is not installed.
    """
    try:
        from cyffld2 import detect_frontal_faces
    except ImportError:
        remedy = "build cyffld2 0.2.4 as docs/ffld2.md says or choose another detector"
        raise InputError("--detector=ffld2", "the package cyffld2 cannot be imported", remedy) from None
    threshold = min_score / (1 - min(min_score, 1 - 1e-6))

    def detect(picture: np.ndarray) -> list[Face]:
        faces = []
        for found in detect_frontal_faces(np.ascontiguousarray(picture), threshold=threshold):
            box = float(found.x), float(found.y), float(found.width), float(found.height)
            faces.append(Face(*box, found.score / (1 + found.score), np.zeros((0, 2), np.float32)))
        return sorted(faces, key=lambda face: -face.score)

    return detect
