"""CelebA: stills of celebrities with 40 attributes, aligned and cropped to 178×218.

What is relied on, as in the authors' README and torchvision's reader (``torchvision.datasets.CelebA``):

- ``list_attr_celeba.txt``: a line with the number of images, a line with the 40 names, then ``000001.jpg`` and 40
  numbers a line, 1 for there and -1 for not;
- ``list_eval_partition.txt``: ``000001.jpg 0`` a line; 0 is training, 1 validation, 2 test, and nobody is in two;
- ``identity_CelebA.txt``: ``000001.jpg 2880`` a line, a number a person;
- ``img_align_celeba/000001.jpg`` …, not one face missed.

202,599 stills are too many for an entry each, so a clip is a bundle of about `BUNDLE` images of one part: images one
after another, or where the identities are known, whole people one after another, so that nobody is in two bundles. The
k-th image of a bundle (from 0) is its frame ``1 + SPACING * k``, so far from the others that no sequence of up to
``SPACING / 15`` frames holds two (`tfrecords.sequences`): train with ``--sequence_length=1``. A bundle is its own
subject.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from data_pipeline.annotations import NO_VALUE
from data_pipeline.importers.action_units import MISSING_LABELS, share_values
from data_pipeline.importers.database import Database, FoundClip, GivenFace, ImportedClip, ImportOptions, Person
from data_pipeline.importers.folders import find_file, folders_below
from data_pipeline.importers.frames import trace_of_numbers
from data_pipeline.importers.pictures import whole_face
from tfrecords.errors import InputError

BUNDLE = 1000  # images
SPACING = 10_000  # frames
ATTRIBUTES = "list_attr_celeba.txt"
PARTS = {"0": "train", "1": "validation", "2": "test", "": ""}


@dataclasses.dataclass(frozen=True)
class Bundle:
    """Images that become one clip: their rows in the list of attributes, and what the manifest tells of them."""

    name: str
    part: str
    rows: tuple[int, ...]
    notes: str


def _find(folder: Path, options: ImportOptions) -> Iterator[FoundClip]:
    path = find_file(folder, ATTRIBUTES)
    if path is None:
        return
    images = next((found for found in folders_below(folder, 2) if found.name == "img_align_celeba"), None)
    if images is None:
        raise InputError(folder, "the folder img_align_celeba is missing", "unpack the aligned images there")
    images = images / images.name if (images / images.name).is_dir() else images
    attributes, names, values = read_attributes(path)
    parts, people = (
        _read_pairs(find_file(folder, name)) for name in ("list_eval_partition.txt", "identity_CelebA.txt")
    )
    for bundle in make_bundles(names, parts, people):
        load = functools.partial(_load, images, bundle, attributes, names, values, options)
        yield FoundClip(bundle.name, load)


def read_attributes(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    """The attributes as dimensions (``smiling``, ``five_o_clock_shadow``), the images' names and int8 values (N, 40).

    Raises:
      InputError: naming the line that is none of such a list.
    """
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    attributes = [word.lower().replace("5_o", "five_o") for word in lines[1].split()] if len(lines) > 1 else []
    if not attributes or not lines[0].strip().isdecimal():
        what = "it does not begin with the number of images and a line of attributes"
        raise InputError(path, what, "copy the file again", 1)
    names, values = [], np.zeros((len(lines) - 2, len(attributes)), np.int8)
    for number, line in enumerate(lines[2:]):
        words = line.split()
        try:
            values[number] = [int(word) for word, _ in zip(words[1:], attributes, strict=True)]
            names.append(words[0])
        except (ValueError, IndexError, OverflowError):
            what = f"{line[:40]!r} is not an image and {len(attributes)} attributes"
            raise InputError(path, what, "copy the file again", number + 3) from None
    if not names:
        raise InputError(path, "it lists no image", "copy the file again")
    return attributes, names, values


def _read_pairs(path: Path | None) -> dict[str, str]:
    """Image -> word, of a file of two words a line; {} where it is not there."""
    if path is None:
        return {}
    pairs = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        words = line.split()
        if len(words) != 2 or not words[1].isdecimal():
            what = f"{line[:40]!r} is not an image and a number"
            raise InputError(path, what, "copy the file again", number)
        pairs[words[0]] = words[1]
    return pairs


def make_bundles(names: Sequence[str], parts: dict[str, str], people: dict[str, str]) -> list[Bundle]:
    """The bundles of each part, in the order of training, validation and test.

    Args:
      names: the images.
      parts: image -> "0", "1", "2", as far as they are known.
      people: image -> the person's number, as far as they are known.
    """
    bundles: list[Bundle] = []
    for code, part in PARTS.items():
        own = [row for row, name in enumerate(names) if parts.get(name, "") == code]
        if people:
            # Whoever is not known comes last.
            own.sort(key=lambda row: (int(people.get(names[row], 10**9)), row))
        begin = 0
        while begin < len(own):
            end = min(begin + BUNDLE, len(own))
            while 0 < end < len(own) and people.get(names[own[end]], "") == people.get(names[own[end - 1]]):
                end += 1
            rows, count = tuple(own[begin:end]), sum(bundle.part == part for bundle in bundles)
            first, last = ((people if people else {}).get(names[row], names[row]) for row in (rows[0], rows[-1]))
            told = f"people {first} to {last}" if people else f"{first} to {last}"
            notes = f"CelebA {part}".strip() + f", stills, {told}"
            bundles.append(Bundle(f"celeba-{part or 'all'}-{count + 1:04d}", part, rows, notes))
            begin = end
    return bundles


def _load(
    images: Path,
    bundle: Bundle,
    attributes: Sequence[str],
    names: Sequence[str],
    values: np.ndarray,
    options: ImportOptions,
) -> ImportedClip:
    counts: collections.Counter[str] = collections.Counter()
    frames = [1 + SPACING * place for place in range(len(bundle.rows))]
    files = {frame: images / names[row] for frame, row in zip(frames, bundle.rows, strict=True)}
    there = {frame: path for frame, path in files.items() if path.is_file()}
    counts["labels without an image"] += len(files) - len(there)
    traces = {}
    for column, attribute in enumerate(attributes):
        own = values[list(bundle.rows), column]
        # -1 is 0, 1 is 1, and anything else no label.
        shares = share_values(np.where(np.abs(own) == 1, (own + 1) / 2, np.nan), 1)
        counts[MISSING_LABELS] += int(np.sum(shares == NO_VALUE))
        traces[attribute] = trace_of_numbers(frames, shares, collections.Counter())
    person = Person(bundle.name, {"celeba": traces}, _faces(there, options))
    return ImportedClip(images, (person,), bundle.notes, counts=counts, partition=bundle.part, stills=True)


def _faces(files: dict[int, Path], options: ImportOptions) -> Iterator[GivenFace]:
    for frame, path in files.items():
        yield whole_face(frame, path, options.jpeg_quality)


DATABASE = Database(
    title="CelebA (aligned and cropped)",
    layout="img_align_celeba/000001.jpg … and list_attr_celeba.txt, with list_eval_partition.txt and "
    "identity_CelebA.txt where they are there",
    licence="for non-commercial research only, from its authors (MMLAB, The Chinese University of Hong Kong), whose "
    "terms forbid to pass images on",
    citation="Z. Liu, P. Luo, X. Wang, X. Tang: Deep Learning Face Attributes in the Wild. ICCV, 2015",
    find=_find,
)
