"""Aff-Wild2, as given out for the ABAW challenges: ``cropped_aligned`` images, and files of one line a frame.

Each challenge has its own set of the same videos: ``VA_Estimation_Challenge``, ``AU_Detection_Challenge``,
``EXPR_Classification_Challenge`` (`aff_wild2_labels`), with a file a person in ``Train_Set`` or ``Validation_Set``.
What several have of a person becomes one entry. The sets are not divided alike: who is in any set's ``Validation_Set``
is for validation.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from data_pipeline.annotations import NO_VALUE, Trace
from data_pipeline.importers.aff_wild2_labels import READERS
from data_pipeline.importers.database import Database, FoundClip, ImportedClip, ImportOptions, Person
from data_pipeline.importers.frames import trace_of_numbers
from data_pipeline.importers.pictures import whole_face
from tfrecords.errors import InputError

PARTS = {"Train_Set": "train", "Validation_Set": "validation"}
SIDES = ("_left", "_right")
# Of one person: challenge -> part and file.
Sets = dict[str, tuple[str, Path]]


def _find(folder: Path, options: ImportOptions) -> Iterator[FoundClip]:
    # Never searched in depth: there are millions of images.
    images = next((path for path in _below(folder, "cropped_aligned")), None)
    if images is None:
        raise InputError(folder, "the folder cropped_aligned is missing", "unpack the cropped and aligned images there")
    people = _people(folder)
    for part in PARTS:
        own = sorted(name for name, sets in people.items() if max(each for each, _ in sets.values()) == part)
        for name, together in _videos(own).items():
            chosen = {person: people[person] for person in together}
            yield FoundClip(name, functools.partial(_load, images, chosen, part, options))


def _people(folder: Path) -> dict[str, Sets]:
    """Name of a person's files -> them."""
    found: dict[str, Sets] = collections.defaultdict(dict)
    places = [(part, path) for part in PARTS for path in _below(folder, part)]
    known = [(part, path, _challenge(path)) for part, path in places]
    # One set alone may lie there without the challenge's folder.
    if not any(challenge for _, _, challenge in known):
        known = [(part, path, "VA") for part, path in places]
    for part, path, challenge in known:
        for file in sorted(path.glob("*.txt")) if challenge else ():
            found[file.stem][challenge] = (part, file)
    return found


def _challenge(folder: Path) -> str:
    return next((name for name in READERS if folder.parent.name.upper().startswith(name)), "")


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


def _load(images: Path, people: Mapping[str, Sets], part: str, options: ImportOptions) -> ImportedClip:
    counts: collections.Counter[str] = collections.Counter()
    found = tuple(_person(images / name, sets, options, counts) for name, sets in people.items())
    notes = f"Aff-Wild2 {part}"
    told = sorted({f"{challenge} {own}" for sets in people.values() for challenge, (own, _) in sets.items()})
    if told != [f"VA {part}"]:
        notes = f"Aff-Wild2 {', '.join(told)}"
    return ImportedClip(images / next(iter(people)), found, notes, counts=counts, partition=PARTS[part])


def _person(images: Path, sets: Sets, options: ImportOptions, counts: collections.Counter[str]) -> Person:
    columns: dict[str, np.ndarray] = {}
    for challenge, (_, path) in sets.items():
        columns |= READERS[challenge](path, counts)
    # The sets may have more or fewer of a video's last frames.
    count = max(map(len, columns.values()))
    frames = list(range(1, count + 1))
    traces: dict[str, Trace] = {}
    for name, values in columns.items():
        whole = np.pad(values, (0, count - len(values)), constant_values=NO_VALUE)
        traces[name] = trace_of_numbers(frames, whole, collections.Counter())
    there = {int(image.stem): image for image in images.glob("*.jpg") if image.stem.isdecimal()}
    if not there:
        name = next(iter(sets.values()))[1].name
        raise InputError(images, f"there are no images for {name}", "unpack the cropped and aligned images there")
    counts["images past the last label"] += sum(frame > len(frames) for frame in there)
    counts["labels without an image"] += sum(frame not in there for frame in frames)
    faces = (whole_face(frame, there[frame], options.jpeg_quality) for frame in sorted(set(there) & set(frames)))
    return Person(images.name, {"aff_wild2": traces}, faces)


DATABASE = Database(
    title="Aff-Wild2 (ABAW challenges)",
    layout="cropped_aligned/NAME/00001.jpg and VA_Estimation_Challenge, AU_Detection_Challenge or "
    "EXPR_Classification_Challenge, each with {Train_Set,Validation_Set}/NAME.txt",
    licence="for academic research, from its authors (D. Kollias, S. Zafeiriou), by an agreement; not public",
    citation=(
        "D. Kollias, S. Zafeiriou: Expression, Affect, Action Unit Recognition: Aff-Wild2, Multi-Task Learning and "
        "ArcFace. BMVC, 2019"
    ),
    find=_find,
)
