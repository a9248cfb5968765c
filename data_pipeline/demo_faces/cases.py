"""Short drawn clips in which a filter can take the wrong face, with the truth of who is where in every frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from data_pipeline import manifest
from data_pipeline.demo_faces.clips import HEIGHT, WIDTH, Clip, Performance, perform
from data_pipeline.demo_faces.video import TRUTH_COLUMNS, frames, make_puppets, truth_rows, write_video
from tfrecords.workspace import Workspace, write_csv, write_json

FRAMES = 120  # of a case, at 30 FPS
FALSE_COLUMNS = ("frame", "x", "y", "width", "height", "score")
# What a case does with where people are: x offsets in pixels (people, frames) and opacities, changed in place.
Scene = Callable[[np.ndarray, np.ndarray], None]


@dataclasses.dataclass(frozen=True)
class FilterCase:
    """One difficulty: `people` are drawn, the first `wanted` are the subjects.

    `false_frames` have a detection of the wall beside what the detector finds; its score is 0.99, so that it comes
    first by name.
    """

    what: str
    people: int
    wanted: int
    scene: Scene
    false_frames: tuple[int, ...] = ()


def _false_first(x: np.ndarray, opacity: np.ndarray) -> None:
    opacity[0, :10] = 0


def _enters(x: np.ndarray, opacity: np.ndarray) -> None:
    x[1] += np.interp(np.arange(FRAMES), (30, 50, 85, 105), (340, 0, 0, 340))


def _other_first(x: np.ndarray, opacity: np.ndarray) -> None:
    opacity[0, :20] = 0
    x[1] += np.interp(np.arange(FRAMES), (0, 20, 35), (-60, 0, 340))


def _gap(x: np.ndarray, opacity: np.ndarray) -> None:
    opacity[0, 40:85] = 0
    x[0, 85:] += 120


def _cut(x: np.ndarray, opacity: np.ndarray) -> None:
    x[:] += [[144], [-144]]  # both where the camera looks
    opacity[0, 45:75] = 0
    opacity[1, :45] = opacity[1, 75:] = 0


def _two(x: np.ndarray, opacity: np.ndarray) -> None:
    pass


def _swap(x: np.ndarray, opacity: np.ndarray) -> None:
    way = np.interp(np.arange(FRAMES), (35, 80), (0, 1)) * 288
    x += np.stack([way, -way])


def _meet_after(x: np.ndarray, opacity: np.ndarray) -> None:
    opacity[1, 50:80] = 0
    opacity[0, 85:100] = 0


CASES: dict[str, FilterCase] = {
    "false_first": FilterCase("a false detection comes before the face", 1, 1, _false_first, tuple(range(3, 7))),
    "false_in_gap": FilterCase("false detections while the face is away", 1, 1, _gap, (50, 51, 60, 70)),
    "false_beside": FilterCase("false detections beside the face", 1, 1, _two, (20, 21, 22, 60, 90, 91)),
    "gap": FilterCase("the face is away and returns elsewhere", 1, 1, _gap),
    "enters": FilterCase("a second person enters and leaves", 2, 1, _enters),
    "other_first": FilterCase("a passer-by is there first", 2, 1, _other_first),
    "cut": FilterCase("a second of somebody else in the same place", 2, 1, _cut),
    "two": FilterCase("two people side by side", 2, 2, _two),
    "swap": FilterCase("two people change places", 2, 2, _swap),
    "two_gaps": FilterCase("of two people now one is away, now the other", 2, 2, _meet_after),
}


def write_filter_cases(workspace: Workspace, seeds: int, names: Collection[str] = tuple(CASES)) -> None:
    """Writes the `CASES` of these names with `seeds` different pairs of subjects: videos, manifest, ``truth/CLIP.csv``.

    Person 1 of the truth is the subject, or persons 1 and 2 are, 1 at first further left. ``truth/CLIP-false.csv`` has
    the boxes (`FALSE_COLUMNS`) of the false detections that `CASES` asks for.
    """
    write_json(workspace.database, {"name": "filter cases", "synthetic": True})
    rows = []
    for seed in range(seeds):
        for name, case in CASES.items():
            if name not in names:
                continue
            clip = f"{name}-{seed}"
            write_case(workspace, clip, case, seed)
            wanted = (f"{clip}-a", f"{clip}-b")[: case.wanted]
            rows.append({"clip": clip, "source": f"sources/{clip}.mp4", "subjects": " ".join(wanted), "notes": name})
    write_csv(workspace.manifest, manifest.COLUMNS, rows)


def write_case(workspace: Workspace, name: str, case: FilterCase, seed: int) -> None:
    """Writes one case's video and truth."""
    number = list(CASES.values()).index(case)
    acting, drawing, wrong = (np.random.default_rng([seed, 7, number, k]) for k in range(3))
    subject = 1 + 2 * (seed * len(CASES) + number)
    clip = Clip(seed=1, index=1, fps=30, frames=FRAMES, subjects=tuple(range(subject, subject + case.people)))
    performances = perform(clip, acting)
    x = np.zeros((case.people, FRAMES))
    opacity = np.ones((case.people, FRAMES))
    case.scene(x, opacity)
    staged = tuple(_staged(one, *change) for one, *change in zip(performances, x, opacity, strict=True))
    puppets = make_puppets(staged)
    truth: Path = workspace.root / "truth"
    write_csv(truth / f"{name}.csv", TRUTH_COLUMNS, truth_rows(clip, staged, puppets))
    write_csv(
        truth / f"{name}-false.csv", FALSE_COLUMNS, [_false_detection(frame, wrong) for frame in case.false_frames]
    )
    workspace.sources.mkdir(parents=True, exist_ok=True)
    write_video(workspace.sources / f"{name}.mp4", frames(clip, staged, puppets, drawing), clip.fps)


def _staged(performance: Performance, x: np.ndarray, opacity: np.ndarray) -> Performance:
    poses = tuple(
        dataclasses.replace(pose, x=pose.x + float(right), opacity=float(seen))
        for pose, right, seen in zip(performance.poses, x, opacity, strict=True)
    )
    return dataclasses.replace(performance, poses=poses)


def _false_detection(frame: int, rng: np.random.Generator) -> dict[str, float]:
    side = float(rng.uniform(60, 110))
    left = rng.choice([0.0, WIDTH - side])  # nobody of a case is at the edge for long
    return {"frame": frame, "x": left, "y": HEIGHT - side - 5, "width": side, "height": side, "score": 0.99}
