"""Names of frames in few words, for messages."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def frame_ranges(names: np.ndarray, weights: np.ndarray) -> str:
    """A batch's frames, a sequence after the other: ``clip/00003-00012, clip/00020; other/00001-00010``.

    Args:
      names: bytes ``ENTRY/00012`` (B, T), in the order of frames.
      weights: (B, T), 0 for padding, which is left out.
    """
    rows = zip(names, weights, strict=True)
    return "; ".join(", ".join(_runs(name.decode() for name in row[kept > 0])) for row, kept in rows)


def _runs(names: Iterable[str]) -> list[str]:
    runs: list[tuple[str, int, int]] = []
    for name in names:
        entry, _, number = name.rpartition("/")
        if runs and runs[-1][0] == entry and runs[-1][2] == int(number) - 1:
            runs[-1] = (entry, runs[-1][1], int(number))
        else:
            runs.append((entry, int(number), int(number)))
    return [f"{entry}/{first:05d}" + (f"-{last:05d}" if last > first else "") for entry, first, last in runs]
