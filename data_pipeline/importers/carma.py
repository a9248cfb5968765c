"""Annotations of CARMA (one rating) and DARMA (two ratings), by J. M. Girard: a header, then a line a second."""

from __future__ import annotations

import collections
import functools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_pipeline.annotations import DIMENSIONS, NO_VALUE, Trace, scale_values
from data_pipeline.importers.database import Database, FoundClip, ImportedClip, ImportOptions, Person
from data_pipeline.importers.frames import OFF_SCALE
from data_pipeline.importers.tables import read_rows, read_samples
from data_pipeline.importers.videos import videos_by_name
from tfrecords.errors import InputError

HEADER_ROWS = 9


def _find(with_two_ratings: bool, folder: Path, options: ImportOptions) -> Iterator[FoundClip]:
    videos = videos_by_name(Path(options.videos or folder))
    files: dict[str, list[Path]] = collections.defaultdict(list)
    for path in sorted(folder.rglob("*.csv")):
        # From Windows, too: a\b.mp4.
        named = _read_file(path)[0].get("multimedia file", "").replace("\\", "/")
        files[Path(named).stem or path.stem].append(path)
    for name, of_it in files.items():
        yield FoundClip(name, functools.partial(_load, with_two_ratings, folder, name, of_it, videos, options))


def _read_file(path: Path) -> tuple[dict[str, str], list[list[str]], int]:
    """The header as name in small letters -> value, the rows below it, and the first one's line."""
    rows = read_rows(path)
    # Of today's versions a row of %%%%%% ends the header (CARMA's ninth); otherwise it is nine rows.
    ends = (number for number, row in enumerate(rows[:20], start=1) if row and set(row[0]) == {"%"})
    end = next(ends, HEADER_ROWS)
    header = {row[0].lower(): ",".join(word for word in row[1:] if word) for row in rows[:end] if row}
    return header, rows[end:], end + 1


def _load(
    with_two_ratings: bool,
    folder: Path,
    name: str,
    files: list[Path],
    videos: dict[str, Path],
    options: ImportOptions,
) -> ImportedClip:
    counts: collections.Counter[str] = collections.Counter()
    traces: dict[str, dict[str, Trace]] = collections.defaultdict(dict)
    for path in files:
        # A folder an annotator; files that lie directly in --folder are the program's.
        relative = path.relative_to(folder).parts
        annotator = relative[0] if len(relative) > 1 else ("darma" if with_two_ratings else "carma")
        header, rows, first = _read_file(path)
        low, high = _scale(path, header)
        dimensions = _dimensions(path, header, with_two_ratings, options)
        stamps, columns = read_samples(path, rows, first, 0, range(1, 1 + len(dimensions)))
        for dimension, column in zip(dimensions, columns.T, strict=True):
            if dimension in traces[annotator]:
                what = f"{annotator} has another annotation of {dimension} for {name}"
                raise InputError(path, what, "put each annotator's files into a folder of their name")
            values = scale_values(column, low, high)
            counts[OFF_SCALE] += int(np.sum(values == NO_VALUE))
            traces[annotator][dimension] = Trace(stamps, values)
    return ImportedClip(videos.get(name), (Person(name, dict(traces)),), counts=counts)


def _scale(path: Path, header: dict[str, str]) -> tuple[float, float]:
    """The lowest and highest value that could be rated: CARMA tells both, DARMA the distance of its plane's edge."""
    try:
        if "magnitude" in header:
            high = float(header["magnitude"])
            low = -high
        else:
            low, high = float(header["minimum value"]), float(header["maximum value"])
    except (KeyError, ValueError):
        what = "the header tells no scale ('Minimum Value' and 'Maximum Value', or 'Magnitude')"
        raise InputError(path, what, "export the annotation again, or import it with --from=csv") from None
    if not (low < high and math.isfinite(high - low)):
        raise InputError(path, f"the scale from {low:g} to {high:g} is none", "mend the header")
    return low, high


def _dimensions(path: Path, header: dict[str, str], with_two_ratings: bool, options: ImportOptions) -> tuple[str, ...]:
    """What is rated: DARMA's columns by their labels, else x valence and y arousal; CARMA's by its file's name."""
    if with_two_ratings:
        labels = header.get("second", "").lower().split(",")
        turned = "arousal" in labels[0] or (len(labels) > 1 and "valence" in labels[1])
        return DIMENSIONS[::-1] if turned else DIMENSIONS
    named = [name for name in DIMENSIONS if name in str(path).lower().rpartition("/")[2]]
    if len(named) != 1 and not options.dimension:
        what = "the file's name does not tell whether valence or arousal is rated"
        raise InputError(path, what, "name it so, or give --dimension")
    return (named[0] if len(named) == 1 else options.dimension,)


CARMA = Database(
    title="annotations of CARMA",
    layout="CSV files that CARMA exported, in a folder an annotator, and the videos that they name",
    licence="as you agreed with your annotators",
    citation=(
        "J. M. Girard: CARMA: Software for Continuous Affect Rating and Media Annotation. Journal of Open Research "
        "Software, 2014"
    ),
    find=functools.partial(_find, False),
    annotations_only=True,
)
DARMA = Database(
    title="annotations of DARMA",
    layout="CSV files that DARMA exported, in a folder an annotator, and the videos that they name",
    licence="as you agreed with your annotators",
    citation=(
        "J. M. Girard, A. G. C. Wright: DARMA: Software for dual axis rating and media annotation. Behavior Research "
        "Methods, 2018"
    ),
    find=functools.partial(_find, True),
    annotations_only=True,
)
