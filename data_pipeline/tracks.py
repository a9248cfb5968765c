"""Faces of successive frames -> people, as the frames come: told apart at cuts, known again when they return.

Within a shot a face goes to the track that it overlaps and is like in colour (`filters.clip_tracks`); a cut ends all
tracks. A track that begins is a person seen before where its colours say so (`filters.people`), however long ago that
was, and else a new one. Memory grows with the number of people, not with the video: each is kept as a mean of colours.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np

from data_pipeline.detectors.face import Face
from data_pipeline.filters.clip_faces import box_overlaps
from data_pipeline.filters.clip_tracks import MAX_MISSED, MIN_OVERLAP, colour_distances, deal_faces
from data_pipeline.filters.people import BACK_AT_ONCE, MAX_DISTANCE, NEARBY_BONUS, nearest_groups

Payload = TypeVar("Payload")

# A track counts once it has this many faces: what the detector sees for a few frames only is no person …
MIN_FACES = 5
# … unless it is as near in colour to somebody who is away as two halves of one track are (`filters.people`).
FRAGMENT_DISTANCE = 0.1
# Frames that are held back until it is known which of their faces belong to whom; live, only what a track needs.
HOLD, LIVE_HOLD = 10, MIN_FACES - 1
# So many people are kept in mind; of more, those not seen for longest are forgotten.
MOST_PEOPLE = 500


@dataclasses.dataclass(frozen=True)
class SeenFace(Generic[Payload]):
    """A face with its colours (`root_histogram`, float64 (512,)) and anything that travels along (a crop).

    `known` is the number of the person where somebody has said who it is, from 1, else 0.
    """

    face: Face
    colours: np.ndarray
    payload: Payload
    known: int = 0


@dataclasses.dataclass
class _Track:
    """A person in unbroken view. `person` is None until it is decided who, and 0 if it counts for nobody."""

    first_frame: int
    last_frame: int
    shot: int
    last_box: np.ndarray
    colours: np.ndarray
    last_colours: np.ndarray
    faces: int = 1
    person: int | None = None


@dataclasses.dataclass
class _Person:
    colours: np.ndarray
    last_frame: int
    last_box: np.ndarray
    shot: int


class People:
    """The people of a video so far; numbers count from `first_number`, in the order in which they came."""

    def __init__(self, first_number: int = 1) -> None:
        self._known: dict[int, _Person] = {}
        self._together: set[tuple[int, int]] = set()
        self._next = first_number

    def settle(self, tracks: Sequence[_Track], due: Sequence[_Track]) -> None:
        """Gives `tracks` the people that they are nearest to, the nearest pair first; who is `due` is decided now."""
        waiting = [track for track in tracks if track.person is None]
        while (nearest := self._nearest(waiting)) is not None:
            track, number = nearest
            self._give(track, number)
            waiting.remove(track)
        for track in due:
            if track.person is None and track.faces >= MIN_FACES:
                self._give(track, self._next)
                self._next += 1
            elif track.person is None:
                track.person = 0

    def update(self, track: _Track, colours: np.ndarray) -> None:
        """A track that was settled goes on with a face."""
        person = self._known.get(track.person or 0)
        if person is not None:
            person.colours += colours
            person.last_frame, person.last_box, person.shot = track.last_frame, track.last_box, track.shot

    def seen_together(self, numbers: Iterable[int]) -> None:
        """These people are in one frame, so they are not one."""
        self._together.update(itertools.combinations(sorted(numbers), 2))

    def joined(self) -> dict[int, int]:
        """Number -> the first number of the same person, for who was taken for two: alike on the whole, never together.

        Known only at the end, when all that was seen of each speaks.
        """
        numbers = sorted(self._known)
        if not numbers:
            return {}
        colours = np.array([self._known[number].colours for number in numbers])
        apart = np.array([[(min(a, b), max(a, b)) in self._together for b in numbers] for a in numbers])
        groups = nearest_groups(colours, apart, np.zeros(apart.shape))
        return {numbers[member]: numbers[min(group)] for group in groups for member in group}

    def _nearest(self, tracks: Sequence[_Track]) -> tuple[_Track, int] | None:
        if not tracks or not self._known:
            return None
        numbers = list(self._known)
        people = list(self._known.values())
        distances = colour_distances(
            np.array([track.colours for track in tracks]), np.array([person.colours for person in people])
        )
        for row, track in enumerate(tracks):
            least = MAX_DISTANCE if track.faces >= MIN_FACES else FRAGMENT_DISTANCE
            for column, person in enumerate(people):
                if person.last_frame >= track.first_frame:
                    distances[row, column] = np.inf
                    continue
                # Across a cut the same place says nothing: a reverse shot shows another person there.
                at_once = person.shot == track.shot and track.first_frame - person.last_frame <= BACK_AT_ONCE
                if at_once and box_overlaps(person.last_box[None], track.last_box[None])[0, 0] >= MIN_OVERLAP:
                    distances[row, column] -= NEARBY_BONUS
                if distances[row, column] > least:
                    distances[row, column] = np.inf
        row, column = divmod(int(np.argmin(distances)), len(people))
        return None if np.isinf(distances[row, column]) else (tracks[row], numbers[column])

    def _give(self, track: _Track, number: int) -> None:
        track.person = number
        person = self._known.setdefault(
            number, _Person(np.zeros_like(track.colours), track.last_frame, track.last_box, track.shot)
        )
        self.update(track, track.colours)
        if len(self._known) > MOST_PEOPLE:
            oldest = min(self._known, key=lambda known: self._known[known].last_frame)
            if self._known[oldest] is not person:
                del self._known[oldest]
                self._together = {pair for pair in self._together if oldest not in pair}


def follow_people(
    frames: Iterable[tuple[int, bool, Sequence[SeenFace[Payload]]]], people: People, hold: int = HOLD
) -> Iterator[list[tuple[int, Face, Payload]]]:
    """For each frame, in order, its faces that belong to people: (number, face, payload), by numbers ascending.

    `frames` gives each frame's number, whether a cut lies before it, and its faces. What comes back is `hold` frames
    late, so that a person's first faces are there too.
    """
    held: collections.deque[list[tuple[_Track | int, SeenFace[Payload]]]] = collections.deque()
    in_view: list[_Track] = []
    shot = 0
    for number, cut, faces in frames:
        shot += cut
        in_view = [] if cut else [track for track in in_view if number - track.last_frame <= MAX_MISSED + 1]
        held.append(_deal(number, shot, faces, in_view, people))
        if len(held) > hold:
            yield _counted(held, people)
    while held:
        yield _counted(held, people)


def _deal(
    number: int, shot: int, faces: Sequence[SeenFace[Payload]], in_view: list[_Track], people: People
) -> list[tuple[_Track | int, SeenFace[Payload]]]:
    """Each face with its track, or with its number where it is known; new tracks are put into `in_view`."""
    dealt: list[tuple[_Track | int, SeenFace[Payload]]] = [(seen.known, seen) for seen in faces if seen.known]
    unknown = [seen for seen in faces if not seen.known]
    boxes = np.array([[s.face.x, s.face.y, s.face.width, s.face.height] for s in unknown], np.float64).reshape(-1, 4)
    owners = deal_faces(in_view, boxes, [seen.colours for seen in unknown])
    for index, seen in enumerate(unknown):
        track = owners.get(index)
        if track is None:
            track = _Track(number, number, shot, boxes[index], seen.colours.copy(), seen.colours)
            in_view.append(track)
        else:
            if track.person == 0:  # what flickered before it stayed counts from here on
                track.person, track.first_frame, track.faces, track.colours = None, number, 0, 0 * seen.colours
            track.last_frame, track.last_box, track.last_colours = number, boxes[index], seen.colours
            track.colours += seen.colours
            track.faces += 1
            people.update(track, seen.colours)
        dealt.append((track, seen))
    return dealt


def _counted(
    held: collections.deque[list[tuple[_Track | int, SeenFace[Payload]]]], people: People
) -> list[tuple[int, Face, Payload]]:
    """The oldest of the held frames, whose tracks are decided now, together with what else has been seen for long."""
    due = [track for track, _ in held[0] if isinstance(track, _Track) and track.person is None]
    if due:
        tracks = {id(track): track for frame in held for track, _ in frame if isinstance(track, _Track)}
        lasting = [track for track in tracks.values() if track.faces >= MIN_FACES or any(track is one for one in due)]
        people.settle(lasting, due)
    found = []
    for track, seen in held.popleft():
        number = track if isinstance(track, int) else track.person
        if number:
            found.append((number, seen.face, seen.payload))
    people.seen_together(number for number, _, _ in found)
    return sorted(found, key=lambda one: one[0])
