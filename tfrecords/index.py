"""An index over record files: which frames lie where, without reading a face."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tfrecords.errors import InputError
from tfrecords.record_file import FRAMING
from tfrecords.sidecar import Sidecar, read_sidecar
from tfrecords.workspace import Workspace, read_csv


@dataclasses.dataclass(frozen=True)
class RecordFile:
    """One entry's record file; `frames` int64 (N,) and `offsets` int64 (N + 1,) are in the order of its records."""

    path: Path
    sidecar: Sidecar
    frames: np.ndarray
    offsets: np.ndarray

    @property
    def entry(self) -> str:
        return self.sidecar.entry


def open_record(path: Path) -> RecordFile:
    """Reads the sidecar of a record file; raises `InputError` where it is missing or does not fit."""
    sidecar = read_sidecar(path)
    return RecordFile(path, sidecar, np.array(sidecar.frames, np.int64), np.array(sidecar.offsets, np.int64))


def open_partition(workspace: Workspace, partition: str) -> list[RecordFile]:
    """The record files of one part of the database, in the order of ``partition.csv``.

    Raises:
      InputError: the part is empty, a record is missing, or the records were not all made alike.
    """
    rows = read_csv(workspace.partition, ("entry", "partition"))
    entries = [row["entry"] for row in rows if row["partition"] == partition]
    if not entries:
        what = f"no entry is in the part {partition!r}"
        raise InputError(workspace.partition, what, "use a part that has entries, or partition a larger database")
    files = [
        open_record(workspace.record(entry)) for entry in tqdm(entries, desc=partition, disable=len(entries) < 500)
    ]
    files = [file for file in files if len(file.frames)]
    if not files:
        raise InputError(workspace.partition, f"the part {partition!r} has no labelled frame", "check its labels")
    check_alike(files)
    return files


def check_alike(files: Sequence[RecordFile]) -> None:
    """Raises `InputError` where one record file holds other faces than the first."""
    for file in files:
        for name in ("profile", "encoding", "size", "resize", "crop_margin", "frame_rate", "labels", "landmarks_68"):
            mine, first = getattr(file.sidecar, name), getattr(files[0].sidecar, name)
            if mine != first:
                what = f"{name} is {mine!r}, but {first!r} in {files[0].path.name}"
                raise InputError(file.path, what, "convert the whole database with the same options")


def read_frames(file: RecordFile, first: int, count: int) -> list[bytes]:
    """The serialised examples of `count` records from record `first` on (from 0), in one read.

    Raises:
      InputError: the framing does not fit the index, as in a file that was changed or damaged.
    """
    begin, end = int(file.offsets[first]), int(file.offsets[first + count])
    with open(file.path, "rb") as stream:
        stream.seek(begin)
        data = stream.read(end - begin)
    records = []
    for number in range(first, first + count):
        start, stop = int(file.offsets[number]) - begin, int(file.offsets[number + 1]) - begin
        # TFRecord framing: length (uint64), its checksum (4 bytes), the data, the data's checksum (4 bytes).
        if len(data) < stop or int.from_bytes(data[start : start + 8], "little") != stop - start - FRAMING:
            what = f"record {number} (frame {file.frames[number]}) is damaged"
            raise InputError(file.path, what, "run python -m tfrecords.convert again")
        records.append(data[start + 12 : stop - 4])
    return records
