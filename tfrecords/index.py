"""An index over record files: which frames lie where, without reading a face."""

from __future__ import annotations

import dataclasses
import io
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tfrecords.checksum import masked_crc
from tfrecords.corrupt import Damage
from tfrecords.errors import InputError
from tfrecords.record_file import FRAMING
from tfrecords.scan import scan_record
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


def open_record(path: Path, sidecar: bool = True) -> RecordFile:
    """Reads the sidecar of a record file; raises `InputError` where it is missing or does not fit.

    With `sidecar` false it is a file of the original's, which has none, and is indexed by walking over it.
    """
    found = read_sidecar(path) if sidecar else scan_record(path)
    return RecordFile(path, found, np.array(found.frames, np.int64), np.array(found.offsets, np.int64))


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
    """Raises `InputError` where one record file holds other faces than the first; their labels may be others."""
    for file in files:
        for name in ("profile", "encoding", "size", "resize", "crop_margin", "frame_rate", "landmarks_68"):
            mine, first = getattr(file.sidecar, name), getattr(files[0].sidecar, name)
            if mine != first:
                what = f"{name} is {mine!r}, but {first!r} in {files[0].path.name}"
                raise InputError(file.path, what, "convert the whole database with the same options")


def label_columns(files: Sequence[RecordFile]) -> tuple[str, ...]:
    """The labels that any of the files has, in the order in which they come."""
    return tuple(dict.fromkeys(name for file in files for name in file.sidecar.labels))


def check_columns(files: Sequence[RecordFile], labels: Sequence[str]) -> None:
    """Raises `InputError` where none of the files has one of `labels`; what only some have is missing in the others."""
    there = label_columns(files)
    for name in labels:
        if name not in there:
            what = f"no record of {len(files)} files has the label {name!r}"
            raise InputError(
                files[0].path.parent, what, f"choose from {', '.join(there)}, or annotate it and build again"
            )


def read_records(
    file: RecordFile, first: int, count: int, take: Callable[[int], memoryview] | None = None
) -> list[memoryview | Damage]:
    """The serialised examples of `count` records from record `first` on (from 0), or what is wrong with them.

    One read, into the memory of so many bytes that `take` gives, of which the examples are parts: memory used again
    costs no new pages. By default it is new.
    """
    begin, end = int(file.offsets[first]), int(file.offsets[first + count])
    view = take(end - begin) if take is not None else memoryview(bytearray(end - begin))
    with open(file.path, "rb", buffering=0) as stream:
        read = _read_into(stream, begin, view)
    offsets = (file.offsets[first : first + count + 1] - begin).tolist()
    pairs = enumerate(itertools.pairwise(offsets), start=first)
    return [_record(file, number, view[start : min(stop, read)], stop - start) for number, (start, stop) in pairs]


def _read_into(stream: io.FileIO, begin: int, view: memoryview) -> int:
    """Fills `view` from byte `begin` on; returns how many bytes there were."""
    stream.seek(begin)
    read = 0
    while read < len(view) and (more := stream.readinto(view[read:])):
        read += more
    return read


def _record(file: RecordFile, number: int, framed: memoryview, size: int) -> memoryview | Damage:
    """The data of one record, whose framing is: length (uint64), its checksum, the data, its checksum."""
    frame = int(file.frames[number])
    if len(framed) < size:
        return Damage(file.path, number, frame, "the file ends within it")
    if int.from_bytes(framed[:8], "little") != size - FRAMING:
        return Damage(file.path, number, frame, "its length is not that of the index")
    data = framed[12:-4]
    if masked_crc(data) != int.from_bytes(framed[-4:], "little"):
        return Damage(file.path, number, frame, "its checksum is wrong")
    return data


def read_frames(file: RecordFile, first: int, count: int) -> list[bytes]:
    """`read_records`, all of them whole.

    Raises:
      InputError: naming the first that is damaged, as in a file that was changed after it was indexed.
    """
    records = []
    for record in read_records(file, first, count):
        if isinstance(record, Damage):
            raise record.error()
        records.append(bytes(record))
    return records
