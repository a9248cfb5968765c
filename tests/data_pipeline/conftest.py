"""Settings of the pipeline's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from data_pipeline.filters.clip_faces import ClipFaces, FrameFaces
from tfrecords.crops import encode_jpeg, member_name, write_crops
from tfrecords.detections import write_detections
from tfrecords.workspace import Workspace


def _clip_faces(
    frames: Sequence[Sequence[np.ndarray]],
    boxes: Sequence[Sequence[Sequence[float]]] | None = None,
    numbers: Sequence[int] | None = None,
    pictures: Sequence[np.ndarray] = (),
) -> ClipFaces:
    def faces(index: int, crops: Sequence[np.ndarray]) -> FrameFaces:
        # By default from left to right, without overlap.
        placed = boxes[index] if boxes else [(100.0 * face, 0, 50, 50) for face in range(len(crops))]
        members = tuple(f"{index}-{face}" for face in range(len(crops)))
        scores = np.linspace(0.9, 0.8, len(crops))
        frame = numbers[index] if numbers else index + 1
        read = dict(zip(members, crops, strict=True)).__getitem__
        return FrameFaces(frame, np.array(placed, float).reshape(-1, 4), scores, members, read)

    def all_pictures() -> Iterator[np.ndarray]:
        return iter(pictures)

    return ClipFaces([faces(index, crops) for index, crops in enumerate(frames)], all_pictures)


@pytest.fixture(scope="session")
def clip_faces() -> Callable[..., ClipFaces]:
    """``clip_faces(crops of each frame, boxes, frame numbers, pictures)`` is a clip in memory, as filters take it."""
    return _clip_faces


def _detect(workspace: Workspace, frames: dict[int, list[tuple[float, tuple[int, int, int]]]]) -> None:
    """Detections from {frame: [(x, colour), …]}, the most certain first."""
    rows = []
    with write_crops(workspace.crops("clip")) as write:
        for frame, found in frames.items():
            for face, (x, colour) in enumerate(found):
                member = member_name(frame, face, len(found))
                write(member, encode_jpeg(np.full((30, 20, 3), colour, np.uint8), 95))
                box = {"x": x, "y": 5.0, "width": 20.0, "height": 30.0, "score": 0.9 - face / 10}
                rows.append({"frame": frame, "face": face, "member": member, "landmarks": [0.0] * 12, **box})
    write_detections(workspace.detections("clip"), rows, {"frames": 10})


@pytest.fixture(scope="session")
def detect() -> Callable[..., None]:
    """``detect(workspace, {frame: [(x, colour), …]})`` writes detections and crops of the clip "clip"."""
    return _detect
