"""What an importer finds in the files of a database: clips, the people in them, their annotations and faces."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from data_pipeline.annotations import Trace
from tfrecords.options import option


@dataclasses.dataclass(frozen=True)
class ImportOptions:
    """Where the database lies, and what its files leave open."""

    folder: str = option("", "folder that holds the database's files")
    videos: str = option("", "folder of the videos, where they lie elsewhere")
    use_boxes: bool = option(False, "aff_wild: take its boxes and landmarks as detections, in place of a detector")
    images: str = option(
        "frames",
        "bp4d, disfa: what images show: 'frames' in which the face is looked for (by BlazeFace), or 'faces', cut out "
        "already",
        choices=("frames", "faces"),
    )
    crop_margin: float = option(
        0.0,
        "aff_wild with --use_boxes, afew_va, bp4d and disfa with --images=frames: part of the box's sides added all "
        "round a crop",
        at_least=0,
    )
    jpeg_quality: int = option(95, "JPEG quality of crops that are cut here, 1 to 100", at_least=1, at_most=100)
    dimension: str = option(
        "", "carma, csv, elan, original_text: what is rated, where neither the file's name nor a column tells"
    )
    columns: tuple[str, ...] = option(
        ("time", "valence", "arousal"),
        "csv: what the columns are, in order: 'time'; a dimension's name; 'value' for the dimension that the file's "
        "name tells; '@NAME' for that of annotator NAME; '-' for a column to leave out",
    )
    file_regex: str = option(
        r"(?P<clip>[^/]+)\.(csv|txt)$",
        "csv: regular expression searched in a file's path below the folder; its groups named clip, annotator, "
        "dimension and subject tell these",
    )
    low: float = option(-1.0, "csv, elan: the lowest value of the scale")
    high: float = option(1.0, "csv, elan: the highest value of the scale")
    seconds_per_unit: float = option(
        1.0, "csv: length of the time column's unit, 0.001 for milliseconds", at_least=1e-9
    )


@dataclasses.dataclass(frozen=True)
class GivenFace:
    """A face that came with the database: frame (from 1, 30 a second), the crop's JPEG, box (x, y, width, height)."""

    frame: int
    jpeg: bytes
    box: tuple[float, float, float, float]
    landmarks: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 2), np.float32))  # (K, 2), pixels


@dataclasses.dataclass(frozen=True)
class Person:
    """One person of a clip; `faces` in the order of frames, read once, or None where the pipeline shall find them."""

    subject: str
    traces: dict[str, dict[str, Trace]]  # annotator -> dimension -> annotation
    faces: Iterable[GivenFace] | None = None


@dataclasses.dataclass(frozen=True)
class ImportedClip:
    """One clip with one or two people, the one further left first.

    `source` is its video or folder of images, or None where annotations came without; `crop_margin` is what was added
    to the boxes of given faces; `counts` tells what was left out, reason -> number of frames. `partition` is the
    database's own part for it, of `partition.PARTITIONS`, or ''. `stills` says that its faces do not follow each other.
    """

    source: Path | None
    people: tuple[Person, ...]
    notes: str = ""
    crop_margin: float = 0.0
    counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    partition: str = ""
    stills: bool = False


@dataclasses.dataclass(frozen=True)
class FoundClip:
    """A clip that is there by its name; `load` reads it, and raises `InputError` where its files are bad."""

    name: str
    load: Callable[[], ImportedClip]


@dataclasses.dataclass(frozen=True)
class Database:
    """A kind of database: who made it, under what terms, and how its clips are found."""

    title: str
    layout: str  # what --folder shall hold, for the sentence that says it does not
    licence: str
    citation: str
    find: Callable[[Path, ImportOptions], Iterable[FoundClip]]
    annotations_only: bool = False  # they can be added to a workspace that has a manifest
