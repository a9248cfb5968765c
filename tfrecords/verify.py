"""Finds what is wrong with a record file: truncated, corrupt, changed, out-of-range; by record and frame."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfrecords.corrupt import Damage
from tfrecords.errors import InputError
from tfrecords.example_bytes import WireError
from tfrecords.index import RecordFile, open_record, read_records
from tfrecords.labels import ORIGINAL_LABELS
from tfrecords.record_value import split_value, value_dtype, value_shape
from tfrecords.scan import record_offsets
from tfrecords.sidecar import Sidecar, read_sidecar, sidecar_path

_AT_ONCE = 64
# A record or frame that a fault is not about.
NOWHERE = -1


def verify_record(path: Path) -> list[Damage]:
    """All that is wrong with a record file, [] if nothing; one without a sidecar is taken for the original's.

    Checked are the framing's and the sidecar's sizes, every record's checksum and the file's SHA-256; that each record
    has its name, a face that decodes to the size told, and labels in [-1, 1] (the whole numbers in [-1000, 1000]) that
    agree with each other and with the sidecar's frames and ranges. A label may be missing where another is there;
    valence and arousal are there together, and in the original's always.
    """
    has_sidecar = sidecar_path(path).exists()
    try:
        sidecar = read_sidecar(path, check_size=False) if has_sidecar else open_record(path, sidecar=False).sidecar
    except InputError as error:
        return [Damage(path, NOWHERE, NOWHERE, error.what)]
    file = RecordFile(path, sidecar, np.array(sidecar.frames, np.int64), np.array(sidecar.offsets, np.int64))
    faults = list(_file_faults(file, has_sidecar))
    seen: dict[str, list[float]] = {}
    labelled = 0
    for first in range(0, len(file.frames), _AT_ONCE):
        count = min(_AT_ONCE, len(file.frames) - first)
        for number, record in enumerate(read_records(file, first, count), start=first):
            if isinstance(record, Damage):
                faults.append(record)
                continue
            before = sum(map(len, seen.values()))
            for what in _record_faults(bytes(record), file, number, seen):
                faults.append(Damage(path, number, int(file.frames[number]), what))
            labelled += sum(map(len, seen.values())) > before
    if has_sidecar and labelled == len(file.frames):
        for name, (low, high) in sidecar.ranges.items():
            values = seen.get(name, [])
            if not values:
                faults.append(Damage(path, NOWHERE, NOWHERE, f"no record has {name}, which its sidecar names"))
            elif not np.allclose((min(values), max(values)), (low, high), atol=1e-6):
                what = f"{name} lies in [{min(values):g}, {max(values):g}], its sidecar says [{low:g}, {high:g}]"
                faults.append(Damage(path, NOWHERE, NOWHERE, what))
    return faults


def _file_faults(file: RecordFile, has_sidecar: bool) -> Iterator[Damage]:
    if not file.path.exists():
        yield Damage(file.path, NOWHERE, NOWHERE, "the record file is missing")
        return
    try:
        offsets = record_offsets(file.path)
    except InputError as error:
        yield Damage(file.path, NOWHERE, NOWHERE, error.what)
    else:
        if offsets != file.offsets.tolist():
            what = f"it holds {len(offsets) - 1} records of {offsets[-1]} bytes, its sidecar says "
            what += f"{len(file.frames)} of {file.offsets[-1]}"
            yield Damage(file.path, NOWHERE, NOWHERE, what)
    if has_sidecar:
        with open(file.path, "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != file.sidecar.sha256:
            yield Damage(file.path, NOWHERE, NOWHERE, "its SHA-256 is not its sidecar's")
    for number, (before, after) in enumerate(itertools.pairwise(file.frames.tolist()), start=1):
        if after <= before:
            yield Damage(file.path, number, after, f"it follows frame {before}")


def _record_faults(record: bytes, file: RecordFile, number: int, seen: dict[str, list[float]]) -> Iterator[str]:
    """What is wrong with one whole record; its labels are added to `seen` by name."""
    import tensorflow as tf  # see record_file.py

    sidecar = file.sidecar
    try:
        first, end, rest = split_value(record, sidecar)
        features = tf.train.Example.FromString(rest).features.feature
    except (WireError, ValueError) as error:
        yield str(error)
        return
    names = list(features["frameNo"].bytes_list.value)
    wanted = f"{file.entry}/{file.frames[number]:05d}".encode()
    if names != [wanted]:
        yield f"its name is {names!r}, not {wanted!r}"
    yield from _value_faults(record[first:end], sidecar)
    given: dict[str, int] = {}
    for name in sidecar.labels:
        floats = list(features[f"label/{name}"].float_list.value) if sidecar.profile != "original" else []
        whole = list(features[name].int64_list.value) if name in features else []
        values = floats or [value / 1000 for value in whole]
        given[name] = len(values)
        if len(values) != 1:
            if values or sidecar.profile == "original":
                yield f"it has {len(values)} values of {name}"
            continue
        if not -1 <= values[0] <= 1:  # NaN is not, either
            yield f"its {name} is {values[0]:g}, out of [-1, 1]"
        if floats and whole and abs(whole[0] / 1000 - floats[0]) > 1e-6:
            yield f"its {name} is {whole[0]} and label/{name} {floats[0]:g}"
        seen.setdefault(name, []).append(values[0])
    if not any(given.values()):
        yield "it has no label"
    elif len({given.get(name, 0) for name in ORIGINAL_LABELS}) > 1:
        yield "of valence and arousal it has one alone"


def _value_faults(value: bytes, sidecar: Sidecar) -> Iterator[str]:
    import tensorflow as tf

    from tfrecords.schema import decode_picture

    dtype = value_dtype(sidecar)
    if dtype is None:
        try:
            shape = tuple(decode_picture(value, sidecar.encoding).shape)
        except tf.errors.OpError:
            yield "its face cannot be decoded"
            return
        if shape != value_shape(sidecar):
            yield f"its face is {shape[1]} x {shape[0]} pixels, not {sidecar.size} x {sidecar.size}"
        return
    numbers = np.frombuffer(value, dtype)
    if not np.isfinite(numbers).all():
        yield "it holds numbers that are not finite"
    elif sidecar.encoding == "float32" and (numbers.min() < 0 or numbers.max() > 255):
        yield f"its face has values from {numbers.min():g} to {numbers.max():g}, out of [0, 255]"
