"""The list that the released AffWildNet reads: a CSV without header, ``image.jpg,valence,arousal``, in order."""

from __future__ import annotations

import collections
import functools
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from data_pipeline.annotations import DIMENSIONS, scale_values
from data_pipeline.importers.database import Database, FoundClip, GivenFace, ImportedClip, ImportOptions, Person
from data_pipeline.importers.frames import trace_of_numbers
from data_pipeline.importers.pictures import whole_face
from data_pipeline.importers.tables import read_rows
from tfrecords.errors import InputError

Row = tuple[int, str, float, float]  # line, image, valence, arousal


def _find(folder: Path, options: ImportOptions) -> Iterator[FoundClip]:
    for table in sorted(folder.rglob("*.csv")):
        # Rows that follow one another from one folder are a clip: the list's only sign of where a video ends.
        for parent, rows in itertools.groupby(_read_rows(table), key=lambda row: Path(row[1]).parent):
            name = "-".join(part for part in (table.stem, *parent.parts) if part not in ("..", "/", "."))
            yield FoundClip(name, functools.partial(_load, table, list(rows), options))


def _read_rows(table: Path) -> list[Row]:
    rows = []
    for number, words in enumerate(read_rows(table), start=1):
        try:
            image, valence, arousal = words
            rows.append((number, image, float(valence), float(arousal)))
        except ValueError:
            what = f"{','.join(words)[:60]!r} is not 'image.jpg,valence,arousal'"
            raise InputError(table, what, "mend the line, or take other CSV files out of the folder", number) from None
    return rows


def _load(table: Path, rows: list[Row], options: ImportOptions) -> ImportedClip:
    counts: collections.Counter[str] = collections.Counter()
    frames = list(range(1, len(rows) + 1))
    traces = {
        name: trace_of_numbers(frames, scale_values(values, -1, 1), counts)
        for name, values in zip(DIMENSIONS, ([row[2] for row in rows], [row[3] for row in rows]), strict=True)
    }
    source = (table.parent / rows[0][1]).parent
    # Whose faces they are is not told: each run is taken for another person.
    faces = _faces(table, rows, options, counts)
    return ImportedClip(source, (Person("", {"affwildnet_csv": traces}, faces),), table.name, counts=counts)


def _faces(
    table: Path, rows: list[Row], options: ImportOptions, counts: collections.Counter[str]
) -> Iterator[GivenFace]:
    for frame, (_, image, _, _) in enumerate(rows, start=1):
        path = table.parent / image
        # A name that no file can have is only a missing file to os.path.
        if os.path.isfile(path):
            yield whole_face(frame, path, options.jpeg_quality)
        else:
            counts["labels without an image"] += 1


DATABASE = Database(
    title="list of the released AffWildNet",
    layout="CSV files without header, image.jpg,valence,arousal a line, images by path from their CSV",
    licence="that of the database whose images are listed",
    citation="that of the database whose images are listed",
    find=_find,
)
