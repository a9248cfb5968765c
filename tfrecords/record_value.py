"""What a record holds for a network, its face or features: where it lies, and whether it can be that."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tfrecords.example_bytes import Buffer, ValuePlace, WireError, find_value, outer_field, without_value
from tfrecords.sidecar import Sidecar

# Where a record's value begins and ends, and the serialised example without it.
Splitter = Callable[[memoryview], tuple[int, int, bytes]]
FEATURES = "features"  # the profile of records that hold a backbone's features in place of faces
_NUMBERS: dict[str, np.dtype] = {
    "raw": np.dtype(np.uint8),
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
}
# What a whole picture of each encoding begins and ends with.
_PICTURES = {"jpeg": (b"\xff\xd8", b"\xff\xd9"), "png": (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82")}


def value_key(sidecar: Sidecar) -> bytes:
    """The key in each record's Example."""
    return b"features" if sidecar.profile == FEATURES else b"frame"


def value_dtype(sidecar: Sidecar) -> np.dtype | None:
    """The type of the numbers stored; None for compressed pictures."""
    return _NUMBERS.get(sidecar.encoding)


def value_shape(sidecar: Sidecar) -> tuple[int, ...]:
    """(D,) of features, (size, size, 3) of faces."""
    return (sidecar.size,) if sidecar.profile == FEATURES else (sidecar.size, sidecar.size, 3)


def make_splitter(sidecar: Sidecar) -> Splitter:
    """`split_value` of one record after another; one that is laid out like an earlier one is not parsed again.

    Nearly all are. It shows in the bytes that lead to the value, with its key and all lengths. Several threads may call
    it at once.
    """
    dtype = value_dtype(sidecar)
    at = 0, 0, 0  # where the Example's entries, the value's entry and the value began in the record parsed last
    wholes: dict[bytes, int] = {}  # the record's size, by the bytes that lead to its entries
    sizes: dict[bytes, int] = {}  # the value's size, by the bytes that lead from its entry to it

    def split(data: memoryview) -> tuple[int, int, bytes]:
        nonlocal at
        outer, entry, first = at
        before = bytes(data[:first])
        size = sizes.get(before[entry:])
        if size is not None and wholes.get(before[:outer]) == len(data) >= first + size:
            end = first + size
            if dtype is None:
                _check_picture(data, first, end, sidecar.encoding)
            rest = before[outer:entry] + bytes(data[end:])
            return first, end, outer_field(len(rest)) + rest
        place = _find(data, sidecar)
        if place.stop == len(data):
            at = place.outer, place.entry, place.first
            wholes[bytes(data[: place.outer])] = len(data)
            sizes[bytes(data[place.entry : place.first])] = place.end - place.first
        return place.first, place.end, without_value(data, place)

    return split


def split_value(data: Buffer, sidecar: Sidecar) -> tuple[int, int, bytes]:
    """Where the value lies in a serialised example, and the example without it (`example_bytes.split_example`).

    Raises:
      WireError: there is none, or it cannot be what the sidecar says.
    """
    place = _find(data, sidecar)
    return place.first, place.end, without_value(data, place)


def _find(data: Buffer, sidecar: Sidecar) -> ValuePlace:
    """Where the value lies; raises as `split_value`."""
    place = find_value(data, value_key(sidecar))
    first, end = place.first, place.end
    dtype = value_dtype(sidecar)
    if dtype is None:
        _check_picture(data, first, end, sidecar.encoding)
    elif end - first != (wanted := dtype.itemsize * math.prod(value_shape(sidecar))):
        raise WireError(f"its face has {end - first} bytes, not {wanted}")
    return place


def _check_picture(data: Buffer, first: int, end: int, encoding: str) -> None:
    begins, ends = _PICTURES[encoding]
    if data[first : first + len(begins)] != begins or data[end - len(ends) : end] != ends:
        raise WireError(f"its face is no whole {encoding.upper()} picture")
