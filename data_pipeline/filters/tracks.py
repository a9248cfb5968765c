"""Our own rule: a person is chosen, not a face a frame, so that a single false detection cannot steal the reference."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from data_pipeline.filters.clip_faces import NOBODY, Choice, ClipFaces
from data_pipeline.filters.clip_tracks import clip_tracks
from data_pipeline.filters.people import Person, join_tracks


def tracks(clip: ClipFaces, people: int) -> list[list[Choice]]:
    """Chooses the people who are largest and longest in view: faces' sides, weighted by score, summed over frames.

    Detections are joined to tracks by overlap and colour (`clip_tracks`), and tracks across gaps and cuts by colour
    (`people`). Of two people both must be seen in one frame, and person 1 is the one further left in the first frame
    that shows both.
    The distance in the answer is the crop's to the colours of its track so far.
    """
    chosen = choose_people(clip, join_tracks(clip, clip_tracks(clip)), people)
    places = [person.places() for person in chosen] or [{}] * people
    return [[mine.get(index, NOBODY) for mine in places] for index in range(len(clip.frames))]


def choose_people(clip: ClipFaces, found: Sequence[Person], people: int) -> list[Person]:
    """The `people` of `found` (from `join_tracks`) whom the clip is about; none where two are never seen together."""
    if people == 1:
        return list(found[:1])
    in_frame: dict[int, list[int]] = {}
    for number, person in enumerate(found):
        for index in person.places():
            in_frame.setdefault(index, []).append(number)
    together = {pair for numbers in in_frame.values() for pair in itertools.combinations(numbers, 2)}
    if not together:
        return []
    chosen = min(together, key=lambda pair: (-sum(found[number].size for number in pair), pair))
    places = [found[number].places() for number in chosen]
    first = min(places[0].keys() & places[1].keys())
    left, right = (float(clip.frames[first].boxes[mine[first][0], 0]) for mine in places)
    return [found[number] for number in (chosen if left <= right else chosen[::-1])]
