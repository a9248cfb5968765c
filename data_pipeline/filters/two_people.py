"""The thesis's filter for clips of two people: one running KAZE reference, person 1's."""

from __future__ import annotations

import numpy as np

from data_pipeline.filters.clip_faces import NOBODY, Choice, ClipFaces
from data_pipeline.filters.kaze import cosine_distance, kaze_vector
from tfrecords.errors import InputError

# A lone detection nearer than this to person 1's reference is person 1.
MAX_DISTANCE = 0.5


def two_people(clip: ClipFaces, people: int) -> list[list[Choice]]:
    """Tells person 1 by KAZE; who is not person 1 is person 2.

    A frame's only crop is person 1 if it is nearer than 0.5 to the reference or has no key points, else person 2. Of
    several the nearest is person 1 and the second nearest person 2, by name where equally near; crops without key
    points are passed over as in the filter for one. Person 1's crop becomes the reference if it has key points. Where
    nothing of person 1 has had any yet, every crop is at distance 0.

    The scripts took the first frame's first crop by name for person 1 (`two_people_literal`); here it is the further
    left of its first two, as the manifest names people, and a clip begins at the first frame that shows two.

    Raises:
      ValueError: `people` is not 2.
    """
    _check_two(people)
    return _follow(clip, *(clip.start(people) or (len(clip.frames), [])))


def two_people_literal(clip: ClipFaces, people: int) -> list[list[Choice]]:
    """`two_people` to the letter of the thesis's scripts, to state their results again.

    The first frame with a detection must hold two faces; the first by name is person 1, the second person 2, wherever
    they are.

    Raises:
      ValueError: `people` is not 2.
      InputError: the first frame with a detection shows one face only.
    """
    _check_two(people)
    if clip.frames and len(clip.frames[0]) < people:
        what = f"frame {clip.frames[0].frame}, the first with a face, shows one only"
        raise InputError(
            "--filter=two_people_literal", what, "trim the clip to where both are in view, or choose another"
        )
    return _follow(clip, 0, [0, 1])


def _check_two(people: int) -> None:
    if people != 2:
        raise ValueError(f"this filter follows two people, not {people}")


def _follow(clip: ClipFaces, first: int, starts: list[int]) -> list[list[Choice]]:
    """Follows the faces `starts` of frame number `first`; nobody is chosen before."""
    people = 2
    choices: list[list[Choice]] = [[NOBODY] * people] * first
    reference: np.ndarray | None = None
    for number, found in enumerate(clip.frames[first:]):
        vectors = [kaze_vector(crop) for crop in found.crops()]
        distances = [_distance(reference, vector) for vector in vectors]
        if number == 0:
            row: list[Choice] = [(face, float("nan")) for face in starts]
        elif len(found) == 1:
            is_first = vectors[0] is None or distances[0] < MAX_DISTANCE
            measured = float("nan") if vectors[0] is None else distances[0]
            row = [(0, measured), NOBODY] if is_first else [NOBODY, (0, measured)]
        else:
            seen = [face for face, vector in enumerate(vectors) if vector is not None]
            nearest = sorted(seen, key=lambda face: distances[face])[:2]
            row = [(face, distances[face]) for face in nearest] + [NOBODY] * (2 - len(nearest))
        chosen = row[0][0]
        if chosen >= 0 and vectors[chosen] is not None:
            reference = vectors[chosen]
        choices.append(row)
    return choices


def _distance(reference: np.ndarray | None, vector: np.ndarray | None) -> float:
    return 0.0 if reference is None or vector is None else cosine_distance(reference, vector)
