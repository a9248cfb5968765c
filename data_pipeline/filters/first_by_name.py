"""The plainest of the original scripts: the only detection, or the first by name."""

from __future__ import annotations

from data_pipeline.filters.clip_faces import NOBODY, Choice, ClipFaces


def first_by_name(clip: ClipFaces, people: int) -> list[list[Choice]]:
    """Chooses the first crop of every frame for the first person, the second for the second where there is one.

    In the first frame that shows all `people` they are ordered from left to right; frames before it are skipped.
    """
    first, starts = clip.start(people) or (len(clip.frames), [])
    unmeasured = float("nan")
    choices: list[list[Choice]] = [[NOBODY] * people] * first
    for number, found in enumerate(clip.frames[first:]):
        taken = starts if number == 0 else [face if face < len(found) else -1 for face in range(people)]
        choices.append([(face, unmeasured) for face in taken])
    return choices
