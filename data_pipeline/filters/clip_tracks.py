"""A clip's detections -> tracks, each one person in unbroken view.

Where a prediction follows faces as they come (`tracks`), this knows the whole clip. It looks at the crops: a track ends
at a cut though the next shot's face stands in the same place, and two people who pass each other keep their tracks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
import scipy.optimize

from data_pipeline.filters.clip_faces import ClipFaces, box_overlaps
from data_pipeline.filters.rgb_histogram import colour_histogram

# A detection must overlap its track's last box by this much (intersection over union) …
MIN_OVERLAP = 0.3
# … and must not be farther from the track's or its last crop's colours than this (Hellinger). From one crop of a real
# face to the next the change is at most 0.25; at a cut to somebody else in the same place it is 0.34 and more.
MAX_CHANGE = 0.3
# A track that is not seen for more frames than this ends.
MAX_MISSED = 5


@dataclasses.dataclass
class ClipTrack:
    """One person in unbroken view; a place is (index into ``clip.frames``, face).

    `number` counts from 1 in the order of first frames; `colours` is the sum of the crops' roots of histograms, float64
    (512,); `distances` are each crop's to the track so far, NaN for the first; `size` sums the faces' sides in pixels,
    weighted by score, over frames.
    """

    number: int
    places: list[tuple[int, int]]
    colours: np.ndarray
    distances: list[float]
    size: float
    first_box: np.ndarray
    first_colours: np.ndarray
    last_box: np.ndarray
    last_colours: np.ndarray


def clip_tracks(clip: ClipFaces) -> list[ClipTrack]:
    """Every detection in exactly one track, none with two of a frame.

    A frame's detections are dealt to the tracks in view so that changes of place and of colour are least in sum.
    """
    tracks: list[ClipTrack] = []
    in_view: list[ClipTrack] = []
    for index, found in enumerate(clip.frames):
        oldest = found.frame - MAX_MISSED - 1
        in_view = [track for track in in_view if clip.frames[track.places[-1][0]].frame >= oldest]
        roots = [root_histogram(crop) for crop in found.crops()]
        owners = deal_faces(in_view, found.boxes, roots)
        for face, root in enumerate(roots):
            size = float(np.sqrt(np.prod(found.boxes[face, 2:])) * found.scores[face])
            box, owner = found.boxes[face], owners.get(face)
            if owner is None:
                number = len(tracks) + 1
                tracks.append(
                    ClipTrack(number, [(index, face)], root.copy(), [float("nan")], size, box, root, box, root)
                )
                in_view.append(tracks[-1])
            else:
                owner.distances.append(float(colour_distances(owner.colours[None], root[None])[0, 0]))
                owner.places.append((index, face))
                owner.colours += root
                owner.size += size
                owner.last_box, owner.last_colours = box, root
    return tracks


class InView(Protocol):
    """What is known of a track that goes on: its last box (x, y, width, height), its colours in sum and the last."""

    last_box: np.ndarray
    colours: np.ndarray
    last_colours: np.ndarray


View = TypeVar("View", bound=InView)


def deal_faces(in_view: Sequence[View], boxes: np.ndarray, roots: Sequence[np.ndarray]) -> dict[int, View]:
    """Deals a frame's faces, boxes (N, 4) and `root_histogram`s, to the tracks in view: face -> its track, if any."""
    if not in_view or not len(boxes):
        return {}
    overlaps = box_overlaps(np.array([track.last_box for track in in_view]), boxes)
    # From the track or from its last crop: light may change slowly, and a person behind another come back.
    changes = np.minimum(
        colour_distances(np.array([track.colours for track in in_view]), np.array(roots)),
        colour_distances(np.array([track.last_colours for track in in_view]), np.array(roots)),
    )
    impossible = (overlaps < MIN_OVERLAP) | (changes > MAX_CHANGE)
    # Colours count twice: where two people pass each other, both are in both places.
    costs = np.where(impossible, 100.0, 1 - overlaps + 2 * changes)
    dealt = zip(*scipy.optimize.linear_sum_assignment(costs), strict=True)
    return {int(face): in_view[track] for track, face in dealt if not impossible[track, face]}


def root_histogram(crop: np.ndarray) -> np.ndarray:
    """The square roots of a crop's colour histogram as shares, float64 (512,), of length 1.

    Of two such vectors ``sqrt(1 - a·b)`` is the Hellinger distance, and means of them can be compared alike.
    """
    counts = colour_histogram(crop).ravel().astype(np.float64)
    return np.sqrt(counts / counts.sum())


def colour_distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Hellinger distances of sums of `root_histogram`: (N, 512) and (M, 512) to (N, M), 0 alike to 1."""
    some = some / np.linalg.norm(some, axis=1, keepdims=True)
    others = others / np.linalg.norm(others, axis=1, keepdims=True)
    return np.sqrt(np.maximum(1 - some @ others.T, 0))
