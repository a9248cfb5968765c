"""The rows of a prediction: one a frame and person, kept on disk while a video is predicted, and resampled."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from affwildnet.video_prediction import FramePrediction
from tfrecords.errors import InputError
from tfrecords.temporaries import temporary_beside

RATE_METHODS = ("mean", "nearest")
_PIECE = 4096


@dataclasses.dataclass(frozen=True)
class Row:
    """One person in one frame, or with `track` 0 a frame without a face, whose box and values are NaN.

    `frame` and `source_frame` count from 0; `box` is x, y, width, height in pixels; `values` one an output.
    """

    frame: int
    seconds: float
    source_frame: int
    source_seconds: float
    track: int
    box: tuple[float, ...]
    score: float
    values: tuple[float, ...]


@dataclasses.dataclass
class Seen:
    """Of one person: in how many frames, and from when to when (seconds)."""

    frames: int
    first: float
    last: float


class RowStore:
    """Rows in a temporary file: written as predictions come, then read in order as often as needed.

    `frames` counts frames, `with_face` those with a face; `seen` says who was there. Memory does not grow with rows.
    """

    def __init__(self, stream: IO[bytes], outputs: int) -> None:
        self._stream = stream
        self._kind = np.dtype(
            [("frame", "i4"), ("seconds", "f8"), ("source_frame", "i4"), ("source_seconds", "f8"), ("track", "i4")]
            + [("box", "f4", 4), ("score", "f4"), ("values", "f4", outputs)]
        )
        self._numbers: Mapping[int, int] = {}
        self.frames = 0
        self.last_number = -1
        self.with_face = 0
        self.seen: dict[int, Seen] = {}

    def add(self, prediction: FramePrediction) -> None:
        """Appends a frame's rows."""
        timed, people = prediction.timed, prediction.people
        rows = np.zeros(max(1, len(people)), self._kind)
        rows["frame"], rows["seconds"] = timed.number, timed.seconds
        rows["source_frame"], rows["source_seconds"] = timed.source_number, timed.source_seconds
        rows["box"], rows["score"], rows["values"] = np.nan, np.nan, np.nan
        for row, person in zip(rows, people, strict=False):
            face = person.face
            row["track"], row["score"], row["values"] = person.number, face.score, person.values
            row["box"] = face.x, face.y, face.width, face.height
            seen = self.seen.setdefault(person.number, Seen(0, timed.seconds, timed.seconds))
            seen.frames, seen.last = seen.frames + 1, timed.seconds
        self._stream.write(rows.tobytes())
        self.frames += 1
        self.last_number = timed.number
        self.with_face += bool(people)

    def number_people(self, joined: Mapping[int, int], reserved: int = 0) -> None:
        """Numbers tracks anew, in the order in which people came, after `joined` (number -> the same person's first).

        Numbers up to `reserved` belong to entries and stay as they are.
        """
        groups: dict[int, Seen] = {}
        for number, seen in self.seen.items():
            one = groups.setdefault(joined.get(number, number), Seen(0, seen.first, seen.last))
            one.frames += seen.frames
            one.first, one.last = min(one.first, seen.first), max(one.last, seen.last)
        new = {number: number for number in groups if number <= reserved}
        others = sorted((number for number in groups if number > reserved), key=lambda n: (groups[n].first, n))
        new |= {number: place for place, number in enumerate(others, start=reserved + 1)}
        self._numbers = {number: new[joined.get(number, number)] for number in self.seen}
        self.seen = {new[number]: groups[number] for number in sorted(groups, key=new.__getitem__)}

    def rows(self) -> Iterator[Row]:
        """All rows in the order of frames and tracks."""
        self._stream.flush()
        with open(self._stream.name, "rb") as stream:
            held: list[Row] = []
            while len(piece := np.frombuffer(stream.read(_PIECE * self._kind.itemsize), self._kind)):
                for record in piece:
                    row = self._row(record)
                    if held and held[0].frame != row.frame:
                        yield from sorted(held, key=lambda one: one.track)
                        held = []
                    held.append(row)
            yield from sorted(held, key=lambda one: one.track)

    def _row(self, record: np.void) -> Row:
        told: Any = record.item()
        frame, seconds, source_frame, source_seconds, track, box, score, values = told
        track = self._numbers.get(track, track)
        return Row(frame, seconds, source_frame, source_seconds, track, tuple(box), score, tuple(np.atleast_1d(values)))


