"""Takes a serialised `tf.train.Example` apart without TensorFlow and without copying the face.

The wire format (protobuf.dev/programming-guides/encoding): an Example is ``0A length Features``; Features are entries
``0A length (0A length KEY 12 length Feature)`` in any order; a bytes Feature is ``0A length (0A length DATA)``.
"""

from __future__ import annotations

import mmap

Buffer = bytes | memoryview | mmap.mmap


class WireError(ValueError):
    """The bytes are no Example with one value at the key asked for."""


def split_example(data: Buffer, key: bytes, begin: int = 0, end: int | None = None) -> tuple[int, int, bytes]:
    """Where the bytes value of `key` lies in the Example ``data[begin:end]``, and the Example without it.

    Returns:
      first and past-the-last index of the value in `data`; the serialised rest, which is small.

    Raises:
      WireError: `key` is not there, or the bytes are no Example.
    """
    end = len(data) if end is None else end
    try:
        first, stop = _field(data, begin, 0x0A, end)
        at = first
        while at < stop:
            # The common case in place: this runs for every frame that is loaded.
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
                found = _field(data, values, 0x0A, after)
                if found[1] != after:
                    raise WireError(f"{key!r} has several values")
                rest = bytes(data[first:at]) + bytes(data[after:stop])
                return *found, b"\x0a" + _varint(len(rest)) + rest
            at = after
    except IndexError:
        raise WireError("the bytes end within a field") from None
    raise WireError(f"there is no {key!r}")


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
