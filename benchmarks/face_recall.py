"""Faces that the detector `fast` finds of those that MTCNN finds, frame by frame, and pictures of both to look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from data_pipeline.decode import clip_planes
from data_pipeline.detectors import load_detector
from data_pipeline.detectors.face import Face, box_overlap
from tfrecords.workspace import atomic_path, read_json, write_json

# Boxes that overlap this much show the same face: MTCNN's frame a profile's whole head, BlazeFace's its features.
SAME_FACE = 0.3
ONE_FACE = ("WolfgangLanger_Pexels.mp4", "single_face.mp4", "face_noface.mov")
STAGE = "short_hamilton_clip.mp4"
NO_FACE = "no_face.mp4"
# In face_noface.mov nobody is in view from this frame on.
TAIL = ("face_noface.mov", 72)
_TILE = (400, 225)


def mtcnn_boxes(clip: Path, folder: Path) -> list[list[Face]]:
    """MTCNN's faces in every frame; kept in `folder`, for they take minutes."""
    kept = folder / f"mtcnn-{clip.name}.json"
    if not kept.exists():
        detect = load_detector("mtcnn")
        frames = [[dataclasses.astuple(face)[:5] for face in faces] for _, faces in detect(clip_planes(clip))]
        write_json(kept, {"boxes": frames})
    return [[Face(*box, np.zeros((0, 2))) for box in frame] for frame in read_json(kept)["boxes"]]


def fast_boxes(clip: Path, stride: str, sheet: Path | None = None, every: int = 12) -> list[list[Face]]:
    """`fast`'s faces in every frame; with `sheet` every twelfth frame is drawn into that picture."""
    found, tiles = [], []
    for number, (frame, faces) in enumerate(load_detector("fast", stride=stride)(clip_planes(clip))):
        found.append(faces)
        if sheet and number % every == 0:
            tiles.append(_drawn(frame.picture(), faces, number))
    if sheet:
        write_sheet(sheet, tiles)
    return found


def count_found(found: Iterable[list[Face]], expected: Iterable[list[Face]]) -> tuple[int, int]:
    """How many of the expected faces were found, and how many there are."""
    pairs = [(face, faces) for faces, wanted in zip(found, expected, strict=True) for face in wanted]
    hits = sum(any(box_overlap(face, other) >= SAME_FACE for other in faces) for face, faces in pairs)
    return hits, len(pairs)


def compare_on_media(media: Path, folder: Path, stride: str) -> dict[str, float | int]:
    """Recall on the one-face clips and the stage clip, and the boxes where nobody is; sheets go to `folder`."""
    found = {
        name: fast_boxes(media / name, stride, folder / f"sheet-{stride}-{name}.png")
        for name in (*ONE_FACE, STAGE, NO_FACE)
    }
    expected = {name: mtcnn_boxes(media / name, folder) for name in (*ONE_FACE, STAGE)}
    one_face = np.sum([count_found(found[name], expected[name]) for name in ONE_FACE], axis=0)
    stage = count_found(found[STAGE], expected[STAGE])
    return {
        "one_face_recall": float(one_face[0] / one_face[1]),
        "one_face_boxes": int(one_face[1]),
        "stage_recall": stage[0] / stage[1],
        "stage_boxes": stage[1],
        "boxes_without_face": sum(map(len, found[NO_FACE])) + sum(map(len, found[TAIL[0]][TAIL[1] :])),
    }


def write_sheet(path: Path, tiles: list[np.ndarray], columns: int = 6) -> None:
    """Writes equal uint8 RGB pictures in rows as one PNG."""
    blank = np.zeros_like(tiles[0])
    tiles = tiles + [blank] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    with atomic_path(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", np.vstack(rows)[:, :, ::-1])[1].tobytes())


def _drawn(picture: np.ndarray, faces: list[Face], number: int) -> np.ndarray:
    """A tile with the boxes (yellow where interpolated) and the person's right eye in red, left eye in blue."""
    tile = cv2.resize(picture, _TILE, interpolation=cv2.INTER_AREA)
    scale = _TILE[0] / picture.shape[1], _TILE[1] / picture.shape[0]
    for face in faces:
        corners = (
            (np.array([[face.x, face.y], [face.x + face.width, face.y + face.height]]) * scale).round().astype(int)
        )
        cv2.rectangle(
            tile, corners[0].tolist(), corners[1].tolist(), (255, 220, 0) if face.interpolated else (0, 255, 0)
        )
        for point, colour in zip(face.landmarks[:2], ((255, 0, 0), (0, 0, 255)), strict=False):
            cv2.circle(tile, (point * scale).round().astype(int).tolist(), 2, colour, -1)
        cv2.putText(tile, f"{face.score:.2f}", corners[0].tolist(), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255))
    cv2.putText(tile, str(number), (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255))
    return tile