@contextlib.contextmanager
def open_store(path: Path, outputs: int) -> Iterator[RowStore]:
    """Yields an empty `RowStore` whose temporary file beside `path` goes with the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not in the system's temporary folder, which may be small and in memory.
    temporary = temporary_beside(path)
    try:
        with open(temporary, "wb") as stream:
            yield RowStore(stream, outputs)
    finally:
        temporary.unlink(missing_ok=True)


def in_range(values: Sequence[float]) -> bool:
    """Whether all outputs lie in [-1, 1], which they are meant for and not clipped to."""
    return all(-1 <= value <= 1 for value in values)


def resample(rows: Iterable[Row], frame_rate: float, rate: float, method: str) -> Iterator[Row]:
    """`rows` at `rate` Hz: row n stands for n / rate s after the first frame.

    ``mean``: of each person's frames from that moment up to the next one's, values, boxes and scores averaged; frame
    and source are the first of them. ``nearest``: the rows of the frame nearest to the moment. A moment without a face
    has one empty row.

    Raises:
      InputError: a mean is asked for at more than the frames' rate, which leaves moments without any frame.
    """
    if method == "mean" and rate > frame_rate:
        what = f"{rate:g} Hz is more than the {frame_rate:g} frames a second that there are to average"
        raise InputError("--rate", what, "add --rate_method=nearest")
    return _RESAMPLERS[method](_by_frame(rows), frame_rate, rate)


def _by_frame(rows: Iterable[Row]) -> Iterator[list[Row]]:
    held: list[Row] = []
    for row in rows:
        if held and held[0].frame != row.frame:
            yield held
            held = []
        held.append(row)
    if held:
        yield held


def _means(frames: Iterator[list[Row]], frame_rate: float, rate: float) -> Iterator[Row]:
    bin_now = -1
    held: list[Row] = []
    start = 0.0
    for found in frames:
        # A millionth of a frame: 1 s is 30 frames, though 30 / 30 × rate may fall short of it.
        number = int((found[0].frame + 1e-6) * rate / frame_rate)
        if number != bin_now and held:
            yield from _mean_rows(held, start + bin_now / rate)
            held = []
        start = found[0].seconds - found[0].frame / frame_rate
        bin_now = number
        held += found
    if held:
        yield from _mean_rows(held, start + bin_now / rate)


def _mean_rows(held: list[Row], seconds: float) -> Iterator[Row]:
    tracks = sorted({row.track for row in held if row.track})
    for track in tracks or [0]:
        own = [row for row in held if row.track == track]
        box, values = (tuple(np.mean([getattr(r, name) for r in own], axis=0).tolist()) for name in ("box", "values"))
        score = float(np.mean([row.score for row in own]))
        yield dataclasses.replace(own[0], seconds=seconds, box=box, score=score, values=values)


def _nearest(frames: Iterator[list[Row]], frame_rate: float, rate: float) -> Iterator[Row]:
    number, before = 0, None
    for found in frames:
        start = found[0].seconds - found[0].frame / frame_rate
        while (at := number * frame_rate / rate) <= found[0].frame:
            nearer = before is not None and at - before[0].frame < found[0].frame - at
            for row in before if nearer and before is not None else found:
                yield dataclasses.replace(row, seconds=start + number / rate)
            number += 1
        before = found
    # Moments of the last frame's time, up to half a frame after it.
    while before is not None and number * frame_rate / rate < before[0].frame + 0.5:
        start = before[0].seconds - before[0].frame / frame_rate
        for row in before:
            yield dataclasses.replace(row, seconds=start + number / rate)
        number += 1


_RESAMPLERS: dict[str, Callable[[Iterator[list[Row]], float, float], Iterator[Row]]] = {
    "mean": _means,
    "nearest": _nearest,
}
