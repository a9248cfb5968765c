"""AFEW-VA: stills of film clips, and a JSON of values from -10 to 10 and 68 landmarks for each clip."""

from __future__ import annotations

import collections
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline.annotations import DIMENSIONS, scale_values
from data_pipeline.importers.database import Database, FoundClip, GivenFace, ImportedClip, ImportOptions, Person
from data_pipeline.importers.frames import trace_of_numbers
from data_pipeline.importers.pictures import cut_face, read_picture
from tfrecords.errors import InputError
from tfrecords.workspace import read_json


def _find(folder: Path, options: ImportOptions) -> Iterator[FoundClip]:
    for path in sorted(folder.rglob("*.json")):
        if path.stem == path.parent.name:
            yield FoundClip(path.stem, functools.partial(_load, path, options))


def _load(path: Path, options: ImportOptions) -> ImportedClip:
    counts: collections.Counter[str] = collections.Counter()
    told: Any = read_json(path)
    try:
        # Image 00000 is frame 1.
        names = {_number(name) + 1: name for name in told["frames"]}
        frames = {number: (names[number], told["frames"][names[number]]) for number in sorted(names)}
        values = {name: [float(frame[name]) for _, frame in frames.values()] for name in DIMENSIONS}
        marks = {
            number: np.array(frame["landmarks"], np.float32).reshape(-1, 2) for number, (_, frame) in frames.items()
        }
        actor = str(told.get("actor") or path.stem)
    except (AttributeError, KeyError, TypeError, ValueError):
        what = "this is no annotation of AFEW-VA (frames with valence, arousal and landmarks)"
        raise InputError(path, what, "copy the file again") from None
    if not frames:
        raise InputError(path, "the clip has no frames", "copy the file again")
    traces = {name: trace_of_numbers(list(frames), scale_values(values[name], -10, 10), counts) for name in DIMENSIONS}
    images = {number: path.parent / f"{name}.png" for number, (name, _) in frames.items()}
    told_of = {image.name for image in images.values()}
    counts["images without a label"] += sum(image.name not in told_of for image in path.parent.glob("*.png"))
    person = Person(actor, {"afew_va": traces}, _faces(images, marks, options, counts))
    return ImportedClip(path.parent, (person,), "AFEW-VA", options.crop_margin, counts)


def _number(name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", name):
        raise ValueError(f"{name!r} is no image's number")
    return int(name)


def _faces(
    images: dict[int, Path], marks: dict[int, np.ndarray], options: ImportOptions, counts: collections.Counter[str]
) -> Iterator[GivenFace]:
    """The box of a face is the one that holds its landmarks."""
    for frame, image in images.items():
        if not image.exists() or not len(marks[frame]):
            counts["labels without an image or landmarks"] += 1
            continue
        picture, _ = read_picture(image)
        face = cut_face(frame, picture, marks[frame], marks[frame], options.crop_margin, options.jpeg_quality)
        if face is None:
            counts["landmarks outside the picture"] += 1
            continue
        yield face


DATABASE = Database(
    title="AFEW-VA",
    layout="001/001.json beside 001/00000.png …",
    licence="for academic research, from its authors (iBUG, Imperial College London), by an agreement; not public",
    citation=(
        "J. Kossaifi, G. Tzimiropoulos, S. Todorovic, M. Pantic: AFEW-VA database for valence and arousal estimation "
        "in-the-wild. Image and Vision Computing 65, 2017"
    ),
    find=_find,
)
