"""A clip's detections -> tracks, each one person in unbroken view, and tracks -> people, joined by their colours.

Where a prediction follows faces as they come (`tracks`), this knows the whole clip and looks at the crops: a track ends
at a cut though the next shot's face stands in the same place, and two people who pass each other keep their tracks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.optimize

from data_pipeline.filters.clip_faces import ClipFaces, FrameFaces, box_overlaps
from data_pipeline.filters.rgb_histogram import colour_histogram

# A detection must overlap its track's last box by this much (intersection over union) …
MIN_OVERLAP = 0.3
# … and must not be farther from the track's colours than this (Hellinger). On real faces 95 of 100 crops of a person
# are within 0.28 of each other, and after a cut the median is 0.32 and more.
MAX_CHANGE = 0.35
# A track that is not seen for more frames than this ends.
MAX_MISSED = 5
# Tracks this near in colour are one person. Halves of one real track are within 0.1, people seen together beyond 0.27.
MAX_DISTANCE = 0.25
# Who is back in the same place within a second may differ by so much more: light changes, a head turns.
BACK_AT_ONCE = 30
NEARBY_BONUS = 0.1
# Only so many tracks, the longest, are compared with each other; the others with the people that these make.
MOST_JOINED = 1000


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
    last_box: np.ndarray


@dataclasses.dataclass(frozen=True)
class Person:
    """Tracks that show the same person, by their numbers ascending; `size` is their sum."""

    tracks: tuple[ClipTrack, ...]

    @property
    def size(self) -> float:
        return sum(track.size for track in self.tracks)

    def places(self) -> dict[int, tuple[int, float]]:
        """Index into ``clip.frames`` -> face and distance."""
        return {
            index: (face, distance)
            for track in self.tracks
            for (index, face), distance in zip(track.places, track.distances, strict=True)
        }


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
        owners = _owners(in_view, found, roots)
        for face, root in enumerate(roots):
            size = float(np.sqrt(np.prod(found.boxes[face, 2:])) * found.scores[face])
            box, owner = found.boxes[face], owners.get(face)
            if owner is None:
                number = len(tracks) + 1
                tracks.append(ClipTrack(number, [(index, face)], root.copy(), [float("nan")], size, box, box))
                in_view.append(tracks[-1])
            else:
                owner.distances.append(float(_distances(owner.colours[None], root[None])[0, 0]))
                owner.places.append((index, face))
                owner.colours += root
                owner.size += size
                owner.last_box = box
    return tracks


def _owners(in_view: Sequence[ClipTrack], found: FrameFaces, roots: Sequence[np.ndarray]) -> dict[int, ClipTrack]:
    if not in_view:
        return {}
    overlaps = box_overlaps(np.array([track.last_box for track in in_view]), found.boxes)
    changes = _distances(np.array([track.colours for track in in_view]), np.array(roots))
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


def _distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    some = some / np.linalg.norm(some, axis=1, keepdims=True)
    others = others / np.linalg.norm(others, axis=1, keepdims=True)
    return np.sqrt(np.maximum(1 - some @ others.T, 0))


def join_tracks(clip: ClipFaces, tracks: Sequence[ClipTrack]) -> list[Person]:
    """The people of a clip, the greatest first (by size and time in view), of equals the one seen first.

    The two nearest groups of tracks become one, again and again, while their mean colours are near enough and no frame
    shows both.
    """
    longest = sorted(tracks, key=lambda track: (-len(track.places), track.number))[:MOST_JOINED]
    groups = [[track] for track in longest]
    if len(groups) > 1:
        groups = _join(clip, longest)
    colours = [np.sum([track.colours for track in group], axis=0) for group in groups]
    seen = [_frames(group) for group in groups]
    for track in sorted(tracks, key=lambda track: (-len(track.places), track.number))[MOST_JOINED:]:
        distances = _distances(track.colours[None], np.array(colours))[0]
        mine = _frames([track])
        for group in np.argsort(distances, kind="stable"):
            if distances[group] <= MAX_DISTANCE and not mine & seen[group]:
                groups[group].append(track)
                seen[group] |= mine
                break
        else:
            groups.append([track])
            colours.append(track.colours)
            seen.append(mine)
    people = [Person(tuple(sorted(group, key=lambda track: track.number))) for group in groups]
    return sorted(people, key=lambda person: (-person.size, person.tracks[0].number))


def _join(clip: ClipFaces, tracks: Sequence[ClipTrack]) -> list[list[ClipTrack]]:
    groups = [[track] for track in tracks]
    colours = np.array([track.colours for track in tracks])
    frames = [_frames([track]) for track in tracks]
    apart = np.array([[bool(mine & theirs) for theirs in frames] for mine in frames])
    bonus = np.array([[NEARBY_BONUS * _back_at_once(clip, one, other) for other in tracks] for one in tracks])
    costs = np.where(apart, np.inf, _distances(colours, colours) - bonus)
    np.fill_diagonal(costs, np.inf)
    while costs.min() <= MAX_DISTANCE:
        into, other = sorted(int(place) for place in np.unravel_index(np.argmin(costs), costs.shape))
        groups[into] += groups[other]
        groups[other] = []
        colours[into] += colours[other]
        apart[into] |= apart[other]
        apart[:, into] = apart[into]
        bonus[into] = np.maximum(bonus[into], bonus[other])
        bonus[:, into] = bonus[into]
        costs[into] = np.where(apart[into], np.inf, _distances(colours[into][None], colours)[0] - bonus[into])
        costs[into, [place for place, group in enumerate(groups) if not group]] = np.inf
        costs[into, into] = np.inf
        costs[:, into] = costs[into]
        costs[other], costs[:, other] = np.inf, np.inf
    return [group for group in groups if group]


def _frames(tracks: Sequence[ClipTrack]) -> set[int]:
    return {index for track in tracks for index, _ in track.places}


def _back_at_once(clip: ClipFaces, one: ClipTrack, other: ClipTrack) -> bool:
    """Whether the later of two tracks begins within a second of the earlier's end, in the same place."""
    earlier, later = sorted((one, other), key=lambda track: track.places[0])
    gap = clip.frames[later.places[0][0]].frame - clip.frames[earlier.places[-1][0]].frame
    if not 0 < gap <= BACK_AT_ONCE:
        return False
    return bool(box_overlaps(earlier.last_box[None], later.first_box[None])[0, 0] >= MIN_OVERLAP)
