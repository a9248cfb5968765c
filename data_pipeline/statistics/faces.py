"""Faces for figures, from a workspace's crops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfrecords.crops import read_crops
from tfrecords.errors import InputError
from tfrecords.faces import resize_face
from tfrecords.workspace import Workspace, read_csv


def read_faces(
    workspace: Workspace, clip: str, entry: str, places: Sequence[float], pixels: int
) -> dict[int, np.ndarray]:
    """Frame -> uint8 RGB (pixels, pixels, 3): the chosen faces at `places`, from 0 (the first) to 1 (the last).

    Empty where the entry has none yet, or they cannot be read.
    """
    try:
        faces = [(int(face["frame"]), face["member"]) for face in read_csv(workspace.faces(entry)) if face["member"]]
        if not faces:
            return {}
        chosen = [faces[round(place * (len(faces) - 1))] for place in places]
        with read_crops(workspace.crops(clip)) as read:
            return {frame: resize_face(read(member), pixels, "area") for frame, member in chosen}
    except (InputError, KeyError, ValueError):
        return {}


def subject_tile(workspace: Workspace, entries: Sequence[tuple[str, str]], pixels: int) -> np.ndarray | None:
    """One square of a subject's faces, one of each of up to four (clip, entry); None where there is none."""
    found = [own for clip, entry in entries[:4] for own in read_faces(workspace, clip, entry, [0.5], pixels).values()]
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    half = pixels // 2
    tile = np.full((2 * half, 2 * half, 3), 255, np.uint8)
    for number, face in enumerate(found):
        top, left = half * (number // 2), half * (number % 2)
        tile[top : top + half - 1, left : left + half - 1] = resize_face(face, half - 1, "area")
    return resize_face(tile, pixels, "area")
