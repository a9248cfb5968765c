"""What a filter is given: a clip's detections a frame, with boxes and scores; crops and pictures read on demand."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from data_pipeline.decode import clip_frames
from tfrecords.crops import read_crops
from tfrecords.detections import read_detections
from tfrecords.workspace import Workspace

Choice = tuple[int, float]
# No face, and no distance was measured.
NOBODY: Choice = (-1, float("nan"))


@dataclasses.dataclass(frozen=True)
class FrameFaces:
    """The detections of one frame, in the order of their names.

    `frame` counts from 1; `boxes` is float64 (N, 4): x, y, width, height in pixels of the clip; `scores` float64 (N,);
    `members` are the crops' names, and `read` gives the crop of a name.
    """

    frame: int
    boxes: np.ndarray
    scores: np.ndarray
    members: tuple[str, ...]
    read: Callable[[str], np.ndarray]

    def __len__(self) -> int:
        return len(self.boxes)

    def crop(self, face: int) -> np.ndarray:
        """The crop of detection `face`, uint8 RGB (height, width, 3), read and decoded at each call."""
        return self.read(self.members[face])

    def crops(self) -> list[np.ndarray]:
        """All crops of the frame."""
        return [self.read(member) for member in self.members]


@dataclasses.dataclass(frozen=True)
class ClipFaces:
    """A clip's frames that have detections, ascending, and ``pictures()``: all its frames, uint8 RGB, from frame 1."""

    frames: Sequence[FrameFaces]
    pictures: Callable[[], Iterator[np.ndarray]]

    def start(self, people: int) -> tuple[int, list[int]] | None:
        """Where following begins: the index of the first frame with a detection for each of `people`, and those.

        They are the first ones by name, the further left first: a third face is somebody in the background. None where
        no frame has so many.
        """
        for index, found in enumerate(self.frames):
            if len(found) >= people:
                return index, sorted(range(people), key=lambda face: float(found.boxes[face, 0]))
        return None


@contextlib.contextmanager
def open_clip_faces(workspace: Workspace, clip: str) -> Iterator[ClipFaces]:
    """The clip's detections; crops can be read within the block.

    Raises:
      InputError: detections or crops are missing or damaged.
    """
    rows, _ = read_detections(workspace.detections(clip))
    with read_crops(workspace.crops(clip)) as read:

        def frame_faces(frame: int, found: list[dict[str, Any]]) -> FrameFaces:
            boxes = np.array([[face[name] for name in ("x", "y", "width", "height")] for face in found], np.float64)
            scores = np.array([face["score"] for face in found], np.float64)
            return FrameFaces(frame, boxes, scores, tuple(face["member"] for face in found), read)

        groups = itertools.groupby(rows, key=lambda face: face["frame"])
        frames = [frame_faces(frame, list(group)) for frame, group in groups]
        yield ClipFaces(frames, lambda: clip_frames(workspace.clip(clip)))


def box_overlaps(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (N, 4) and (M, 4), each x, y, width, height: float64 (N, M)."""
    left_top = np.maximum(one[:, None, :2], other[None, :, :2])
    right_bottom = np.minimum(one[:, None, :2] + one[:, None, 2:], other[None, :, :2] + other[None, :, 2:])
    shared = np.prod(np.maximum(right_bottom - left_top, 0), axis=2)
    areas = np.prod(one[:, 2:], axis=1)[:, None] + np.prod(other[:, 2:], axis=1)[None]
    return np.where(shared > 0, shared / np.maximum(areas - shared, 1e-9), 0.0)
