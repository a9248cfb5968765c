"""BP4D-Spontaneous: eight tasks of each of 41 people, of which frames are coded for the occurrence of action units.

What is relied on (X. Zhang et al. 2014, the FERA 2015 baselines and programs that read it):

- ``AUCoding/AU_OCC/F001_T1.csv`` …, whose first line has the units' numbers after a first cell, and every further line
  an image's number and 0 or 1 a unit, or 9 where the unit could not be coded;
- the images of the task in ``F001/T1/``, whose names end with that number (``0001.jpg``, in some copies ``001.jpg``).

A clip is a task, its subject the person. Images that were not coded are left out.
"""

from __future__ import annotations

import collections
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from data_pipeline.importers.action_units import images_with_labels, traces_of_images, unit_name
from data_pipeline.importers.database import Database, FoundClip, ImportedClip, ImportOptions, Person
from data_pipeline.importers.folders import folders_below, numbered_images
from data_pipeline.importers.pictures import faces_of_images
from data_pipeline.importers.tables import read_rows
from tfrecords.errors import InputError

_DEPTH = 4
_CODES = re.compile(r"([FM][0-9]{3})_(T[0-9]{1,2})\.csv", re.IGNORECASE)
_UNIT = re.compile(r"(?:AU)?0*([1-9][0-9]?)", re.IGNORECASE)


def _find(folder: Path, options: ImportOptions) -> Iterator[FoundClip]:
    tables: dict[tuple[str, str], Path] = {}
    for found in folders_below(folder, _DEPTH):
        for path in sorted(found.glob("*_T*.csv")):
            match = _CODES.fullmatch(path.name)
            if match:
                tables.setdefault((match[1].upper(), match[2].upper()), path)
    images = {
        (path.parent.name.upper(), path.name.upper()): path
        for path in folders_below(Path(options.videos or folder), _DEPTH)
    }
    for key, path in sorted(tables.items()):
        yield FoundClip(path.stem, functools.partial(_load, key, path, images.get(key), options))


def _load(key: tuple[str, str], path: Path, folder: Path | None, options: ImportOptions) -> ImportedClip:
    subject, task = key
    if folder is None:
        what = f"there is no folder {subject}/{task} of its images"
        raise InputError(path, what, "put it beside, or name where it lies with --videos")
    counts: collections.Counter[str] = collections.Counter()
    codes = read_codes(path)
    images = numbered_images(folder)
    # Frames count from 1; an image and its line have one number.
    shift = int(0 in images)
    codes = {unit: {number + shift: value for number, value in own.items()} for unit, own in codes.items()}
    there = images_with_labels(images, codes, shift, counts)
    if not there:
        raise InputError(folder, f"it has no image of the lines of {path.name}", "unpack the task's images there")
    traces = traces_of_images(list(there), codes, 1, counts)
    person = Person(subject, {"bp4d": traces}, faces_of_images(there, options, counts))
    margin = options.crop_margin if options.images == "frames" else 0.0
    return ImportedClip(folder, (person,), f"BP4D {task}", margin, counts)


def read_codes(path: Path) -> dict[str, dict[int, float]]:
    """Unit -> number of an image -> its code, of one task's CSV; raises `InputError` naming a bad line."""
    rows = read_rows(path)
    header = [_UNIT.fullmatch(word) for word in rows[0][1:]] if rows else []
    if not header or not all(header):
        raise InputError(path, "its first line does not name action units", "copy the file again", 1)
    units = [unit_name(int(match[1])) for match in header if match]
    codes: dict[str, dict[int, float]] = {unit: {} for unit in units}
    for line, row in enumerate(rows[1:], start=2):
        if not any(row):
            continue
        try:
            number, *values = (float(word) for word in row)
            pairs = list(zip(units, values, strict=True))
            whole = int(number) if number == int(number) else -1
        except (ValueError, OverflowError):
            whole, pairs = -1, []
        if not 0 <= whole < 10**7:
            what = f"{','.join(row)[:40]!r} is not an image's number and {len(units)} codes"
            raise InputError(path, what, "copy the file again", line)
        for unit, value in pairs:
            codes[unit][whole] = value
    if not next(iter(codes.values())):
        raise InputError(path, "the file codes no image", "copy the file again")
    return codes


DATABASE = Database(
    title="BP4D-Spontaneous (occurrence of action units)",
    layout="AUCoding/AU_OCC/F001_T1.csv … and the images F001/T1/0001.jpg …",
    licence="for non-commercial research, from its authors (L. Yin, Binghamton University; J. F. Cohn, University of "
    "Pittsburgh), by an agreement and a fee; not public",
    citation=(
        "X. Zhang, L. Yin, J. F. Cohn, S. Canavan, M. Reale, A. Horowitz, P. Liu, J. M. Girard: BP4D-Spontaneous: a "
        "high-resolution spontaneous 3D dynamic facial expression database. Image and Vision Computing 32(10), 2014"
    ),
    find=_find,
)
