"""A source -> its frames with everyone's face as the network takes it: found now, or taken from a workspace."""

from __future__ import annotations

import collections
import contextlib
import csv
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affwildnet.predict_sources import Source, clip_row
from affwildnet.serving import LoadedModel
from data_pipeline.cuts import is_cut, thumbnail
from data_pipeline.decode import FRAME_RATE
from data_pipeline.detectors import Detect
from data_pipeline.detectors.face import Face
from data_pipeline.face_mesh import load_face_mesh
from data_pipeline.filters.clip_tracks import root_histogram
from data_pipeline.frames import Frame
from data_pipeline.manifest import ManifestRow, source_file
from data_pipeline.timed_frames import TimedFrame, timed_frames
from data_pipeline.tracks import SeenFace
from data_pipeline.transcode import clip_beginning
from tfrecords.errors import InputError
from tfrecords.faces import landmarks_in_box, resize_face
from tfrecords.workspace import Workspace

# A face as the network takes it, uint8 RGB (S, S, 3), and its landmarks in the box, float32 (136,), or none.
Inputs = tuple[np.ndarray, np.ndarray]
NO_LANDMARKS = np.empty(0, np.float32)
_BOX = ("x", "y", "width", "height")
Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class SeenFrame:
    """A frame, whether a cut lies before it, and its faces with what the network takes of them."""

    timed: TimedFrame
    cut: bool
    faces: list[SeenFace[Inputs]]


def find_faces(frames: Iterable[TimedFrame], model: LoadedModel, detect: Detect) -> Iterator[SeenFrame]:
    """Detects the faces of `frames`."""
    prepare = _preparation(model)
    waiting: collections.deque[TimedFrame] = collections.deque()

    def pictures() -> Iterator[Frame]:
        for timed in frames:
            waiting.append(timed)
            yield timed.frame

    # Detectors hold frames back, but give them in their order.
    found = ((waiting.popleft(), [(face, 0) for face in faces]) for _, faces in detect(pictures()))
    return _with_cuts(found, prepare)


def workspace_faces(source: Source, model: LoadedModel) -> tuple[list[str], Iterator[SeenFrame]]:
    """The entries of a clip of a workspace, and its frames with the stored detections.

    Faces that ``faces/ENTRY.csv`` gives to an entry (by the filter and the corrections) are `known` by its place from
    1. Everything is read as it is needed, so memory does not grow with the clip.

    Raises:
      InputError: the clip's detections are missing or damaged.
    """
    workspace = Workspace(Path(source.workspace))
    row = _row(source)
    chosen = [entry for entry in row.entries() if workspace.faces(entry).exists()]
    frames = timed_frames(source.path, FRAME_RATE)

    def found() -> Iterator[tuple[TimedFrame, list[tuple[Face, int]]]]:
        detections = _by_frame(_stored_faces(workspace.detections(source.clip)))
        owners = [_by_frame(_chosen_faces(workspace.faces(entry))) for entry in chosen]
        for timed in frames:
            number = timed.number + 1
            owned = {face: place for place, of in enumerate(owners, start=1) for face in of(number)}
            yield timed, [(face, owned.get(index, 0)) for index, face in detections(number)]

    return chosen, _with_cuts(found(), _preparation(model))


def has_detections(source: Source) -> bool:
    """Whether the source is a clip of a workspace whose faces have been detected."""
    return bool(source.workspace) and Workspace(Path(source.workspace)).detections(source.clip).exists()


def workspace_inputs(source: Source) -> list[Path]:
    """The files beside the clip that its prediction depends on."""
    workspace = Workspace(Path(source.workspace))
    entries = _row(source).entries()
    return [workspace.detections(source.clip), *(workspace.faces(entry) for entry in entries)]


def clip_facts(source: Source) -> dict[str, Any]:
    """Of a workspace's clip: its name, and where in its source it begins (None where the source is not there)."""
    workspace = Workspace(Path(source.workspace))
    row = _row(source)
    begins: float | None = None
    with contextlib.suppress(InputError, OSError):
        begins = round(clip_beginning(source_file(workspace, row), row.start), 4)
    return {"workspace": source.workspace, "clip": source.clip, "source": row.source, "source_begins_seconds": begins}


def _row(source: Source) -> ManifestRow:
    row = clip_row(source.workspace, source.clip)
    if row is None:
        manifest = Workspace(Path(source.workspace)).manifest
        raise InputError(manifest, f"there is no clip {source.clip} any more", "name clips of the manifest")
    return row


def _with_cuts(
    found: Iterable[tuple[TimedFrame, Sequence[tuple[Face, int]]]], prepare: Callable[[Frame, Face], Inputs]
) -> Iterator[SeenFrame]:
    before: np.ndarray | None = None
    for timed, faces in found:
        now = thumbnail(timed.frame)
        cut = before is not None and is_cut(before, now)
        before = now
        seen = []
        for face, known in faces:
            inputs = prepare(timed.frame, face)
            seen.append(SeenFace(face, root_histogram(inputs[0]), inputs, known))
        yield SeenFrame(timed, cut, seen)


def _preparation(model: LoadedModel) -> Callable[[Frame, Face], Inputs]:
    spec = model.spec
    find_landmarks = load_face_mesh() if model.landmarks_68 else None

    def prepare(frame: Frame, face: Face) -> Inputs:
        crop = frame.region(*face.bounds(frame.width, frame.height, spec.crop_margin))
        resized = resize_face(crop, spec.size, spec.resize)
        if find_landmarks is None:
            return resized, NO_LANDMARKS
        points = find_landmarks(frame.picture(), face)
        return resized, landmarks_in_box(points, (face.x, face.y, face.width, face.height))

    return prepare


def _stored_faces(path: Path) -> Iterator[tuple[int, tuple[int, Face]]]:
    """(frame from 1, (index, face)) of a clip's detections, a piece of the file at a time."""
    try:
        with pq.ParquetFile(path) as file:
            columns = ["frame", "face", *_BOX, "score", "landmarks", "interpolated"]
            for batch in file.iter_batches(batch_size=2048, columns=columns):
                for row in batch.to_pylist():
                    points = np.array(row["landmarks"], np.float32).reshape(-1, 2)
                    x, y, width, height, score = (row[name] for name in (*_BOX, "score"))
                    face = Face(x, y, width, height, score, points, bool(row["interpolated"]))
                    yield row["frame"], (row["face"], face)
    except (OSError, pa.ArrowInvalid, KeyError):
        raise InputError(path, "the detections cannot be read", "run python -m data_pipeline.detect again") from None


def _chosen_faces(path: Path) -> Iterator[tuple[int, int]]:
    """(frame from 1, index of the detection) of an entry's faces."""
    with open(path, encoding="utf-8", newline="") as stream:
        try:
            for row in csv.DictReader(stream):
                yield int(row["frame"]), int(row["face"])
        except (KeyError, ValueError, csv.Error):
            raise InputError(
                path, "this is no table of faces", "run python -m data_pipeline.choose_face again"
            ) from None


def _by_frame(numbered: Iterator[tuple[int, Item]]) -> Callable[[int], list[Item]]:
    """A function that gives the items of a frame, asked for in ascending order."""
    ahead = next(numbered, None)

    def of(frame: int) -> list[Item]:
        nonlocal ahead
        items = []
        while ahead is not None and ahead[0] <= frame:
            if ahead[0] == frame:
                items.append(ahead[1])
            ahead = next(numbered, None)
        return items

    return of
