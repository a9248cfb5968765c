"""Record files -> windows of consecutive records, one clip a window, and their order in training.

A window is a row int64: file, first record, records. Every record is in a window, in every epoch of training and once
in evaluation (more often where the stride is below the length). A window whose frames' numbers span ``gap_factor *
length`` or more, which the original drops, is split at its largest gap until its pieces span less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tfrecords.index import RecordFile
from tfrecords.loader_options import GAP_FACTOR, LoaderOptions
from tfrecords.original_order import original_batches


def cut_windows(
    files: Sequence[RecordFile],
    length: int,
    starts: Sequence[int] | None = None,
    gap_factor: float = GAP_FACTOR,
    stride: int = 0,
) -> np.ndarray:
    """Cuts every file into windows of at most `length` records, int64 (W, 3), in order.

    Args:
      starts: the record of each file at which a whole window begins, below the stride (0); what lies before it is in
        one that began before the file, and so is shorter, as is the last.
      stride: records from one window's start to the next, at most `length`; 0 for `length`.
    """
    stride = stride or length
    rows = []
    for number, file in enumerate(files):
        count, start = len(file.frames), starts[number] if starts else 0
        if not count:
            continue
        # The last window is the first that reaches the end.
        after = start + max(0, -(-(count - start - length) // stride)) * stride
        begins = np.arange(start - stride if start else 0, after + 1, stride)
        firsts, ends = np.maximum(begins, 0), np.minimum(begins + length, count)
        firsts, ends = firsts[ends > firsts], ends[ends > firsts]
        spans = file.frames[ends - 1] - file.frames[firsts]
        for first, end, span in zip(firsts.tolist(), ends.tolist(), spans.tolist(), strict=True):
            if span < gap_factor * length:
                rows.append((number, first, end - first))
            else:
                rows.extend((number, *piece) for piece in _split(file.frames, first, end, gap_factor * length))
    return np.array(rows, np.int64).reshape(-1, 3)


def _split(frames: np.ndarray, first: int, end: int, limit: float) -> list[tuple[int, int]]:
    """First record and records of the pieces of ``first … end`` that each span less than `limit` frames."""
    pieces = []
    waiting = [(first, end)]
    while waiting:
        first, end = waiting.pop()
        if end - first == 1 or frames[end - 1] - frames[first] < limit:
            pieces.append((first, end - first))
        else:
            cut = first + 1 + int(np.argmax(np.diff(frames[first:end])))
            waiting += [(cut, end), (first, cut)]
    return pieces


def training_windows(
    files: Sequence[RecordFile],
    length: int,
    seed: int,
    epoch: int,
    chosen: LoaderOptions = LoaderOptions(),  # noqa: B008 it is frozen
    frame_weights: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """One epoch's windows int64 (W, 3), shuffled over all clips; each file is cut from another record on in each epoch.

    With `frame_weights`, float (N,) a file (`balance.frame_weights`), as many windows are drawn with repetition, each
    as often as its frames weigh. The order is a function of `seed` and `epoch` alone, so that a resumed run computes it
    again.
    """
    generator = np.random.default_rng([seed, epoch])
    stride = chosen.stride or length
    # A file that one window holds is not cut.
    starts = [int(generator.integers(stride)) if len(file.frames) > length else 0 for file in files]
    rows = cut_windows(files, length, starts, chosen.gap_factor, stride)
    if frame_weights is not None:
        rows = rows[_draw(_window_weights(rows, frame_weights), generator)]
    return generator.permutation(rows)


def _window_weights(rows: np.ndarray, frame_weights: Sequence[np.ndarray]) -> np.ndarray:
    sums = [np.concatenate([[0.0], np.cumsum(weights)]) for weights in frame_weights]
    return np.array([sums[file][first + count] - sums[file][first] for file, first, count in rows.tolist()])


def _draw(weights: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """As many indices as there are weights, each as often as its share of their sum says, to less than one."""
    shares = np.cumsum(weights) / np.sum(weights)
    places = (np.arange(len(weights)) + generator.random()) / len(weights)
    return np.minimum(np.searchsorted(shares, places, side="right"), len(weights) - 1)


def training_batches(
    files: Sequence[RecordFile],
    length: int,
    batch: int,
    seed: int,
    first_step: int = 0,
    chosen: LoaderOptions = LoaderOptions(),  # noqa: B008 it is frozen
    frame_weights: Sequence[np.ndarray] | None = None,
) -> Iterator[np.ndarray]:
    """Endless batches of windows, int64 (batch, 3), from batch `first_step` on; epochs follow without a break.

    Raises:
      InputError: no sequence of the mode ``original`` keeps the gap rule.
    """
    if chosen.loader == "original":
        yield from original_batches(files, length, batch, seed, first_step, chosen.gap_factor)
    skip = first_step * batch
    epoch = 0
    pending = np.empty((0, 3), np.int64)
    while True:
        rows = training_windows(files, length, seed, epoch, chosen, frame_weights)
        epoch += 1
        if skip >= len(rows):
            skip -= len(rows)
            continue
        pending = np.concatenate([pending, rows[skip:]])
        skip = 0
        while len(pending) >= batch:
            yield pending[:batch]
            pending = pending[batch:]
