"""Labelled frames that were never a video: coloured crops, so that the tests below need no ffmpeg and no detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tfrecords.crops import encode_jpeg, member_name, write_crops
from tfrecords.detections import write_detections
from tfrecords.workspace import Workspace, write_csv, write_text

FACTS = {"frames": 100, "frame_rate": 30, "detector": "drawn", "crop_margin": 0.0}


def draw_crop(frame: int, height: int = 70, width: int = 50) -> np.ndarray:
    """A crop whose colours tell its frame."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 2 + frame, columns * 3, np.full_like(rows, 5 * frame)], axis=-1).astype(np.uint8)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def make_entry(workspace: Workspace) -> Callable[..., str]:
    """``make_entry(name, frames)`` writes crops, detections, chosen faces and labels of an entry, and returns its name.

    Frame n has valence n and arousal -n, in thousandths.
    """

    def make(name: str, frames: Sequence[int], labels: str | None = None) -> str:
        rows = []
        with write_crops(workspace.crops(name)) as write:
            for frame in frames:
                write(member_name(frame, 0, 1), encode_jpeg(draw_crop(frame), 95))
                box = {"x": 1.0, "y": 2.0, "width": 50.0, "height": 70.0, "score": 0.9}
                landmarks = np.arange(12, dtype=np.float32)
                rows.append(
                    {"frame": frame, "face": 0, "member": member_name(frame, 0, 1), "landmarks": landmarks, **box}
                )
        write_detections(workspace.detections(name), rows, FACTS)
        columns = ("frame", "face", "member", "x", "y", "width", "height", "score")
        write_csv(workspace.faces(name), columns, [{column: row[column] for column in columns} for row in rows])
        text = "".join(f"{frame} {frame} {-frame}\n" for frame in frames) if labels is None else labels
        write_text(workspace.labels(name), text)
        return name

    return make
