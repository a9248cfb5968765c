"""Aff-Wild2, as given out for the ABAW challenges: ``cropped_aligned`` images and VA files of one line a frame."""

from __future__ import annotations

import collections
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_pipeline.annotations import DIMENSIONS, NO_VALUE, scale_values
from data_pipeline.importers.database import Database, FoundClip, ImportedClip, ImportOptions, Person
from data_pipeline.importers.frames import trace_of_numbers
from data_pipeline.importers.pictures import whole_face
from data_pipeline.importers.tables import read_rows
from tfrecords.errors import InputError

PARTS = ("Train_Set", "Validation_Set")
SIDES = ("_left", "_right")


def _find(folder: Path, options: ImportOptions) -> Iterator[FoundClip]:
    # Never searched in depth: there are millions of images.
    images = next((path for path in _below(folder, "cropped_aligned")), None)
    if images is None:
        raise InputError(folder, "the folder cropped_aligned is missing", "unpack the cropped and aligned images there")
    for part in PARTS:
        folders = _below(folder, part)
        # The other challenges' annotations lie beside it in folders of the same names.
        folders = [path for path in folders if path.parent.name.startswith("VA")] or folders
        files = {path.stem: path for found in folders for path in sorted(found.glob("*.txt"))}
        for name, people in _videos(sorted(files)).items():
            chosen = [files[person] for person in people]
            yield FoundClip(name, functools.partial(_load, images, chosen, part, options))


def _below(folder: Path, name: str) -> list[Path]:
    """The folders called `name`, at most two folders down."""
    patterns = (name, f"*/{name}", f"*/*/{name}")
    return [path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_dir()]


def _videos(names: list[str]) -> dict[str, list[str]]:
    """Video -> its people's files, the one further left first: a second person's end in _left or _right."""
    people: dict[str, list[str]] = collections.defaultdict(list)
    for name in names:
        side = next((side for side in SIDES if name.endswith(side)), "")
        people[name.removesuffix(side)].append(name)
    order = {"_left": 0, "": 1, "_right": 2}
    found = {}
    for video, of_it in people.items():
        of_it.sort(key=lambda name: order[name.removeprefix(video)])
        # An entry has one or two people: of three each is a clip of their own, as is a lone one with a side.
        found.update({video: of_it} if len(of_it) == 2 else {name: [name] for name in of_it})
    return found


def _load(images: Path, files: list[Path], part: str, options: ImportOptions) -> ImportedClip:
    counts: collections.Counter[str] = collections.Counter()
    people = tuple(_person(images / path.stem, path, options, counts) for path in files)
    source = images / files[0].stem
    return ImportedClip(source, people, f"Aff-Wild2 {part}", counts=counts)


def _person(images: Path, path: Path, options: ImportOptions, counts: collections.Counter[str]) -> Person:
    columns = np.array(_read_values(path)).T
    values = [scale_values(column, -1, 1) for column in columns]
    # -5 in either means that the frame has no label.
    unlabelled = np.any([column == NO_VALUE for column in values], axis=0)
    frames = list(range(1, columns.shape[1] + 1))
    # Counted once, not once a dimension.
    valence = trace_of_numbers(frames, np.where(unlabelled, NO_VALUE, values[0]), counts)
    arousal = trace_of_numbers(frames, np.where(unlabelled, NO_VALUE, values[1]), collections.Counter())
    there = {int(image.stem): image for image in images.glob("*.jpg") if image.stem.isdecimal()}
    if not there:
        raise InputError(images, f"there are no images for {path.name}", "unpack the cropped and aligned images there")
    counts["images past the last label"] += sum(frame > len(frames) for frame in there)
    counts["labels without an image"] += sum(frame not in there for frame in frames)
    faces = (whole_face(frame, there[frame], options.jpeg_quality) for frame in sorted(set(there) & set(frames)))
    return Person(path.stem, {"aff_wild2": dict(zip(DIMENSIONS, (valence, arousal), strict=True))}, faces)


def _read_values(path: Path) -> list[tuple[float, float]]:
    values = []
    rows = read_rows(path)
    header = [word.lower() for word in rows[0]] if rows else []
    if header != list(DIMENSIONS):
        raise InputError(path, "its first line is not 'valence,arousal'", "use the VA challenge's annotations", 1)
    for number, row in enumerate(rows[1:], start=2):
        try:
            valence, arousal = map(float, row)
        except ValueError:
            what = f"{','.join(row)[:40]!r} is not 'valence,arousal'"
            raise InputError(path, what, "copy the file again", number) from None
        values.append((valence, arousal))
    if not values:
        raise InputError(path, "the file has no values", "copy the file again")
    return values


DATABASE = Database(
    title="Aff-Wild2 (ABAW challenges, valence-arousal)",
    layout="cropped_aligned/NAME/00001.jpg and VA_Estimation_Challenge/{Train_Set,Validation_Set}/NAME.txt",
    licence="for academic research, from its authors (D. Kollias, S. Zafeiriou), by an agreement; not public",
    citation=(
        "D. Kollias, S. Zafeiriou: Expression, Affect, Action Unit Recognition: Aff-Wild2, Multi-Task Learning and "
        "ArcFace. BMVC, 2019"
    ),
    find=_find,
)
