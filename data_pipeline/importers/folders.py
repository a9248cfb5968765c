"""Finding folders, files and numbered images of a database without searching among millions of images."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tfrecords.errors import InputError

_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp"})


def folders_below(folder: Path, depth: int) -> Iterator[Path]:
    """`folder` and the folders in it, at most `depth` down, sorted."""
    yield folder
    if depth:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
        for name in names:
            yield from folders_below(folder / name, depth - 1)


def find_file(folder: Path, name: str, depth: int = 2) -> Path | None:
    """The first file called `name`, at most `depth` folders down."""
    return next((found / name for found in folders_below(folder, depth) if (found / name).is_file()), None)


def numbered_images(folder: Path) -> dict[int, Path]:
    """Number -> image, of those whose name ends with one, ascending.

    Raises:
      InputError: two have one number.
    """
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        number = re.search(r"([0-9]{1,9})$", path.stem)
        if number is None or path.suffix.lower() not in _IMAGES:
            continue
        if int(number[1]) in found:
            what = f"{found[int(number[1])].name} and {path.name} have one number"
            raise InputError(folder, what, "leave one kind of image there")
        found[int(number[1])] = path
    return dict(sorted(found.items()))
