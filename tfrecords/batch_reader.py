"""Windows -> a batch's faces and the small rest of its records, in NumPy; what `loader` calls from tf.data."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tfrecords.corrupt import CorruptRecords, Damage
from tfrecords.example_bytes import WireError
from tfrecords.index import RecordFile, read_records
from tfrecords.record_value import Splitter, make_splitter, value_dtype, value_shape
from tfrecords.schema import blank_picture, blank_rest

# TensorFlow takes an array over without a copy only if it begins at a multiple of this.
_ALIGNMENT = 64

BatchReader = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


class Part(NamedTuple):
    """A record: its bytes, where the value lies in them, and the serialised example without the value."""

    data: memoryview
    first: int
    end: int
    rest: bytes


def make_batch_reader(
    files: Sequence[RecordFile], length: int, dtype: type[np.generic], corrupt: CorruptRecords
) -> BatchReader:
    """A function of windows int64 (B, 3), see `sequences`; several threads may call it at once.

    It returns three arrays (B, T, ...): the values, numbers as `dtype` or pictures' bytes as objects; the serialised
    examples without those, as objects; and which frames count, float32. A shorter window is padded with its last frame,
    a damaged record with the frame before it.
    """
    sidecar = files[0].sidecar
    stored, shape = value_dtype(sidecar), value_shape(sidecar)
    # Each call takes one of these and gives it back. A thread's own would not last: to Python, TensorFlow's threads are
    # new in every call.
    free_scratch: list[Scratch] = []
    arrays = _Arrays(dtype)
    split = make_splitter(sidecar)  # the files are all made alike

    def fill(values: np.ndarray, rests: np.ndarray, weights: np.ndarray, parts: list[Part | None]) -> None:
        """Fills one sequence's part (T, ...) of each result."""
        good = [place for place, part in enumerate(parts) if part is not None]
        weights[good] = 1
        for place in range(length):
            part = parts[place] if place < len(parts) else None
            if part is None and place:
                values[place], rests[place] = values[place - 1], rests[place - 1]
                continue
            part = part or (parts[good[0]] if good else None)
            if part is None:
                values[place] = blank_picture(sidecar) if stored is None else 0
                rests[place] = blank_rest(sidecar)
            elif stored is None:
                values[place], rests[place] = bytes(part.data[part.first : part.end]), part.rest
            else:
                numbers = np.frombuffer(part.data, np.uint8, part.end - part.first, part.first).view(stored)
                values[place], rests[place] = numbers.reshape(shape), part.rest

    def read(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        several = (len(windows), length)
        values = np.empty(several, object) if stored is None else arrays.take((*several, *shape))
        rests, weights = np.empty(several, object), np.zeros(several, np.float32)
        scratch = free_scratch.pop() if free_scratch else Scratch()
        for row, window in enumerate(windows.tolist()):
            pieces = list(_pieces(files, window))
            take = scratch.take if len(pieces) == 1 else None
            parts = [part for piece in pieces for part in read_parts(*piece, corrupt, split, take)]
            fill(values[row], rests[row], weights[row], parts)
        free_scratch.append(scratch)
        return values, rests, weights

    return read


def _pieces(files: Sequence[RecordFile], window: Sequence[int]) -> Iterator[tuple[RecordFile, int, int]]:
    """File, first record and records of a window; the original's may go on in the next file (`original_order`)."""
    number, first, left = window
    while left:
        file = files[number % len(files)]
        count = min(left, len(file.frames) - first)
        yield file, first, count
        number, first, left = number + 1, 0, left - count


def read_parts(
    file: RecordFile,
    first: int,
    count: int,
    corrupt: CorruptRecords,
    split: Splitter,
    take: Callable[[int], memoryview] | None = None,
) -> list[Part | None]:
    """`count` records from record `first` on, None for one that is damaged and passed over (`index.read_records`)."""
    parts: list[Part | None] = []
    for number, record in enumerate(read_records(file, first, count, take), start=first):
        if not isinstance(record, Damage):
            try:
                parts.append(Part(record, *split(record)))
                continue
            except WireError as error:
                record = Damage(file.path, number, int(file.frames[number]), str(error))
        corrupt.meet(record)
        parts.append(None)
    return parts


class Scratch:
    """Memory that every `take` gives anew: what it gave before is then overwritten."""

    def __init__(self) -> None:
        self._memory = memoryview(b"")

    def take(self, size: int) -> memoryview:
        """`size` bytes, whatever they are."""
        if len(self._memory) < size:
            self._memory = memoryview(bytearray(size))
        return self._memory[:size]


class _Arrays:
    """Arrays for values, whose memory is used again when nobody holds them any more.

    New pages for every batch would cost as much as filling them.
    """

    def __init__(self, dtype: type[np.generic]) -> None:
        self.dtype = np.dtype(dtype)
        self.free: list[np.ndarray] = []

    def take(self, shape: tuple[int, ...]) -> np.ndarray:
        """An array whose values are not set."""
        size = math.prod(shape) * self.dtype.itemsize
        try:
            memory = self.free.pop()
        except IndexError:
            memory = np.empty(0, np.uint8)
        if len(memory) < size + _ALIGNMENT:
            memory = np.empty(size + _ALIGNMENT, np.uint8)
        begin = -memory.ctypes.data % _ALIGNMENT
        # A new object on that memory, which TensorFlow holds as long as a tensor uses it.
        array = np.ndarray(shape, self.dtype, memory.data, begin)
        weakref.finalize(array, self.free.append, memory).atexit = False
        return array
