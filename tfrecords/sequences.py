"""Record files -> windows of consecutive records, one clip a window, and their order in training."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from tfrecords.errors import InputError
from tfrecords.index import RecordFile

# The original drops a sequence whose frames span this many times its length or more (SPEC, Loader).
GAP_FACTOR = 15.0


@dataclasses.dataclass(frozen=True)
class Windows:
    """Windows over record files, int64 (W, 3): file, first record, records (shorter than the length at a tail)."""

    rows: np.ndarray
    dropped: int  # windows that broke the gap rule


def cut_windows(
    files: Sequence[RecordFile], length: int, starts: Sequence[int] | None = None, gap_factor: float = GAP_FACTOR
) -> Windows:
    """Cuts every file into windows of `length` records from record ``starts[file]`` (0) on, the tail shorter.

    A window is dropped if its last frame's number minus its first's is `gap_factor` times `length` or more.
    """
    rows: list[tuple[int, int, int]] = []
    dropped = 0
    for number, file in enumerate(files):
        for first in range(starts[number] if starts else 0, len(file.frames), length):
            count = min(length, len(file.frames) - first)
            if file.frames[first + count - 1] - file.frames[first] < gap_factor * length:
                rows.append((number, first, count))
            else:
                dropped += 1
    return Windows(np.array(rows, np.int64).reshape(-1, 3), dropped)


def training_windows(
    files: Sequence[RecordFile], length: int, seed: int, epoch: int, gap_factor: float = GAP_FACTOR
) -> Windows:
    """One epoch's windows, shuffled; every file is cut from another random record on in every epoch.

    Only whole windows are used, but for a file shorter than one; each file has as many in every epoch. The order is a
    function of `seed` and `epoch` alone, so that a resumed run computes it again.
    """
    generator = np.random.default_rng([seed, epoch])
    starts = [int(generator.integers(max(1, len(file.frames) % length + 1))) for file in files]
    starts = [start if len(file.frames) >= length else 0 for start, file in zip(starts, files, strict=True)]
    windows = cut_windows(files, length, starts, gap_factor)
    short = np.array([len(file.frames) < length for file in files])
    whole = windows.rows[(windows.rows[:, 2] == length) | short[windows.rows[:, 0]]]
    return Windows(generator.permutation(whole), windows.dropped)


def training_batches(
    files: Sequence[RecordFile],
    length: int,
    batch: int,
    seed: int,
    first_step: int = 0,
    gap_factor: float = GAP_FACTOR,
) -> Iterator[np.ndarray]:
    """Endless batches of windows, int64 (batch, 3), from batch `first_step` on; epochs follow without a break.

    Raises:
      InputError: no window is left to train on.
    """
    skip = first_step * batch
    epoch = 0
    pending = np.empty((0, 3), np.int64)
    while True:
        rows = training_windows(files, length, seed, epoch, gap_factor).rows
        epoch += 1
        if not len(rows):
            what = f"no window of {length} records keeps the gap rule (gap factor {gap_factor:g})"
            raise InputError("--gap_factor", what, "raise it, or shorten --sequence_length")
        if skip >= len(rows):
            skip -= len(rows)
            continue
        pending = np.concatenate([pending, rows[skip:]])
        skip = 0
        while len(pending) >= batch:
            yield pending[:batch]
            pending = pending[batch:]
