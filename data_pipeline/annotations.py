"""The joystick's files, ``annotations/ANNOTATOR/ENTRY/{valence,arousal}.txt``: a line ``seconds value`` a sample."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np

from tfrecords.errors import InputError
from tfrecords.workspace import Workspace

DIMENSIONS = ("valence", "arousal")
LIMIT = 1000


@dataclasses.dataclass(frozen=True)
class Trace:
    """One dimension's annotation: stamps float64 (N,) in seconds, ascending; values int64 (N,) in [-1000, 1000]."""

    stamps: np.ndarray
    values: np.ndarray


def read_trace(path: Path) -> Trace:
    """Reads one annotation file.

    Raises:
      InputError: naming the line, where one is not ``seconds value``, a value is no whole number in [-1000, 1000], or a
        stamp is negative or lies before its predecessor; or the file is empty or no text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(path, "this is not a text file", "export the annotation as plain text") from None
    stamps: list[float] = []
    values: list[int] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        seconds, value = _read_line(path, number, line)
        if stamps and seconds < stamps[-1]:
            what = f"the stamp {seconds:g} s lies before the stamp {stamps[-1]:g} s of the sample before it"
            raise InputError(path, what, "sort the lines by time or annotate the clip again", number)
        stamps.append(seconds)
        values.append(value)
    if not stamps:
        raise InputError(path, "the annotation is empty", "annotate the clip, or delete the file")
    return Trace(np.array(stamps, np.float64), np.array(values, np.int64))


def _read_line(path: Path, number: int, line: str) -> tuple[float, int]:
    words = line.split()
    try:
        seconds, value = (float(word) for word in words)
    except ValueError:
        shown = line.strip()[:40]
        what = f"{shown!r} is not 'seconds value'"
        raise InputError(path, what, "mend or delete the line", number) from None
    if not math.isfinite(seconds) or seconds < 0:
        raise InputError(path, f"the stamp {words[0]} is no time in seconds", "mend or delete the line", number)
    if not math.isfinite(value) or abs(value) > LIMIT:
        what = f"the value {words[1]} is out of range"
        raise InputError(path, what, "use whole numbers from -1000 to 1000", number)
    if value != int(value):
        what = f"the value {words[1]} is no whole number"
        raise InputError(path, what, "use whole numbers from -1000 to 1000", number)
    return seconds, int(value)


def find_annotators(workspace: Workspace, entry: str) -> list[str]:
    """The annotators, sorted, who have left a folder for `entry`."""
    return sorted(folder.parent.name for folder in workspace.annotations.glob(f"*/{entry}") if folder.is_dir())


def annotation_files(workspace: Workspace, entry: str) -> list[Path]:
    """Every annotation file that counts for `entry` (earlier passes, ``valence.1.txt`` …, do not)."""
    found = (workspace.annotations.glob(f"*/{entry}/{dimension}.txt") for dimension in DIMENSIONS)
    return sorted(path for paths in found for path in paths)
