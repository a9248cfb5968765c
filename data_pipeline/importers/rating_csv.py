"""Any table of time and values, as the raters of SEMAINE (FEELTRACE), RECOLA and SEWA left them, told by flags."""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_pipeline.annotations import DIMENSIONS, NO_VALUE, Trace, scale_values
from data_pipeline.importers.database import Database, FoundClip, ImportedClip, ImportOptions, Person
from data_pipeline.importers.frames import OFF_SCALE
from data_pipeline.importers.tables import read_samples
from data_pipeline.importers.videos import videos_by_name
from tfrecords.errors import InputError

SUFFIXES = {".csv", ".txt", ".tsv", ".dat"}
RATER = "csv"  # where neither the file's name nor a column names one


@dataclasses.dataclass(frozen=True)
class RatingFile:
    """A file and what its name tells of it, '' for what it does not."""

    path: Path
    annotator: str
    dimension: str
    subject: str


def _find(folder: Path, options: ImportOptions) -> Iterator[FoundClip]:
    pattern = _pattern(options)
    if not (options.low < options.high and math.isfinite(options.high - options.low)):
        raise InputError("--low and --high", f"{options.low:g} to {options.high:g} is no scale", "give --low < --high")
    videos = videos_by_name(Path(options.videos or folder))
    files: dict[str, list[RatingFile]] = collections.defaultdict(list)
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()):
        found = pattern.search(path.relative_to(folder).as_posix())
        if found:
            told = {name: value or "" for name, value in found.groupdict().items()}
            of_it = RatingFile(path, *(told.get(name, "") for name in ("annotator", "dimension", "subject")))
            files[told["clip"]].append(of_it)
    for name, of_clip in files.items():
        yield FoundClip(name, functools.partial(_load, name, of_clip, videos, options))


def _pattern(options: ImportOptions) -> re.Pattern[str]:
    try:
        pattern = re.compile(options.file_regex)
    except re.error as error:
        what = f"{options.file_regex!r} is no regular expression ({error})"
        raise InputError("--file_regex", what, r"write for example '(?P<annotator>\w+)/(?P<clip>\w+)\.csv'") from None
    if "clip" not in pattern.groupindex:
        remedy = r"put the part that names the clip in a group, (?P<clip>\w+)"
        raise InputError("--file_regex", f"{options.file_regex!r} has no group called clip", remedy)
    if options.columns.count("time") != 1 or len(options.columns) < 2:
        what = f"{','.join(options.columns)!r} does not name one column 'time' and one of values"
        raise InputError("--columns", what, "write for example time,valence,arousal")
    return pattern


def _load(name: str, files: list[RatingFile], videos: dict[str, Path], options: ImportOptions) -> ImportedClip:
    counts: collections.Counter[str] = collections.Counter()
    traces: dict[str, dict[str, Trace]] = collections.defaultdict(dict)
    columns = [number for number, meaning in enumerate(options.columns) if meaning not in ("time", "-")]
    for each in files:
        rows, first = _split(each.path, options.columns.index("time"))
        stamps, values = read_samples(
            each.path, rows, first, options.columns.index("time"), columns, options.seconds_per_unit
        )
        for column, given in zip(columns, values.T, strict=True):
            annotator, dimension = _meaning(options.columns[column], each, options)
            if dimension in traces[annotator]:
                what = f"{annotator} has another annotation of {dimension} for {name}"
                raise InputError(each.path, what, "tell annotators or dimensions apart with --file_regex or --columns")
            scaled = scale_values(given, options.low, options.high)
            counts[OFF_SCALE] += int(np.sum(scaled == NO_VALUE))
            traces[annotator][dimension] = Trace(stamps, scaled)
    subject = next((each.subject for each in files if each.subject), name)
    return ImportedClip(videos.get(name), (Person(subject, dict(traces)),), counts=counts)


def _split(path: Path, time: int) -> tuple[list[list[str]], int]:
    """The rows below a header (whose time is no number) and the first one's line; split at ';', ',', tab or space."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    mark = next((mark for mark in ";,\t" if any(mark in line for line in lines)), None)
    rows = [[word.strip().strip('"') for word in line.split(mark)] for line in lines]
    headers = sum(1 for _ in _until_number(rows, time))
    return rows[headers:], headers + 1


def _until_number(rows: list[list[str]], time: int) -> Iterator[list[str]]:
    for row in rows:
        with_time = row[time] if len(row) > time else ""
        try:
            float(with_time)
            return
        except ValueError:
            yield row


def _meaning(column: str, file: RatingFile, options: ImportOptions) -> tuple[str, str]:
    """Annotator and dimension of a column."""
    annotator = column[1:] if column.startswith("@") else file.annotator or RATER
    named = column if column != "value" and not column.startswith("@") else file.dimension or options.dimension
    dimension = named.lower()
    if not dimension:
        what = "neither the file's name nor --columns nor --dimension tells what is rated"
        raise InputError(file.path, what, "give --dimension, or a group called dimension in --file_regex")
    # V and A, as FEELTRACE's files are called.
    return annotator, next((name for name in DIMENSIONS if dimension in (name, name[0])), dimension)


DATABASE = Database(
    title="tables of time and ratings",
    layout="CSV or text files that --file_regex and --columns describe, and the videos that they are named after",
    licence="that of the database that they come from",
    citation="the database that they come from",
    find=_find,
    annotations_only=True,
)
