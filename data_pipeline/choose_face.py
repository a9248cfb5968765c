"""Detections -> one face a frame and person, by a filter of the registry: ``python -m data_pipeline.choose_face``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from data_pipeline.corrections import clip_corrections, correct_choices
from data_pipeline.filters import FILTERS, FOR_TWO
from data_pipeline.filters.clip_faces import NOBODY, Choice, FrameFaces, open_clip_faces
from data_pipeline.manifest import ManifestRow
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, write_csv

COLUMNS = ("frame", "face", "member", "x", "y", "width", "height", "score", "distance")


@dataclasses.dataclass(frozen=True)
class FilterOptions:
    """Which of several faces is taken."""

    filter: str = option("tracks", "rule that finds the right person's face", choices=sorted(FILTERS))


def choose_faces(workspace: Workspace, row: ManifestRow, options: FilterOptions) -> None:
    """Writes ``faces/ENTRY.csv`` for each of the clip's entries: the filter's choice, corrected by ``corrections.csv``.

    With two subjects, person 1 is the one further left in the first frame that shows both, and no face is given to
    both.

    Raises:
      InputError: the clip has no detection at all; it names two subjects and never shows two faces, and no corrections
        say who is who; the filter is for two and it names one; a correction does not fit the clip.
    """
    source, entries = workspace.clip(row.clip), row.entries()
    corrections = clip_corrections(workspace, entries)
    with open_clip_faces(workspace, row.clip) as clip:
        if not clip.frames:
            remedy = "lower --min_score, or take the clip out"
            raise InputError(source, "no face was found in any frame", remedy)
        if options.filter in FOR_TWO and len(entries) < 2:
            remedy = "name two in the manifest, or choose another --filter for this clip"
            raise InputError(source, f"the filter {options.filter} is for two subjects, but one is named", remedy)
        choices: list[list[Choice]] = [[NOBODY] * len(entries)] * len(clip.frames)
        if clip.start(len(entries)):
            choices = FILTERS[options.filter](clip, len(entries))
        elif {correction.entry for correction in corrections} != set(entries):
            what = "two subjects are named, but no frame shows two faces"
            remedy = "name one subject in the manifest, lower --min_score, or say in corrections.csv who is who"
            raise InputError(source, what, remedy)
        if corrections:
            choices = correct_choices(workspace.corrections, clip, entries, choices, corrections)
    for person, entry in enumerate(entries):
        write_csv(workspace.faces(entry), COLUMNS, _chosen(clip.frames, [people[person] for people in choices]))


def _chosen(frames: Sequence[FrameFaces], choices: Sequence[Choice]) -> Iterator[dict[str, Any]]:
    for found, (face, distance) in zip(frames, choices, strict=True):
        if face >= 0:
            box = zip(("x", "y", "width", "height"), found.boxes[face].tolist(), strict=True)
            yield {
                "frame": found.frame,
                "face": face,
                "member": found.members[face],
                **{name: f"{value:.2f}" for name, value in box},
                "score": f"{found.scores[face]:.4f}",
                "distance": "" if np.isnan(distance) else f"{distance:.4f}",
            }


if __name__ == "__main__":
    from data_pipeline.stage_binary import run_one_stage  # it imports this file as a module

    run_one_stage("filter")
