"""The thesis's sequences in its order (SPEC, Loader): files in one stream, cut every `length` records.

A row int64 is ``file, first record, length``: so many records of the stream from there on, over the ends of files and
from the last to the first. Only the first and the last record decide whether a sequence is kept, as in the original; so
one that wraps round a single file, whose gap is negative, passes, and so does one that leaves a file and comes back.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from tfrecords.errors import InputError
from tfrecords.index import RecordFile

# The original's shuffle buffer, in sequences: this times the batch times the length.
BUFFER_FACTOR = 10
_AT_ONCE = 4096


def original_files(files: Sequence[RecordFile]) -> list[RecordFile]:
    """`files` in the order of the original's stream, that of their names."""
    return sorted(files, key=lambda file: file.path.name)


def original_pass(files: Sequence[RecordFile], length: int, gap_factor: float) -> np.ndarray:
    """The sequences kept of one pass over `files`, int64 (S, 3): what the original evaluates."""
    count = sum(len(file.frames) for file in files) // length
    return _kept(files, length, gap_factor, np.arange(count))


def original_sequences(files: Sequence[RecordFile], length: int, gap_factor: float) -> Iterator[np.ndarray]:
    """The sequences that the original keeps in training, rows int64 (3,), endless, as they come to its shuffle buffer.

    Raises:
      InputError: none is kept.
    """
    records = sum(len(file.frames) for file in files)
    # After so many sequences a pass over the stream is cut as the first was.
    period = records // math.gcd(records, length) if records else 0
    kept = 0
    for begin in itertools.count(step=_AT_ONCE):
        rows = _kept(files, length, gap_factor, np.arange(begin, begin + _AT_ONCE)) if period else ()
        kept += len(rows)
        if not kept and begin + _AT_ONCE >= period:
            what = f"no sequence of {length} records keeps the original's gap rule (gap factor {gap_factor:g})"
            raise InputError("--gap_factor", what, "raise it, or shorten --sequence_length")
        yield from rows


def original_batches(
    files: Sequence[RecordFile], length: int, batch: int, seed: int, first_step: int, gap_factor: float
) -> Iterator[np.ndarray]:
    """Endless batches int64 (batch, 3) from batch `first_step` on, shuffled as by tf.data with the original's buffer.

    What is shuffled are rows, so the buffer of 10 · batch · length sequences holds 24 bytes for each, not its faces.
    The order is a function of `seed`; to begin later, it is drawn from the start again.
    """
    stream = original_sequences(files, length, gap_factor)
    buffer = list(itertools.islice(stream, BUFFER_FACTOR * batch * length))
    generator = np.random.default_rng([seed, 0])
    drawn: list[np.ndarray] = []
    steps = 0
    while True:
        for place in generator.integers(len(buffer), size=_AT_ONCE).tolist():
            drawn.append(buffer[place])
            buffer[place] = next(stream)
            if len(drawn) == batch:
                if steps >= first_step:
                    yield np.stack(drawn)
                steps += 1
                drawn = []


def _kept(files: Sequence[RecordFile], length: int, gap_factor: float, sequences: np.ndarray) -> np.ndarray:
    """The rows of those of `sequences` (numbers in the endless stream) that keep the rule."""
    ends = np.cumsum([len(file.frames) for file in files])
    first = sequences * length % ends[-1]
    last = (first + length - 1) % ends[-1]
    first_file, last_file = (np.searchsorted(ends, place, side="right") for place in (first, last))
    entries = np.unique([file.entry for file in files], return_inverse=True)[1]
    frames = np.concatenate([file.frames for file in files])
    kept = (entries[first_file] == entries[last_file]) & (frames[last] - frames[first] < gap_factor * length)
    begins = ends - [len(file.frames) for file in files]
    rows = np.stack([first_file, first - begins[first_file], np.full_like(first, length)], axis=-1)
    return rows[kept].astype(np.int64)
