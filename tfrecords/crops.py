"""A clip's face crops: JPEG members of one uncompressed ZIP (or of a folder), read and written by name.

Members are named ``00012.jpg`` for frame 12, or ``00012-0.jpg``, ``00012-1.jpg`` … where the frame has several
detections (the thesis's names, §3.2.2). One file a clip keeps cluster file systems and backups quick.
"""

from __future__ import annotations

import contextlib
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from tfrecords.errors import InputError
from tfrecords.temporaries import temporary_beside
from tfrecords.workspace import atomic_path


def member_name(frame: int, face: int, faces: int) -> str:
    """The name of the crop of detection `face` (from 0) of `faces` in `frame` (from 1)."""
    return f"{frame:05d}.jpg" if faces == 1 else f"{frame:05d}-{face}.jpg"


@contextlib.contextmanager
def write_crops(path: Path, loose: bool = False) -> Iterator[Callable[[str, bytes], None]]:
    """Yields ``write(member, jpeg_bytes)`` into the ZIP `path`, or with `loose` into the folder without ``.zip``.

    Nothing is there before the block has ended well. The same crops give the same bytes: members carry no date.
    """
    folder = path.with_suffix("")
    if loose:
        temporary = temporary_beside(folder)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            yield lambda member, data: _write_member(temporary / member, data)
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        path.unlink(missing_ok=True)
        return
    with atomic_path(path) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            yield lambda member, data: archive.writestr(zipfile.ZipInfo(member), data)
    shutil.rmtree(folder, ignore_errors=True)


def _write_member(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@contextlib.contextmanager
def read_crops(path: Path) -> Iterator[Callable[[str], np.ndarray]]:
    """Yields ``read(member) -> uint8 RGB (height, width, 3)`` from the ZIP `path` or the folder in its place.

    Raises:
      InputError: neither is there, or a member is missing or no picture.
    """
    with contextlib.ExitStack() as stack:
        folder = path.with_suffix("")
        if path.exists():
            try:
                archive = stack.enter_context(zipfile.ZipFile(path))
            except zipfile.BadZipFile:
                what = "the clip's crops are damaged"
                raise InputError(path, what, "delete the file and run python -m data_pipeline.detect again") from None
            load: Callable[[str], bytes] = archive.read
        elif folder.is_dir():
            load = lambda member: (folder / member).read_bytes()  # noqa: E731
        else:
            raise InputError(path, "the clip's crops are missing", "run python -m data_pipeline.detect again")

        def read(member: str) -> np.ndarray:
            try:
                picture = cv2.imdecode(np.frombuffer(load(member), np.uint8), cv2.IMREAD_COLOR)
            except (KeyError, OSError, zipfile.BadZipFile, cv2.error):
                picture = None
            if picture is None:
                what = f"the crop {member} is missing or damaged"
                raise InputError(path, what, "delete the file and run python -m data_pipeline.detect again")
            return picture[:, :, ::-1]

        yield read


# Of faces in records. As `schema.decode_pictures` decodes them, they are nearer to the original than with 95 decoded in
# TensorFlow's own way, a fifth smaller and quicker to decode (docs/records.md).
RECORD_JPEG_QUALITY = 92


def encode_jpeg(picture: np.ndarray, quality: int) -> bytes:
    """An uint8 RGB picture (height, width, 3) as JPEG."""
    # OpenCV copies a reversed view pixel by pixel; its own conversion is twice as quick as the encoder.
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"OpenCV could not encode a picture of shape {picture.shape}")
    return data.tobytes()
