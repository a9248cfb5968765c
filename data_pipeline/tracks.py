"""Faces of successive frames -> tracks, one a person for as long as they stay in view."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from data_pipeline.detectors.face import Face, box_overlap

Payload = TypeVar("Payload")

# A face must overlap its track's last box by this much (intersection over union).
MIN_OVERLAP = 0.3
# A track counts once it has this many faces: what the detector sees for a few frames only is no person.
MIN_FACES = 5
# Frames that are held back until it is known which of their faces belong to tracks that count.
HOLD = 10
# A track that has missed this many frames in a row, a second, is closed.
MAX_MISSED = 30


@dataclasses.dataclass
class Track:
    """A person followed through the frames; `number` counts from 1 once the track counts, before that it is 0."""

    last: Face
    faces: int = 1
    missed: int = 0
    number: int = 0


def follow_faces(
    frames: Iterable[list[tuple[Face, Payload]]],
) -> Iterator[list[tuple[int, Face, Payload]]]:
    """For each frame, in order, its faces that belong to tracks that count: (track, face, payload).

    `frames` gives each frame's faces with anything that travels along (a crop). What comes back is `HOLD` frames late,
    so that a track's first faces are there too; memory does not grow with the video.
    """
    return _Follower[Payload]().run(frames)


class _Follower(Generic[Payload]):
    def __init__(self) -> None:
        self.open: list[Track] = []
        self.count = 0

    def run(self, frames: Iterable[list[tuple[Face, Payload]]]) -> Iterator[list[tuple[int, Face, Payload]]]:
        held: collections.deque[list[tuple[Track, Face, Payload]]] = collections.deque()
        for faces in frames:
            held.append(self._assign(faces))
            if len(held) > HOLD:
                yield _counting(held.popleft())
        while held:
            yield _counting(held.popleft())

    def _assign(self, faces: list[tuple[Face, Payload]]) -> list[tuple[Track, Face, Payload]]:
        """Gives each face to the open track that it overlaps most, the best pairs first, or opens one."""
        pairs = [
            (box_overlap(track.last, face), t, f)
            for t, track in enumerate(self.open)
            for f, (face, _) in enumerate(faces)
        ]
        owner: dict[int, Track] = {}
        taken: set[int] = set()
        for overlap, t, f in sorted(pairs, reverse=True):
            if overlap >= MIN_OVERLAP and t not in taken and f not in owner:
                owner[f] = self.open[t]
                taken.add(t)
        for t, track in enumerate(self.open):
            track.missed = 0 if t in taken else track.missed + 1
        self.open = [track for track in self.open if track.missed <= MAX_MISSED]
        assigned = []
        for f, (face, payload) in enumerate(faces):
            if f in owner:
                track = owner[f]
                track.last, track.faces = face, track.faces + 1
            else:
                track = Track(face)
                self.open.append(track)
            if track.faces >= MIN_FACES and not track.number:
                self.count += 1
                track.number = self.count
            assigned.append((track, face, payload))
        return assigned


def _counting(held: list[tuple[Track, Face, Payload]]) -> list[tuple[int, Face, Payload]]:
    return sorted(
        ((track.number, face, payload) for track, face, payload in held if track.number), key=lambda kept: kept[0]
    )
