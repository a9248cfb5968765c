"""The annotation files of the ABAW challenges, a line a frame after a first line of names.

| challenge | first line | a line | a missing label |
| --- | --- | --- | --- |
| VA | ``valence,arousal`` | two numbers from -1 to 1 | -5 in either |
| AU | ``AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26`` | 0 or 1 a unit | -1 |
| EXPR | ``Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other`` | a class's number, from 0 | -1 |

After the challenges' descriptions (D. Kollias: ABAW, CVPR workshops 2022 to 2024), and programs that read them.
Expressions become a dimension a class, ``expression_neutral`` …: 1 for the class and 0 for the others.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_pipeline.annotations import DIMENSIONS, LIMIT, NO_VALUE, scale_values
from data_pipeline.importers.action_units import MISSING_LABELS, share_values, unit_name
from data_pipeline.importers.frames import OFF_SCALE
from data_pipeline.importers.tables import read_rows
from tfrecords.errors import InputError

EXPRESSIONS = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "other")
_UNIT = re.compile(r"AU([1-9][0-9]?)", re.IGNORECASE)
# File -> dimension -> values int64 (N,) of frames 1 to N; what is left out is counted.
Reader = Callable[[Path, collections.Counter[str]], dict[str, np.ndarray]]


def read_valence_arousal(path: Path, counts: collections.Counter[str]) -> dict[str, np.ndarray]:
    """Valence and arousal, both missing where one is."""
    rows = _read(path, "valence,arousal", lambda header: [word.lower() for word in header] == list(DIMENSIONS))
    values = np.stack([scale_values(column, -1, 1) for column in rows.T])
    missing = np.any(values == NO_VALUE, axis=0)
    counts[OFF_SCALE] += int(missing.sum())
    return dict(zip(DIMENSIONS, np.where(missing, NO_VALUE, values), strict=True))


def read_action_units(path: Path, counts: collections.Counter[str]) -> dict[str, np.ndarray]:
    """Whether each action unit is there, by its dimension."""
    header = _header(path)
    units = [_UNIT.fullmatch(word) for word in header]
    rows = _read(path, "AU1,AU2,…", lambda _: all(units))
    found = {unit_name(int(unit[1])): share_values(own, 1) for unit, own in zip(units, rows.T, strict=True) if unit}
    counts[MISSING_LABELS] += sum(int(np.sum(values == NO_VALUE)) for values in found.values())
    return found


def read_expressions(path: Path, counts: collections.Counter[str]) -> dict[str, np.ndarray]:
    """A dimension a class, all missing together."""
    (numbers,) = _read(path, "Neutral,Anger,…", lambda header: header[0].lower() == EXPRESSIONS[0], 1).T
    known = np.isin(numbers, np.arange(len(EXPRESSIONS)))
    counts["frames whose expression is marked as missing"] += int(np.sum(~known))
    return {
        f"expression_{name}": np.where(known, LIMIT * (numbers == number), NO_VALUE).astype(np.int64)
        for number, name in enumerate(EXPRESSIONS)
    }


READERS: dict[str, Reader] = {
    "VA": read_valence_arousal,
    "AU": read_action_units,
    "EXPR": read_expressions,
}


def _header(path: Path) -> list[str]:
    rows = read_rows(path)
    return rows[0] if rows else []


def _read(path: Path, names: str, is_header: Callable[[list[str]], bool], columns: int = 0) -> np.ndarray:
    """The numbers below the first line, float64 (N, columns; by default as many as the first line has).

    Raises:
      InputError: naming the line that is not as it should be.
    """
    rows = read_rows(path)
    if not rows or not rows[0] or not is_header(rows[0]):
        raise InputError(path, f"its first line is not {names!r}", "use the challenge's annotations", 1)
    columns = columns or len(rows[0])
    values = np.zeros((len(rows) - 1, columns))
    for number, row in enumerate(rows[1:]):
        try:
            values[number] = [float(word) for word, _ in zip(row, range(columns), strict=True)]
        except ValueError:
            what = f"{','.join(row)[:40]!r} is not {names!r}" if columns > 1 else f"{','.join(row)[:40]!r} is no class"
            raise InputError(path, what, "copy the file again", number + 2) from None
    if not len(values):
        raise InputError(path, "the file has no values", "copy the file again")
    return values
