"""The tables that `predict` leaves of a video, CSV and Parquet, and what their columns mean."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from affwildnet.heads import Head, regression_places
from affwildnet.prediction_rows import Row, RowStore, in_range, resample
from tfrecords.workspace import atomic_path

BOX = ("x", "y", "width", "height")
SYNTHETIC = "SYNTHETIC"
SYNTHETIC_NOTICE = "SYNTHETIC: this model was trained on drawn faces and knows no people"
_AFFECT_RANGE = "meant for [-1, 1], not clipped"
_SCALES = {"valence": "-1 negative to 1 positive", "arousal": "-1 passive to 1 active"}
_MEANINGS = {
    "valence": f"how negative (-1) to positive (1), {_AFFECT_RANGE}",
    "arousal": f"how passive (-1) to active (1), {_AFFECT_RANGE}",
}


@dataclasses.dataclass(frozen=True)
class PredictedVideo:
    """A video whose rows are all in `store`; `place` is its path or address, `entries` of a workspace's clip."""

    title: str
    place: str
    is_file: bool
    outputs: tuple[str, ...]
    frame_rate: float
    synthetic: bool
    entries: tuple[str, ...]
    store: RowStore
    heads: tuple[Head, ...] = ()
    rate: float = 0.0
    rate_method: str = "mean"
    tier_seconds: float = 1.0

    def sampled(self) -> Iterator[Row]:
        """The rows at the rate that was asked for."""
        rows = self.store.rows()
        return resample(rows, self.frame_rate, self.rate, self.rate_method) if self.rate else rows

    def in_range(self, row: Row) -> bool:
        """Whether a row's regressions lie in [-1, 1]; probabilities always lie in theirs."""
        return in_range([row.values[place] for place in regression_places(self.outputs, self.heads)])

    def entry(self, track: int) -> str:
        """The entry that a track is, '' for others."""
        return self.entries[track - 1] if 0 < track <= len(self.entries) else ""

    def person(self, track: int) -> str:
        """What a track is called where people read it."""
        return self.entry(track) or f"person {track}"


def columns(outputs: Sequence[str], heads: Sequence[Head] = ()) -> dict[str, dict[str, str]]:
    """Column -> its unit and meaning, in the order of the table."""
    told = {
        "frame": ("", "frame at the model's even rate, from 1"),
        "seconds": ("s", "its moment in the video, on the clock that players show"),
        "source_frame": ("", "the video's own picture that is shown then, from 1"),
        "source_seconds": ("s", "when that picture comes up, on the same clock"),
        "track": ("", "a person, from 1: one number for all their appearances; empty in a frame without a face"),
        "entry": ("", "the workspace's entry that the person is, if any"),
        **{
            side: ("pixel", f"the face's box: {side}, of the upright picture, from its upper left corner")
            for side in BOX
        },
        "score": ("0 to 1", "how sure the detector is of the face"),
        **{name: ("", _MEANINGS.get(name, "an output of the model")) for name in outputs},
        **_probabilities(heads),
        "in_range": ("", f"1: all {'regressions' if heads else 'outputs'} lie in [-1, 1]; 0: not all"),
        "model": ("", f"{SYNTHETIC} where the model knows drawn faces only"),
    }
    return {name: {"unit": unit, "meaning": meaning} for name, (unit, meaning) in told.items()}


def _probabilities(heads: Sequence[Head]) -> dict[str, tuple[str, str]]:
    """Unit and meaning of the columns that are none of a regression."""
    told = {"sigmoid": "the probability that it is there", "softmax": "the probability of this class of {}"}
    return {
        name: ("0 to 1", told[head.kind].format(head.name))
        for head in heads
        if head.kind in told
        for name in head.columns
    }


def units(outputs: Sequence[str], heads: Sequence[Head] = ()) -> str:
    """What the CSV's numbers mean, in one line without commas."""
    known = _SCALES | dict.fromkeys(_probabilities(heads), "probability 0 to 1")
    scales = [f"{name} {known.get(name, 'as the model was trained')}" for name in outputs]
    return "; ".join(["units: seconds s", "box pixels", *scales, "values are not clipped"])


def write_rows(video: PredictedVideo, path: Path) -> None:
    """The CSV: its first line names the columns (`columns`), a row a frame and person as they come.

    The last column is always empty and its name tells the units, where no reader of CSV stumbles over them.
    """
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*columns(video.outputs, video.heads), units(video.outputs, video.heads)])
        model = SYNTHETIC if video.synthetic else ""
        for row in video.sampled():
            cells: list[object] = [""] * (8 + len(video.outputs))
            if row.track:
                box = [f"{side:.1f}" for side in row.box]
                values = [f"{value:.4f}" for value in row.values]
                cells = [
                    row.track,
                    video.entry(row.track),
                    *box,
                    f"{row.score:.3f}",
                    *values,
                    int(video.in_range(row)),
                ]
            times = [row.frame + 1, f"{row.seconds:.4f}", row.source_frame + 1, f"{row.source_seconds:.4f}"]
            writer.writerow([*times, *cells, model, ""])


def write_parquet(video: PredictedVideo, path: Path) -> None:
    """The same rows as Parquet, numbers unrounded, empty cells null; units and meanings are the fields' metadata."""
    kinds: dict[str, Any] = {name: pa.float32() for name in (*BOX, "score", *video.outputs)}
    kinds |= {"seconds": pa.float64(), "source_seconds": pa.float64(), "entry": pa.string(), "model": pa.string()}
    kinds |= {"frame": pa.int32(), "source_frame": pa.int32(), "track": pa.int32(), "in_range": pa.bool_()}
    told = columns(video.outputs, video.heads)
    schema = pa.schema([pa.field(name, kinds[name], metadata=facts) for name, facts in told.items()])
    rows = video.sampled()
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        while piece := [_record(video, row) for row in itertools.islice(rows, 16_384)]:
            writer.write_table(pa.Table.from_pylist(piece, schema=schema))


def _record(video: PredictedVideo, row: Row) -> dict[str, Any]:
    record: dict[str, Any] = {
        "frame": row.frame + 1,
        "seconds": row.seconds,
        "source_frame": row.source_frame + 1,
        "source_seconds": row.source_seconds,
        "model": SYNTHETIC if video.synthetic else "",
    }
    if row.track:
        record |= {"track": row.track, "entry": video.entry(row.track) or None, "in_range": video.in_range(row)}
        numbers = zip((*BOX, "score", *video.outputs), (*row.box, row.score, *row.values), strict=True)
        record |= {name: None if math.isnan(value) else value for name, value in numbers}
    return record
