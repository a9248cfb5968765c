"""Tables of time and ratings, whoever wrote them."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfrecords.errors import InputError


def read_rows(path: Path) -> list[list[str]]:
    """The rows of a CSV, words stripped; raises `InputError` where it is none."""
    try:
        rows = csv.reader(path.read_text(encoding="utf-8-sig", errors="replace").splitlines())
        return [[word.strip() for word in row] for row in rows]
    except csv.Error as error:
        raise InputError(path, f"this is no CSV ({error})", "take it out of the folder") from None


def read_samples(
    path: Path, rows: Sequence[Sequence[str]], first_line: int, time: int, values: Sequence[int], unit: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Stamps float64 (N,) in seconds and values float64 (N, K), NaN for 'NaN' or nothing, of the rows of a table.

    Args:
      path: of the file, for errors.
      rows: its rows of numbers; empty ones are passed over.
      first_line: the line of the first of them.
      time: number of the time's column.
      values: numbers of the columns of values.
      unit: seconds in one unit of time.

    Raises:
      InputError: naming the line, where a word is no number, or a time is negative or before its predecessor's.
    """
    stamps: list[float] = []
    found: list[list[float]] = []
    for line, row in enumerate(rows, start=first_line):
        if not any(row):
            continue
        try:
            stamp = float(row[time]) * unit
            found.append([float(row[column] or "nan") for column in values])
        except (ValueError, IndexError):
            what = f"{','.join(row)[:60]!r} is not a time and {len(values)} values"
            raise InputError(path, what, "mend or delete the line", line) from None
        if not math.isfinite(stamp) or stamp < (stamps[-1] if stamps else 0):
            what = f"the time {row[time]} is negative or lies before the one above it"
            raise InputError(path, what, "sort the lines by time", line)
        stamps.append(stamp)
    if not stamps:
        raise InputError(path, "the file has no values", "take it out of the folder")
    return np.array(stamps, np.float64), np.array(found, np.float64)
