"""Faces for the loaders to load: one public-domain portrait that moves, as records of each encoding and as a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data

from tfrecords.crops import RECORD_JPEG_QUALITY
from tfrecords.index import RecordFile, open_record, read_frames
from tfrecords.record_file import write_records
from tfrecords.record_value import split_value
from tfrecords.schema import encode_example, encode_face
from tfrecords.sidecar import Sidecar, sidecar_path, write_sidecar

LABELS = ("valence", "arousal")
SIDE = 96


def draw_faces(clip: int, frames: int) -> Iterator[np.ndarray]:
    """uint8 RGB (96, 96, 3): the astronaut's face, turned and moved smoothly, resized as `tfrecords.convert` does."""
    face = skimage.data.astronaut()[0:200, 130:320]
    for frame in range(frames):
        turn = cv2.getRotationMatrix2D((95, 100), 10 * np.sin(frame / 30 + clip), 1 + 0.1 * np.sin(frame / 50))
        turn[:, 2] += 3 * np.sin(frame / np.array([17, 23]))
        moved = cv2.warpAffine(face, turn, (190, 200), borderMode=cv2.BORDER_REFLECT)
        yield cv2.resize(moved, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def labels_of(frame: int) -> dict[str, int]:
    return {"valence": int(1000 * np.sin(frame / 40)), "arousal": int(1000 * np.cos(frame / 70))}


def write_clip(folder: Path, clip: int, frames: int, encoding: str, profile: str = "face") -> RecordFile:
    """One clip's records and sidecar, if they are not there yet."""
    entry = f"clip{clip:03d}"
    path = folder / f"{profile}-{encoding}{_quality(encoding)}" / f"{entry}.tfrecords"
    if not sidecar_path(path).exists():
        more: dict[str, Any] = (
            {"box": [0.0, 0.0, 9.0, 9.0], "score": 1.0, "landmarks": np.zeros((6, 2))} if profile == "face" else {}
        )
        examples = (
            encode_example(f"{entry}/{number:05d}", encode_face(face, encoding), labels_of(number), **more)
            for number, face in enumerate(draw_faces(clip, frames), start=1)
        )
        offsets, digest = write_records(path, examples)
        sidecar = Sidecar(
            entry=entry,
            clip=entry,
            subject=entry,
            profile=profile,
            encoding=encoding,
            size=SIDE,
            resize="cubic",
            crop_margin=0.0,
            colour_order="rgb",
            frame_rate=30.0,
            detector="drawn",
            labels=LABELS,
            synthetic=True,
            frames=tuple(range(1, frames + 1)),
            offsets=offsets,
            ranges={name: (-1.0, 1.0) for name in LABELS},
            gaps=0,
            sha256=digest,
        )
        write_sidecar(path, sidecar)
    return open_record(path)


def _quality(encoding: str) -> str:
    """Part of a folder's name, so that what is kept is of the records' quality."""
    return f"-{RECORD_JPEG_QUALITY}" if encoding == "jpeg" else ""


def jpegs_of(record: RecordFile) -> list[bytes]:
    """The pictures of a file of JPEG records."""
    examples = read_frames(record, 0, len(record.frames))
    places = (split_value(example, record.sidecar) for example in examples)
    return [example[first:end] for example, (first, end, _) in zip(examples, places, strict=True)]


def write_jpeg_folder(folder: Path, clip: int, frames: int) -> list[Path]:
    """The same faces as a JPEG file each, of the records' quality."""
    paths = [
        folder / f"jpegs{_quality('jpeg')}" / f"clip{clip:03d}" / f"{number:05d}.jpg" for number in range(1, frames + 1)
    ]
    if not paths[-1].exists():
        paths[0].parent.mkdir(parents=True, exist_ok=True)
        for path, face in zip(paths, draw_faces(clip, frames), strict=True):
            path.write_bytes(encode_face(face, "jpeg"))
    return paths
