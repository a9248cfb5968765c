"""Record files without a sidecar, as the original's are: an index made by walking over the records.

Of each record only its framing and its names are read, a few pages of the file: faces stay on the disk.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from tfrecords.checksum import masked_crc
from tfrecords.errors import InputError
from tfrecords.example_bytes import split_example
from tfrecords.labels import ORIGINAL_LABELS
from tfrecords.record_file import FRAMING
from tfrecords.sidecar import Sidecar
from tfrecords.workspace import check_name

# What pictures begin with.
_JPEG, _PNG = b"\xff\xd8", b"\x89P"


def record_offsets(path: Path) -> list[int]:
    """Where each record begins, and last the file's size, from the records' lengths alone.

    Raises:
      InputError: naming the record (from 0) at which the framing breaks.
    """
    with _mapped(path) as data:
        offsets = [0]
        while offsets[-1] < len(data):
            begin = offsets[-1]
            head = data[begin : begin + 12]
            remedy = "fetch the file again, or convert the entry again"
            if len(head) < 12 or masked_crc(head[:8]) != struct.unpack("<I", head[8:])[0]:
                what = f"record {len(offsets) - 1} is damaged: the checksum of its length is wrong"
                raise InputError(path, what, remedy)
            offsets.append(begin + struct.unpack("<Q", head[:8])[0] + FRAMING)
            if offsets[-1] > len(data):
                raise InputError(path, f"record {len(offsets) - 2} is damaged: the file ends within it", remedy)
        return offsets


def scan_record(path: Path) -> Sidecar:
    """What a sidecar would say of a file of the original's four keys; its ``sha256`` is left empty.

    Faces that are no pictures are taken for float32, as the original's are, if their number of bytes can be.

    Raises:
      InputError: the file is empty or damaged, or its records are none of the original's.
    """
    import tensorflow as tf  # it takes seconds, and records with a sidecar are opened without it

    offsets = record_offsets(path)
    if len(offsets) == 1:
        raise InputError(path, "there is no record in it", "fetch the file again, or leave it out")
    frames: list[int] = []
    entries: set[str] = set()
    forms: set[tuple[str, int]] = set()
    values: dict[str, list[int]] = {name: [] for name in ORIGINAL_LABELS}
    with _mapped(path) as data:
        for number, (begin, after) in enumerate(itertools.pairwise(offsets)):
            try:
                first, end, rest = split_example(data, b"frame", begin + 12, after - 4)
                features = tf.train.Example.FromString(rest).features.feature
                entry, frame = features["frameNo"].bytes_list.value[0].decode().rsplit("/", 1)
                for name, own in values.items():
                    own.append(features[name].int64_list.value[0])
                entries.add(check_name(entry, path))
                frames.append(int(frame))
                if not forms or data[first : first + 2] in (_JPEG, _PNG):
                    forms.add(_form(data[first:end]))
                elif forms != {_form(bytes(end - first))}:
                    raise ValueError("its face has another size than those before it")
            except InputError:
                raise
            except (ValueError, IndexError) as error:  # a WireError is a ValueError
                what = f"record {number} is none of the original's: {error}"
                raise InputError(path, what, "convert the entry with python -m tfrecords.convert") from None
    if len(entries) > 1 or len(forms) > 1:
        what = f"its records are of {len(entries)} videos and {len(forms)} kinds of faces"
        raise InputError(path, what, "split it into a file a video")
    (entry,), ((encoding, size),) = entries, forms
    return Sidecar(
        entry=entry,
        clip=entry,
        subject=entry,
        profile="original",
        encoding=encoding,
        size=size,
        resize="cubic",
        crop_margin=0.0,
        colour_order="rgb",
        frame_rate=30.0,
        detector="unknown",
        labels=ORIGINAL_LABELS,
        synthetic=False,
        frames=tuple(frames),
        offsets=tuple(offsets),
        ranges={name: (min(own) / 1000, max(own) / 1000) for name, own in values.items()},
        gaps=int(np.sum(np.diff(frames) != 1)),
        sha256="",
    )


def _form(face: bytes) -> tuple[str, int]:
    """Encoding and side of a face as it is stored."""
    if face[:2] in (_JPEG, _PNG):
        picture = cv2.imdecode(np.frombuffer(face, np.uint8), cv2.IMREAD_COLOR)
        if picture is None or picture.shape[0] != picture.shape[1]:
            raise ValueError("its face is no whole square picture")
        return ("jpeg" if face[:2] == _JPEG else "png"), picture.shape[0]
    for encoding, size_of_pixel in (("float32", 12), ("raw", 3)):
        side = math.isqrt(len(face) // size_of_pixel)
        if side and side * side * size_of_pixel == len(face):
            return encoding, side
    raise ValueError(f"{len(face)} bytes are no square face")


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap | bytes]:
    with open(path, "rb") as stream:
        if not path.stat().st_size:  # it cannot be mapped
            yield b""
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data
