"""The joystick's files, ``annotations/ANNOTATOR/ENTRY/DIMENSION.txt``: a line ``seconds value`` a sample.

Valence and arousal are needed; any further dimension (``liking.txt``) goes along to the records.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, write_text

DIMENSIONS = ("valence", "arousal")
LIMIT = 1000
INVALID = "invalid"  # in place of a value: nobody can say at this moment, see WORKSPACE.md
NO_VALUE = int(np.iinfo(np.int64).min)  # and how it stands in a trace

# Earlier passes, ``valence.1.txt`` and so on, are no dimensions.
_DIMENSION_FILE = re.compile(r"[a-z][a-z0-9_]*\.txt")


@dataclasses.dataclass(frozen=True)
class Trace:
    """One dimension's annotation: stamps float64 (N,) in seconds, ascending; values int64 (N,) in [-1000, 1000].

    A value is `NO_VALUE` where the sample is marked invalid.
    """

    stamps: np.ndarray
    values: np.ndarray

    @property
    def valid(self) -> np.ndarray:
        """Bool (N,): the samples that say something."""
        return self.values != NO_VALUE


def read_trace(path: Path) -> Trace:
    """Reads one annotation file.

    Raises:
      InputError: naming the line, where one is not ``seconds value``, a value is neither a whole number in
        [-1000, 1000] nor the word ``invalid``, or a stamp is negative or lies before its predecessor; or the file is
        empty or no text.
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
    marked = len(words) == 2 and words[1] == INVALID
    try:
        seconds, value = (float(word) for word in (words[:1] + ["0"] if marked else words))
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
    return seconds, NO_VALUE if marked else int(value)


def write_trace(path: Path, trace: Trace) -> None:
    """Writes one annotation file, stamps to the microsecond."""
    lines = (
        f"{stamp:.6f} {INVALID if value == NO_VALUE else value}\n"
        for stamp, value in zip(trace.stamps.tolist(), trace.values.tolist(), strict=True)
    )
    write_text(path, "".join(lines))


def scale_values(values: Iterable[float], low: float, high: float) -> np.ndarray:
    """Values on a scale from `low` to `high` -> int64 in [-1000, 1000], rounded; off the scale or NaN: `NO_VALUE`."""
    given = np.asarray(list(values), np.float64)
    with np.errstate(invalid="ignore"):
        # A rounding error of the file's decimals is no value off the scale.
        inside = (given >= low - 1e-6 * (high - low)) & (given <= high + 1e-6 * (high - low))
    scaled = (2 * (np.where(inside, given, low) - low) / (high - low) - 1) * LIMIT
    # Through 9 decimals first: 0.0305 on [-1, 1] is 30.5 to a person, not 30.499999…
    whole = np.rint(np.clip(np.round(scaled, 9), -LIMIT, LIMIT)).astype(np.int64)
    return np.where(inside, whole, NO_VALUE)


def find_annotators(workspace: Workspace, entry: str) -> list[str]:
    """The annotators, sorted, who have left a folder for `entry`; one of unfinished passes only is left out."""
    folders = (folder for folder in workspace.annotations.glob(f"*/{entry}") if folder.is_dir())
    return sorted(folder.parent.name for folder in folders if not _is_begun_only(folder))


def _is_begun_only(folder: Path) -> bool:
    """Whether the folder holds the annotation tool's passes and nothing else yet."""
    return [path.name for path in folder.iterdir()] == ["passes"]


def annotation_files(workspace: Workspace, entry: str) -> list[Path]:
    """Every annotation file that counts for `entry` (earlier passes, ``valence.1.txt`` …, do not)."""
    found = workspace.annotations.glob(f"*/{entry}/*.txt")
    return sorted(path for path in found if _DIMENSION_FILE.fullmatch(path.name))


def find_dimensions(workspace: Workspace, entry: str) -> tuple[str, ...]:
    """Valence and arousal, and after them the further dimensions that anyone annotated for `entry`, sorted."""
    found = {path.stem for path in annotation_files(workspace, entry)}
    return DIMENSIONS + tuple(sorted(found - set(DIMENSIONS)))
