"""Aff-Wild, as given out for the first challenge: videos, one value a frame a line, boxes and landmarks as .pts."""

from __future__ import annotations

import collections
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_pipeline.annotations import DIMENSIONS, scale_values
from data_pipeline.decode import FRAME_RATE, video_frames
from data_pipeline.importers.database import Database, FoundClip, GivenFace, ImportedClip, ImportOptions, Person
from data_pipeline.importers.frames import frame_times, trace_of_frames
from data_pipeline.importers.pictures import cut_face
from data_pipeline.importers.videos import find_videos
from tfrecords.errors import InputError

PARTS = ("train", "test")


def _find(folder: Path, options: ImportOptions) -> Iterator[FoundClip]:
    for part in PARTS:
        for video in find_videos(folder / "videos" / part):
            yield FoundClip(video.stem, functools.partial(_load, folder, part, video, options))


def _load(folder: Path, part: str, video: Path, options: ImportOptions) -> ImportedClip:
    counts: collections.Counter[str] = collections.Counter()
    times = frame_times(video)
    files = {name: folder / "annotations" / part / name / f"{video.stem}.txt" for name in DIMENSIONS}
    traces, labels = {}, 0
    # The challenge's test part came without annotations.
    if any(path.exists() for path in files.values()):
        values = {name: read_values(path) for name, path in files.items()}
        traces = {name: trace_of_frames(times, scale_values(values[name], -1, 1), counts) for name in DIMENSIONS}
        labels = min(map(len, values.values()))
    boxes = folder / "bboxes" / part / video.stem
    faces = None
    if options.use_boxes and boxes.is_dir():
        landmarks = folder / "landmarks" / part / video.stem
        faces = _faces(video, times, boxes, landmarks, labels or len(times), options, counts)
    person = Person(video.stem, {"aff_wild": traces} if traces else {}, faces)
    return ImportedClip(video, (person,), f"Aff-Wild {part}", options.crop_margin, counts)


def read_values(path: Path) -> list[float]:
    """The numbers of a file, one a line; raises `InputError` naming the line that is none."""
    if not path.exists():
        raise InputError(path, "the annotation is missing", "copy it from the database")
    values = []
    for number, line in enumerate(
        path.read_text(encoding="utf-8-sig", errors="replace").rstrip().splitlines(), start=1
    ):
        try:
            values.append(float(line))
        except ValueError:
            raise InputError(path, f"{line[:40]!r} is no number", "copy the file again", number) from None
    return values


def read_points(path: Path) -> np.ndarray:
    """The points of an iBUG .pts file, float32 (K, 2); raises `InputError` where it is none."""
    text = path.read_text(encoding="utf-8", errors="replace")
    _, _, inside = text.partition("{")
    words = inside.partition("}")[0].split()
    try:
        points = np.array(words, np.float32).reshape(-1, 2)
    except ValueError:
        points = np.zeros((0, 2), np.float32)
    if not len(points) or not np.isfinite(points).all():
        raise InputError(path, "this is no file of points", "copy the file again")
    return points


def _faces(
    video: Path,
    times: np.ndarray,
    boxes: Path,
    landmarks: Path,
    labels: int,
    options: ImportOptions,
    counts: collections.Counter[str],
) -> Iterator[GivenFace]:
    """Box N of the video's frame N (from 0), for each 30 FPS frame the box of the frame that it shows."""
    numbers = {int(path.stem): path for path in boxes.glob("*.pts") if path.stem.isdecimal()}
    counts["boxes past the last label"] += sum(number >= labels for number in numbers)
    for frame, picture in enumerate(video_frames(video), start=1):
        number = int(np.argmin(np.abs(times - frame / FRAME_RATE)))
        if number not in numbers or number >= labels:
            counts["frames without a box"] += number not in numbers
            continue
        marks = landmarks / numbers[number].name
        points = read_points(marks) if marks.exists() else np.zeros((0, 2), np.float32)
        corners = read_points(numbers[number])
        face = cut_face(frame, picture, corners, points, options.crop_margin, options.jpeg_quality)
        if face is None:
            counts["boxes outside the picture"] += 1
            continue
        yield face


DATABASE = Database(
    title="Aff-Wild (first challenge)",
    layout="videos/{train,test}/ID.mp4 and annotations/train/{valence,arousal}/ID.txt",
    licence="for academic research, from its authors (iBUG, Imperial College London), by an agreement; not public",
    citation=(
        "D. Kollias, P. Tzirakis, M. A. Nicolaou, A. Papaioannou, G. Zhao, B. Schuller, I. Kotsia, S. Zafeiriou: Deep "
        "Affect Prediction in-the-wild: Aff-Wild Database and Challenge, Deep Architectures, and Beyond. IJCV, 2019"
    ),
    find=_find,
)
