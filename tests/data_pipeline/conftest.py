"""Workspaces of very short clips, builds of them in processes of their own, and detections that were never a video."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from processes import ROOT

from data_pipeline.filters.clip_faces import ClipFaces, FrameFaces
from tfrecords.crops import encode_jpeg, member_name, write_crops
from tfrecords.detections import write_detections
from tfrecords.workspace import Workspace


@pytest.fixture(scope="session")
def short_video(tmp_path_factory: pytest.TempPathFactory, make_video: Callable[..., Path]) -> Path:
    """A quarter of a second of ffmpeg's test picture, 64×48."""
    return make_video(tmp_path_factory.mktemp("short") / "short.mp4", 0.25)


@pytest.fixture
def short_clips(tmp_path: Path, short_video: Path) -> Callable[[Sequence[str]], Workspace]:
    """``short_clips(names)`` makes a workspace whose clips of these names all show `short_video`."""

    def make(names: Sequence[str]) -> Workspace:
        workspace = Workspace(tmp_path / "workspace")
        workspace.sources.mkdir(parents=True)
        shutil.copy(short_video, workspace.sources / "short.mp4")
        with open(workspace.manifest, "w", newline="") as stream:
            csv.writer(stream).writerows([("clip", "source"), *((name, "sources/short.mp4") for name in names)])
        return workspace

    return make


@pytest.fixture
def start_build() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``start_build(workspace, *flags, faults=False, folder=ROOT)`` starts a build in a process group of its own.

    `folder` is its working directory. With `faults` its workers load ``staged_faults.py``. What is left of the group is
    killed after the test.
    """
    started = []

    def start(workspace: Workspace, *flags: str, faults: bool = False, folder: Path = ROOT) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        if faults:
            preloaded = [str(Path(__file__).parent / "staged_faults.py")]
            environment["DASK_DISTRIBUTED__WORKER__PRELOAD"] = repr(preloaded)
        command = [sys.executable, "-m", "data_pipeline.build", f"--workspace={workspace.root}", *flags]
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


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
