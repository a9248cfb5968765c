"""The labels file of an entry, ``labels/ENTRY.txt``: a line ``frame valence arousal`` a labelled frame.

Where the dimensions are others the first line names the columns: ``# frame valence arousal liking``. A value that is
missing is `MISSING`; every line has one value at least, and valence and arousal both or neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tfrecords.errors import InputError
from tfrecords.workspace import write_text

ORIGINAL_LABELS = ("valence", "arousal")
MISSING = "nan"
_HEADER = "# frame "


def write_labels(path: Path, frames: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
    """Writes frame numbers (N,) and a column of whole numbers (N,) a dimension, valence and arousal first.

    A value that is NaN is missing.
    """
    header = "" if tuple(columns) == ORIGINAL_LABELS else f"{_HEADER}{' '.join(columns)}\n"
    lines = zip(frames.tolist(), *map(_words, columns.values()), strict=True)
    write_text(path, header + "".join(" ".join(map(str, line)) + "\n" for line in lines))


def _words(column: np.ndarray) -> list[str]:
    return [MISSING if value != value else str(int(value)) for value in column.tolist()]


def read_label_names(path: Path) -> list[str]:
    """The columns after the frame's number."""
    with open(path, encoding="utf-8") as stream:
        first = stream.readline()
    return first.split()[2:] if first.startswith(_HEADER) else list(ORIGINAL_LABELS)


def read_labels(path: Path) -> dict[int, dict[str, int]]:
    """Reads ``labels/ENTRY.txt``: frame -> {"valence": …, "arousal": …}, whole numbers in [-1000, 1000].

    What a frame lacks is no key of its dict.

    Raises:
      InputError: naming the line that is not ``frame valence arousal`` or what its header names, has no value, or one
        of valence and arousal alone.
    """
    names = list(ORIGINAL_LABELS)
    labels = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if number == 1 and line.startswith(_HEADER):
            names = line.split()[2:]
            continue
        try:
            # int(float(…)) truncates towards zero, as the original's conversion does.
            frame, *words = line.split()
            values = zip(names, words, strict=True)
            found = {name: int(float(word)) for name, word in values if word != MISSING}
            if not found or len(found.keys() & set(ORIGINAL_LABELS)) == 1:
                raise ValueError("a value is missing")
            labels[int(float(frame))] = found
        except (ValueError, OverflowError):
            what = f"{line[:40]!r} is not 'frame {' '.join(names)}'"
            raise InputError(path, what, "run python -m data_pipeline.match again", number) from None
    return labels
