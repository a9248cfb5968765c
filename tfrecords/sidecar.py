"""The sidecar of a record file, ``ENTRY.json``: what is in it and how it was made.

It is written after the record file; a record file without a matching sidecar does not exist for any reader.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tfrecords.errors import InputError
from tfrecords.workspace import read_json, write_json

SCHEMA_VERSION = 2


@dataclasses.dataclass(frozen=True)
class Sidecar:
    """Facts about one record file; lists are in the order of its records."""

    entry: str
    clip: str
    subject: str
    profile: str  # "face", or "original" for SPEC's four keys alone
    encoding: str  # of the face: "jpeg", "png", "raw" (uint8) or "float32"
    size: int  # sides of the face in pixels
    resize: str  # rule that brought the crop to that size
    crop_margin: float  # part of the box's sides added all round
    colour_order: str  # of raw and float32 faces; JPEG and PNG decode to RGB anyway
    frame_rate: float
    detector: str
    labels: tuple[str, ...]  # names of the float labels that any record has
    synthetic: bool
    frames: tuple[int, ...]  # frame numbers, from 1
    offsets: tuple[int, ...]  # byte at which each record's framing begins, and last the file's size
    ranges: dict[str, tuple[float, float]]  # lowest and highest value of each label, of the records that have it
    gaps: int  # places where frame numbers do not follow one another
    sha256: str  # of the record file
    landmarks_68: bool = False  # whether every record holds them
    schema_version: int = SCHEMA_VERSION


def sidecar_path(record: Path) -> Path:
    return record.with_suffix(".json")


def write_sidecar(record: Path, sidecar: Sidecar) -> None:
    write_json(sidecar_path(record), dataclasses.asdict(sidecar))


def read_sidecar(record: Path, check_size: bool = True) -> Sidecar:
    """The sidecar of `record`, which is not looked at where `check_size` is false.

    Raises:
      InputError: it is missing, of another schema version, or does not fit the record file's size.
    """
    remedy = "run python -m tfrecords.convert again"
    path = sidecar_path(record)
    value: Any = read_json(path)
    names = {field.name for field in dataclasses.fields(Sidecar)}
    if not isinstance(value, dict) or value.get("schema_version") != SCHEMA_VERSION or set(value) != names:
        raise InputError(path, f"this is no sidecar of schema version {SCHEMA_VERSION}", remedy)
    for name in ("labels", "frames", "offsets"):
        value[name] = tuple(value[name])
    sidecar = Sidecar(**value)
    size = record.stat().st_size if record.exists() else -1
    if check_size and size != sidecar.offsets[-1]:
        what = "the record file is missing" if size < 0 else f"the record file has {size} bytes, its sidecar says "
        what += "" if size < 0 else str(sidecar.offsets[-1])
        raise InputError(record, what, remedy)
    return sidecar
