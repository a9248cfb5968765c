"""A clip's tracks -> its people: tracks joined across gaps and cuts by their colours."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from data_pipeline.filters.clip_faces import ClipFaces, box_overlaps
from data_pipeline.filters.clip_tracks import MAX_MISSED, MIN_OVERLAP, ClipTrack, colour_distances

# Tracks this near in colour are one person. Halves of one real track are within 0.1, people seen together beyond 0.27.
MAX_DISTANCE = 0.25
# Who is back in the same place within a second may differ by so much more: light changes, a head turns.
BACK_AT_ONCE = 30
NEARBY_BONUS = 0.05
# A track of fewer faces than this, right beside another in time and place, is the same person in passing light or
# motion, if the step between their crops is not larger than this.
MIN_FACES = 5
MAX_STEP = 0.5
# Only so many tracks, the longest, are compared with each other; the others with the people that these make.
MOST_JOINED = 500


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


def join_tracks(clip: ClipFaces, tracks: Sequence[ClipTrack]) -> list[Person]:
    """The people of a clip, the greatest first (by size and time in view), of equals the one seen first.

    Short tracks go to the neighbours that they lead to. Then the two nearest groups of tracks become one, again and
    again, while their mean colours are near enough and no frame shows both.
    """
    if not tracks:
        return []
    groups = sorted(_with_fragments(clip, tracks), key=lambda group: -sum(len(track.places) for track in group))
    groups, rest = _join(clip, groups[:MOST_JOINED]), groups[MOST_JOINED:]
    colours = np.array([_colours(group) for group in groups])
    seen = [_frames(group) for group in groups]
    for group in rest:
        mine = _frames(group)
        distances = colour_distances(_colours(group)[None], colours)[0]
        near = [place for place in np.argsort(distances, kind="stable") if distances[place] <= MAX_DISTANCE]
        place = next((place for place in near if mine.isdisjoint(seen[place])), None)
        if place is None:
            groups.append(group)
        else:
            groups[place] += group
            seen[place] |= mine
    people = [Person(tuple(sorted(group, key=lambda track: track.number))) for group in groups]
    return sorted(people, key=lambda person: (-person.size, person.tracks[0].number))


def _with_fragments(clip: ClipFaces, tracks: Sequence[ClipTrack]) -> list[list[ClipTrack]]:
    """Groups of successive tracks with at most one that is not short in each: two that last can be two people."""
    steps: list[tuple[float, int, int]] = []
    for one, other in _successive(clip, tracks, MAX_MISSED + 1):
        if min(len(one.places), len(other.places)) < MIN_FACES:
            step = float(colour_distances(one.last_colours[None], other.first_colours[None])[0, 0])
            steps.append((step, one.number, other.number))
    groups = {track.number: [track] for track in tracks}
    for step, one_number, other_number in sorted(steps):
        group, added = groups[one_number], groups[other_number]
        lasting = sum(len(track.places) >= MIN_FACES for track in group + added)
        if step <= MAX_STEP and group is not added and lasting <= 1 and _frames(group).isdisjoint(_frames(added)):
            group += added
            groups |= {track.number: group for track in added}
    return [group for number, group in groups.items() if group[0].number == number]


def _successive(clip: ClipFaces, tracks: Sequence[ClipTrack], gap: int) -> Iterator[tuple[ClipTrack, ClipTrack]]:
    """Pairs of tracks of which the second begins at most `gap` frames after the first's end, in the same place."""
    starts = [clip.frames[track.places[0][0]].frame for track in tracks]  # ascending, as the numbers are
    for one in tracks:
        end = clip.frames[one.places[-1][0]].frame
        for other in tracks[bisect.bisect_right(starts, end) : bisect.bisect_right(starts, end + gap)]:
            if box_overlaps(one.last_box[None], other.first_box[None])[0, 0] >= MIN_OVERLAP:
                yield one, other


def _join(clip: ClipFaces, groups: list[list[ClipTrack]]) -> list[list[ClipTrack]]:
    colours = np.array([_colours(group) for group in groups])
    frames = [_frames(group) for group in groups]
    apart = np.array([[not mine.isdisjoint(theirs) for theirs in frames] for mine in frames])
    bonus = np.zeros(apart.shape)
    place = {track.number: place for place, group in enumerate(groups) for track in group}
    joined = sorted((track for group in groups for track in group), key=lambda track: track.number)
    for earlier, later in _successive(clip, joined, BACK_AT_ONCE):
        pair = [place[earlier.number], place[later.number]]
        bonus[pair, pair[::-1]] = NEARBY_BONUS
    return [[track for member in one for track in groups[member]] for one in nearest_groups(colours, apart, bonus)]


def nearest_groups(colours: np.ndarray, apart: np.ndarray, bonus: np.ndarray) -> list[list[int]]:
    """Joins the two nearest, again and again, while they are within `MAX_DISTANCE`; returns groups of indices.

    Args:
      colours: sums of `root_histogram`, float64 (N, 512).
      apart: bool (N, N), symmetric: who cannot be the same.
      bonus: float64 (N, N), symmetric: by how much a pair may be further apart.
    """
    groups = [[index] for index in range(len(colours))]
    colours, apart, bonus = colours.copy(), apart.copy(), bonus.copy()
    np.fill_diagonal(apart, True)
    costs = np.where(apart, np.inf, colour_distances(colours, colours) - bonus)
    while costs.flat[nearest := int(np.argmin(costs))] <= MAX_DISTANCE:
        into, other = sorted(divmod(nearest, len(costs)))
        groups[into] += groups[other]
        groups[other] = []
        colours[into] += colours[other]
        apart[into] |= apart[other]
        bonus[into] = np.maximum(bonus[into], bonus[other])
        apart[other] = True
        apart[:, into], apart[:, other], bonus[:, into] = apart[into], True, bonus[into]
        costs[other], costs[:, other] = np.inf, np.inf
        costs[into] = np.where(apart[into], np.inf, colour_distances(colours[into][None], colours)[0] - bonus[into])
        costs[:, into] = costs[into]
    return [group for group in groups if group]


def _colours(tracks: Sequence[ClipTrack]) -> np.ndarray:
    return np.sum([track.colours for track in tracks], axis=0)


def _frames(tracks: Sequence[ClipTrack]) -> set[int]:
    return {index for track in tracks for index, _ in track.places}
