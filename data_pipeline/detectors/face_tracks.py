"""Faces seen in some frames -> faces in every frame: tracks that open and close with hysteresis, and the boxes between.

The detector `fast` looks at some frames only and its single looks err both ways. A track opens after two good looks,
lives through doubtful ones and closes after three bad ones; its first faces count too, for frames are held back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from data_pipeline.detectors.face import Face, box_overlap

# A face is its track's if it overlaps the track's last box by this much (intersection over union).
MIN_OVERLAP = 0.3
# Scores of BlazeFace at which a track goes on, and at which a face is a good one.
KEEP_SCORE = 0.2
GOOD_SCORE = 0.3
# Good faces that open a track; looks without a face that close it.
GOOD_TO_OPEN = 2
BAD_TO_CLOSE = 3
# An open track's face is checked again after this many looks, and at every look while the last check has failed.
LOOKS_BETWEEN_CHECKS = 5

# What one look at a frame found: its faces, and the probability that the i-th is one (0 where it is not good enough).
Look = tuple[list[Face], Callable[[int], float]]


@dataclasses.dataclass
class Track:
    """A face followed through the frames that were looked at: `seen` frame -> face."""

    seen: dict[int, Face]
    probability: float
    good: int = 1
    bad: int = 0
    unchecked: int = 0
    opened: bool = False
    closed: bool = False


class FaceTracks:
    """The tracks of a clip; frames are numbers that ascend from look to look."""

    def __init__(self, min_probability: float) -> None:
        self.min_probability = min_probability
        self.tracks: list[Track] = []

    def explain(self, look: Look) -> bool:
        """Whether `look` shows the faces that the tracks lead one to expect, each in its place, and no other."""
        owners = self._match(look[0])
        if len(owners) < sum(not track.closed for track in self.tracks):
            return False
        return not any(index not in owners and self._is_good(look, index) for index in range(len(look[0])))

    def update(self, frame: int, look: Look) -> None:
        """Takes in what was found in `frame`."""
        faces, check = look
        owners = self._match(faces)
        for track in self.tracks:
            if not track.closed and not any(owner is track for owner in owners.values()):
                self._miss(track)
        for index, track in owners.items():
            track.unchecked += 1
            doubtful = not track.opened or track.probability < self.min_probability
            if doubtful or track.unchecked >= LOOKS_BETWEEN_CHECKS:
                track.probability, track.unchecked = check(index), 0
            if track.probability < self.min_probability:
                self._miss(track)
                continue
            track.seen[frame] = dataclasses.replace(faces[index], score=track.probability)
            track.bad = 0
            track.good += faces[index].score >= GOOD_SCORE
            track.opened = track.opened or track.good >= GOOD_TO_OPEN
        for index, face in enumerate(faces):
            if index not in owners and self._is_good(look, index):
                probability = check(index)
                self.tracks.append(Track({frame: dataclasses.replace(face, score=probability)}, probability))

    def end(self) -> None:
        """Ends all tracks, at a cut or the clip's end; one that had no time for a second look counts."""
        for track in self.tracks:
            track.opened = track.opened or (not track.closed and not track.bad)
            track.closed = True

    def is_steady(self, overlap: float) -> bool:
        """Whether every track is open, was seen at the last look, and its last two boxes overlap at least that much."""
        for track in self.tracks:
            if track.closed:
                continue
            if not track.opened or track.bad or len(track.seen) < 2:
                return False
            before, last = sorted(track.seen)[-2:]
            if box_overlap(track.seen[before], track.seen[last]) < overlap:
                return False
        return True

    def faces(self, frame: int) -> list[Face]:
        """The faces in `frame`, the most certain first, a score being the last check's probability."""
        found = [face_at(track.seen, frame) for track in self.tracks if track.opened]
        return sorted((face for face in found if face is not None), key=lambda face: -face.score)

    def forget(self, frame: int) -> None:
        """Drops what no frame from `frame` on needs."""
        for track in self.tracks:
            earlier = sorted(seen for seen in track.seen if seen < frame)
            for seen in earlier[: len(earlier) - 2]:
                del track.seen[seen]
        self.tracks = [track for track in self.tracks if not (track.closed and max(track.seen) < frame)]

    def _match(self, faces: list[Face]) -> dict[int, Track]:
        """The open-ended track of each face that has one, by its index; the best overlaps are settled first."""
        live = [track for track in self.tracks if not track.closed]
        pairs = [
            (box_overlap(track.seen[max(track.seen)], face), number, index)
            for number, track in enumerate(live)
            for index, face in enumerate(faces)
        ]
        owners: dict[int, Track] = {}
        taken: set[int] = set()
        for overlap, number, index in sorted(pairs, reverse=True):
            if overlap >= MIN_OVERLAP and number not in taken and index not in owners:
                owners[index] = live[number]
                taken.add(number)
        return owners

    def _is_good(self, look: Look, index: int) -> bool:
        faces, check = look
        return faces[index].score >= GOOD_SCORE and check(index) >= self.min_probability

    def _miss(self, track: Track) -> None:
        track.bad += 1
        track.closed = track.bad >= BAD_TO_CLOSE


def face_at(seen: dict[int, Face], frame: int) -> Face | None:
    """The face in `frame` as it was seen, or on a straight line between two looks; None before and after all looks."""
    if frame in seen:
        return seen[frame]
    before = max((number for number in seen if number < frame), default=None)
    after = min((number for number in seen if number > frame), default=None)
    if before is None or after is None:
        return None
    return mix_faces(seen[before], seen[after], (frame - before) / (after - before))


def mix_faces(one: Face, other: Face, part: float) -> Face:
    """`one` moved by `part`, 0 to 1, of its way to `other`: box, score and landmarks."""
    names = ("x", "y", "width", "height", "score")
    x, y, width, height, score = ((1 - part) * getattr(one, name) + part * getattr(other, name) for name in names)
    landmarks = ((1 - part) * one.landmarks + part * other.landmarks).astype(np.float32)
    return Face(x, y, width, height, score, landmarks, interpolated=True)
