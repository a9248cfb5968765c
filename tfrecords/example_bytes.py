"""Takes a serialised `tf.train.Example` apart without TensorFlow and without copying the face.

The wire format (protobuf.dev/programming-guides/encoding): an Example is ``0A length Features``; Features are entries
``0A length (0A length KEY 12 length Feature)`` in any order; a bytes Feature is ``0A length (0A length DATA)``.
"""

from __future__ import annotations

import mmap
from typing import NamedTuple

Buffer = bytes | memoryview | mmap.mmap


class WireError(ValueError):
    """The bytes are no Example with one value at the key asked for."""


class ValuePlace(NamedTuple):
    """Where in an Example a value lies, as indices in the bytes that hold it."""

    outer: int  # the first of the Example's entries
    entry: int  # the value's entry, which is key and value
    first: int  # the value
    end: int  # past the value and its entry
    stop: int  # past the last entry


def split_example(data: Buffer, key: bytes, begin: int = 0, end: int | None = None) -> tuple[int, int, bytes]:
    """Where the bytes value of `key` lies in the Example ``data[begin:end]``, and the Example without it.

    Returns:
      first and past-the-last index of the value in `data`; the serialised rest, which is small.

    Raises:
      WireError: `key` is not there, or the bytes are no Example.
    """
    place = find_value(data, key, begin, end)
    return place.first, place.end, without_value(data, place)


def find_value(data: Buffer, key: bytes, begin: int = 0, end: int | None = None) -> ValuePlace:
    """Where the bytes value of `key` lies in the Example ``data[begin:end]``; raises as `split_example`."""
    end = len(data) if end is None else end
    try:
        outer, stop = _field(data, begin, 0x0A, end)
        at = outer
        while at < stop:
            # The common case in place: this runs for every picture that is loaded.
            if data[at] == 0x0A and data[at + 1] < 0x80:
                entry, after = at + 2, at + 2 + data[at + 1]
            else:
                entry, after = _field(data, at, 0x0A, stop)
            if data[entry] == 0x0A and data[entry + 1] < 0x80:
                name, value = entry + 2, entry + 2 + data[entry + 1]
            else:
                name, value = _field(data, entry, 0x0A, after)
            if not value <= after <= stop:
                raise WireError("a field is longer than what holds it")
            if data[name:value] == key:
                feature, _ = _field(data, value, 0x12, after)
                values, _ = _field(data, feature, 0x0A, after)
                first, past = _field(data, values, 0x0A, after)
                if past != after:
                    raise WireError(f"{key!r} has several values")
                return ValuePlace(outer, at, first, past, stop)
            at = after
    except IndexError:
        raise WireError("the bytes end within a field") from None
    raise WireError(f"there is no {key!r}")


def without_value(data: Buffer, place: ValuePlace) -> bytes:
    """The Example without the value that lies at `place` in `data`."""
    rest = bytes(data[place.outer : place.entry]) + bytes(data[place.end : place.stop])
    return outer_field(len(rest)) + rest


def outer_field(size: int) -> bytes:
    """What an Example with `size` bytes of entries begins with."""
    return b"\x0a" + _varint(size)


def _field(data: Buffer, at: int, tag: int, end: int) -> tuple[int, int]:
    """First index and end of the length-delimited field with `tag` at index `at`."""
    if data[at] != tag:
        raise WireError(f"byte {data[at]:#x} where the tag {tag:#x} must be")
    length = shift = 0
    while True:
        at += 1
        byte = data[at]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    at += 1
    if at + length > end:
        raise WireError("a field is longer than what holds it")
    return at, at + length


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
