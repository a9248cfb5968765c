"""Detections -> one face a frame and person, by a filter of the registry: ``python -m data_pipeline.choose_face``."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from data_pipeline.filters import FILTERS
from data_pipeline.manifest import ManifestRow
from tfrecords.crops import read_crops
from tfrecords.detections import read_detections
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, write_csv

COLUMNS = ("frame", "face", "member", "x", "y", "width", "height", "score", "distance")
Detections = list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class FilterOptions:
    """Which of several faces is taken."""

    filter: str = option("rgb_histogram", "rule that finds the right person's face", choices=sorted(FILTERS))


def choose_faces(workspace: Workspace, row: ManifestRow, options: FilterOptions) -> None:
    """Writes ``faces/ENTRY.csv`` for each of the clip's entries.

    With two subjects, person 1 is the one further left in the first frame that has two detections; both are followed
    from that frame on, and no face is given to both.

    Raises:
      InputError: the clip has no detection at all, or names two subjects and never shows two faces.
    """
    rows, _ = read_detections(workspace.detections(row.clip))
    frames = [list(group) for _, group in itertools.groupby(rows, key=lambda found: found["frame"])]
    source = workspace.clip(row.clip)
    if not frames:
        raise InputError(source, "no face was found in any frame", "lower --min_score, or take the clip out")
    entries = row.entries()
    if len(entries) > 1:
        both = next((index for index, found in enumerate(frames) if len(found) >= 2), None)
        if both is None:
            what = "two subjects are named, but no frame shows two faces"
            raise InputError(source, what, "name one subject in the manifest, or lower --min_score")
        frames = frames[both:]
    # The first two by name are the most certain ones: a third face is somebody in the background.
    starts = sorted(range(len(entries)), key=lambda face: frames[0][face]["x"])
    with read_crops(workspace.crops(row.clip)) as read:
        choices = FILTERS[options.filter](_crops(frames, read), starts)
    for person, entry in enumerate(entries):
        write_csv(workspace.faces(entry), COLUMNS, _chosen(frames, [people[person] for people in choices]))


def _crops(frames: list[Detections], read: Callable[[str], np.ndarray]) -> Iterator[list[np.ndarray]]:
    for found in frames:
        yield [read(detection["member"]) for detection in found]


def _chosen(frames: list[Detections], choices: list[tuple[int, float]]) -> Iterator[dict[str, Any]]:
    for found, (face, distance) in zip(frames, choices, strict=True):
        if face >= 0:
            chosen = {name: found[face][name] for name in COLUMNS if name != "distance"}
            yield chosen | {
                **{name: f"{chosen[name]:.2f}" for name in ("x", "y", "width", "height")},
                "score": f"{chosen['score']:.4f}",
                "distance": "" if np.isnan(distance) else f"{distance:.4f}",
            }


if __name__ == "__main__":
    from data_pipeline.stage_binary import run_one_stage  # it imports this file as a module

    run_one_stage("filter")
