"""Which clips a demo database has, and what happens in each of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_pipeline.demo_faces.expression import action_levels
from data_pipeline.demo_faces.puppet import Pose
from data_pipeline.demo_faces.sampling import Array
from data_pipeline.demo_faces.subjects import Subject, draw_subject
from data_pipeline.demo_faces.trajectories import Curve, absence, affect_curve, blinks, smooth_curve

WIDTH, HEIGHT = 640, 360
_FRAME_RATES = (24, 25, 30, 60, 24, 25, 30, 24, 25, 30, 24, 25, 30)  # few at 60, which cost twice as much
# Of a hundred clips with one person, roughly so many have each peculiarity.
_ABSENCES, _OBJECTS, _EARLIER_PASSES = 8, 8, 6.5
_SHORTEST_WITH_ABSENCE = 4.0  # seconds


@dataclasses.dataclass(frozen=True)
class Clip:
    """One video to be made."""

    seed: int
    index: int  # from 1
    fps: int
    frames: int
    subjects: tuple[int, ...]  # numbers from 1; the person further left first
    face_goes_away: bool = False
    distracting_object: bool = False
    earlier_pass: bool = False  # of annotations, kept beside the final one

    @property
    def name(self) -> str:
        return f"{self.index}-{self.fps}-{WIDTH}x{HEIGHT}"

    @property
    def duration(self) -> float:
        return self.frames / self.fps

    @property
    def entries(self) -> tuple[str, ...]:
        if len(self.subjects) == 1:
            return (self.name,)
        return tuple(f"{self.name}-p{person}" for person in range(1, len(self.subjects) + 1))

    @property
    def notes(self) -> str:
        if len(self.subjects) > 1:
            return "two people"
        if self.face_goes_away:
            return "seconds without a face"
        return "distracting object" if self.distracting_object else "synthetic"

    def frame_seconds(self) -> NDArray[np.float64]:
        return np.arange(self.frames) / self.fps


@dataclasses.dataclass(frozen=True)
class Performance:
    """What one person of a clip does; the curves are functions of the clip's seconds."""

    subject: Subject
    scale: float
    valence: Curve
    arousal: Curve
    levels: Array  # (frames, 8) action levels
    poses: tuple[Pose, ...]  # a frame each


def plan_clips(seed: int, subjects: int, two_person_clips: int, min_seconds: float, max_seconds: float) -> list[Clip]:
    """The database's clips: every subject is in one, exactly `two_person_clips` of them hold two."""
    count = subjects - two_person_clips
    rng = np.random.default_rng([seed, 0])
    order = rng.permutation(count)
    pairs, singles = set(order[:two_person_clips].tolist()), order[two_person_clips:].tolist()
    away = _take(singles, _ABSENCES)
    objects = _take(singles[len(away) :], _OBJECTS)
    earlier = set(rng.permutation(count)[: _share(count, _EARLIER_PASSES)].tolist())
    clips, subject = [], 1
    for number in range(count):
        people = 2 if number in pairs else 1
        fps = _FRAME_RATES[number % len(_FRAME_RATES)]
        seconds = rng.uniform(min_seconds, max_seconds)
        clips.append(
            Clip(
                seed=seed,
                index=number + 1,
                fps=fps,
                frames=round(seconds * fps),
                subjects=tuple(range(subject, subject + people)),
                face_goes_away=number in away and seconds >= _SHORTEST_WITH_ABSENCE,
                distracting_object=number in objects,
                earlier_pass=number in earlier,
            )
        )
        subject += people
    return clips


def perform(clip: Clip, rng: np.random.Generator) -> tuple[Performance, ...]:
    """What the clip's people do, from left to right."""
    away = None
    if clip.face_goes_away:
        length = rng.uniform(0.75, 1.1)
        away = absence(rng.uniform(1.2, clip.duration - length - 1.2), length)
    count = len(clip.subjects)
    return tuple(_perform(clip, rng, clip.subjects[k], k, count, away) for k in range(count))


def object_path(clip: Clip, rng: np.random.Generator) -> NDArray[np.float64]:
    """Where the distracting object is: (frames, 3) x, y in pixels and angle in radians."""
    seconds = clip.frame_seconds()
    start, speed = rng.uniform(0, 2), rng.uniform(0.25, 0.5)
    x = WIDTH / 2 + 0.52 * WIDTH * np.sin(2 * np.pi * (seconds * speed / 2.2 + start))
    y = rng.uniform(70, 170) + 25 * smooth_curve(rng, 2.5)(seconds)
    return np.stack([x, y, 0.25 * smooth_curve(rng, 2.0)(seconds)], axis=1)


def _perform(
    clip: Clip, rng: np.random.Generator, number: int, place: int, count: int, away: Curve | None
) -> Performance:
    subject = draw_subject(clip.seed, number)
    seconds = clip.frame_seconds()
    valence, arousal = affect_curve(rng, clip.duration), affect_curve(rng, clip.duration)
    blink = blinks(rng, clip.duration)(seconds)
    # A face never shows exactly what is felt: a person's own strength, and a little that means nothing.
    shown = [
        np.clip(curve(seconds) * strength + 0.04 * smooth_curve(rng, 1.5)(seconds), -1.1, 1.1)
        for curve, strength in zip((valence, arousal), subject.expressivity, strict=True)
    ]
    if count == 1:
        scale, middle, sway = rng.uniform(1.08, 1.68), rng.normal(WIDTH / 2, 28), 1.0
    else:
        scale, middle, sway = rng.uniform(1.0, 1.14), (176, 464)[place] + rng.uniform(-8, 8), 0.6
    poses = _poses(rng, seconds, scale, middle, sway, away)
    return Performance(subject, float(scale), valence, arousal, action_levels(shown[0], shown[1], blink), poses)


def _poses(
    rng: np.random.Generator,
    seconds: NDArray[np.float64],
    scale: float,
    middle: float,
    sway: float,
    away: Curve | None,
) -> tuple[Pose, ...]:
    def curve(strength: float, period: float) -> NDArray[np.float64]:
        return strength * np.clip(smooth_curve(rng, period)(seconds), -2.2, 2.2)

    # Hair's top stays in the frame: it stands 86 portrait pixels above the head's middle.
    top = max(150.0, 88 * scale + 14)
    x, y = middle + curve(13 * sway, 4), top + rng.uniform(-2, 14) + curve(4, 3)
    opacity = np.ones_like(seconds)
    if away is not None and rng.uniform() < 0.6:
        x = x + (WIDTH + 160) * rng.choice([-1, 1]) * away(seconds)
    elif away is not None:
        opacity = 1 - away(seconds)
    columns: dict[str, Any] = {
        "x": x,
        "y": y,
        "angle": curve(0.018, 4),
        "zoom": 1 + curve(0.016, 4),
        "opacity": opacity,
        "yaw": curve(0.75, 3),
        "pitch": curve(0.45, 3),
        "tilt": curve(0.32, 3.5),
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return tuple(Pose(*row) for row in rows)


def _share(count: int, percent: float) -> int:
    return round(count * percent / 100)


def _take(numbers: Sequence[int], percent: float) -> set[int]:
    return set(numbers[: _share(len(numbers), percent)])
