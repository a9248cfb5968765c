"""CARMA's files (one rating) and DARMA's (valence and arousal), on their header's scale from -1000 to 1000.

The multimedia file is called after the entry, which of one of two people is not the clip's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data_pipeline.annotations import DIMENSIONS, LIMIT, Trace
from data_pipeline.exporters.grid import regular
from tfrecords.workspace import write_text

_LABELS = {"valence": ("very negative", "very positive"), "arousal": ("very passive", "very active")}


def write_carma(
    entry: str, video: Path, traces: Mapping[str, Mapping[str, Trace]], folder: Path, rate: float
) -> list[Path]:
    """``ANNOTATOR/ENTRY_DIMENSION.csv``; what is invalid, or further than a second from a sample, is NaN."""
    written = []
    for annotator, of_it in traces.items():
        for dimension, trace in of_it.items():
            low, high = _LABELS.get(dimension, ("least", "most"))
            header = [
                ("Time of Rating", ""),
                ("Multimedia File", f"{entry}.mp4"),
                ("Lower Label", low),
                ("Upper Label", high),
                ("Minimum Value", str(-LIMIT)),
                ("Maximum Value", str(LIMIT)),
                ("Number of Steps", str(2 * LIMIT + 1)),
                ("Second", "Rating"),
            ]
            path = folder / annotator / f"{entry}_{dimension}.csv"
            written.append(_write(path, header, *regular([trace], rate)[:2]))
    return written


def write_darma(
    entry: str, video: Path, traces: Mapping[str, Mapping[str, Trace]], folder: Path, rate: float
) -> list[Path]:
    """``ANNOTATOR/ENTRY.csv`` of annotators who gave both valence and arousal."""
    written = []
    for annotator, of_it in traces.items():
        if all(dimension in of_it for dimension in DIMENSIONS):
            header = [
                ("Time of Rating", "", ""),
                ("Multimedia File", f"{entry}.mp4", ""),
                ("Magnitude", str(LIMIT), ""),
                ("Second", "Valence", "Arousal"),
            ]
            of_both = regular([of_it[dimension] for dimension in DIMENSIONS], rate)[:2]
            written.append(_write(folder / annotator / f"{entry}.csv", header, *of_both))
    return written


def _write(path: Path, header: Sequence[tuple[str, ...]], seconds: np.ndarray, values: np.ndarray) -> Path:
    rows: list[Sequence[str]] = [*header, ("%%%%%%",) * len(header[0])]
    for second, row in zip(seconds.tolist(), values.tolist(), strict=True):
        rows.append((f"{second:.6f}", *("NaN" if np.isnan(value) else f"{value:.0f}" for value in row)))
    write_text(path, "".join(",".join(row) + "\n" for row in rows))
    return path
