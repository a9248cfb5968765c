"""Every filter on labelled cases: ``python -m benchmarks.filters [--database=build/demo/workspace]``.

Draws the cases of ``data_pipeline.demo_faces.cases``, detects their faces, lets each filter choose, and prints for each
the share of frames (those with a detection; of two people a frame counts twice) in which it took the right face, or
none where none of the detections is the person's. With ``--database`` the clips of a drawn database join in. The last
line is one JSON object, whose `met` says of each other filter whether the default does at least as well on the clips
that the other is for; where it does not the exit code is 1.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline.choose_face import FilterOptions
from data_pipeline.decode import FRAME_RATE, clip_frames
from data_pipeline.demo_faces.cases import CASES, FALSE_COLUMNS, write_filter_cases
from data_pipeline.filters import FILTERS, FOR_TWO
from data_pipeline.filters.clip_faces import ClipFaces, box_overlaps, open_clip_faces
from data_pipeline.manifest import ManifestRow, read_manifest
from data_pipeline.pipeline import BuildOptions, build
from tfrecords import options
from tfrecords.crops import encode_jpeg, member_name, read_crops, write_crops
from tfrecords.detections import read_detections, write_detections
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_csv

BOX = ("x", "y", "width", "height")
# A detection shows the person whose drawn box it overlaps most, if by this much (intersection over union).
MIN_OVERLAP = 0.3
DEFAULT = FilterOptions().filter


@dataclasses.dataclass(frozen=True)
class FilterBenchmark:
    """What is compared, and on how much."""

    cases: tuple[str, ...] = option(tuple(CASES), "which cases are drawn")
    seeds: int = option(3, "draws of each case, with other people each", at_least=1)
    folder: str = option("", "where the cases are kept for another run; by default they are thrown away")
    database: str = option("", "workspace of a drawn database, built, whose clips are judged too")
    database_clips: int = option(16, "how many of its clips, the peculiar ones first", at_least=0)


def prepare_cases(workspace: Workspace, seeds: int, names: Sequence[str] = tuple(CASES)) -> None:
    """Draws the cases, detects their faces, and puts the false detections in."""
    write_filter_cases(workspace, seeds, names)
    result = build(workspace, BuildOptions(), ("probe", "transcode", "detect"))
    assert not result.failed, result.failed
    for row in read_manifest(workspace):
        false = read_csv(workspace.root / "truth" / f"{row.clip}-false.csv", FALSE_COLUMNS)
        if false:
            _add_detections(workspace, row.clip, [{key: float(value) for key, value in face.items()} for face in false])


def _add_detections(workspace: Workspace, clip: str, false: list[dict[str, float]]) -> None:
    rows, facts = read_detections(workspace.detections(clip))
    pictures = {}
    with read_crops(workspace.crops(clip)) as read:
        for row in rows:
            row["picture"] = read(row["member"])
    wanted = {face["frame"] for face in false}
    pictures = {frame: p for frame, p in enumerate(clip_frames(workspace.clip(clip)), start=1) if frame in wanted}
    for face in false:
        left, top, right, bottom = (round(face[a] + b) for a, b in _corners(face))
        crop = pictures[int(face["frame"])][top:bottom, left:right]
        rows.append(face | {"frame": int(face["frame"]), "landmarks": np.zeros((0, 2)), "picture": crop})
    by_frame: dict[int, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["frame"], -row["score"])):
        by_frame.setdefault(row["frame"], []).append(row)
    kept = []
    with write_crops(workspace.crops(clip)) as write:
        for frame, found in by_frame.items():
            for number, row in enumerate(found):
                member = member_name(frame, number, len(found))
                write(member, encode_jpeg(row.pop("picture"), 95))
                kept.append(row | {"face": number, "member": member, "landmarks": np.ravel(row["landmarks"])})
    write_detections(workspace.detections(clip), kept, facts)


def _corners(face: dict[str, float]) -> list[tuple[str, float]]:
    return [("x", 0.0), ("y", 0.0), ("x", face["width"]), ("y", face["height"])]


def right_faces(workspace: Workspace, clip: str, faces: ClipFaces, people: int) -> np.ndarray:
    """Index of the detection that shows each of `people` in each of ``faces.frames``, or -1: int (frames, people)."""
    rows = read_csv(workspace.root / "truth" / f"{clip}.csv", ("frame", "seconds", "person", "visible", *BOX))
    drawn = max(int(row["person"]) for row in rows)
    seconds = np.array([float(row["seconds"]) for row in rows[::drawn]])
    right = np.full((len(faces.frames), people), -1)
    for index, found in enumerate(faces.frames):
        at = int(np.abs(seconds - (found.frame - 1) / FRAME_RATE).argmin())
        seen = [row for row in rows[at * drawn : (at + 1) * drawn] if row["visible"] == "1"]
        if not seen:
            continue
        overlaps = box_overlaps(np.array([[float(row[name]) for name in BOX] for row in seen]), found.boxes)
        for face in range(len(found)):
            nearest = int(overlaps[:, face].argmax())
            person = int(seen[nearest]["person"]) - 1
            best = overlaps[nearest].argmax() == face
            if person < people and best and overlaps[nearest, face] >= MIN_OVERLAP:
                right[index, person] = face
    return right


def judge(workspace: Workspace, row: ManifestRow, seconds: dict[str, float]) -> dict[str, tuple[int, int]]:
    """Filter -> (right, all) frames of one clip, for the filters that are for it; adds to `seconds` what each took."""
    people = len(row.entries())
    counts = {}
    with open_clip_faces(workspace, row.clip) as faces:
        right = right_faces(workspace, row.clip, faces, people)
        for name, choose in FILTERS.items():
            if name in FOR_TWO and people < 2:
                continue
            start = time.monotonic()
            try:
                chosen = np.array([[face for face, _ in row] for row in choose(faces, people)])
            except InputError:  # it refuses the clip, and no face of it is right
                chosen = np.full(right.shape, -2)
            seconds[name] = seconds.get(name, 0.0) + time.monotonic() - start
            counts[name] = (int((chosen == right).sum()), right.size)
    return counts


@dataclasses.dataclass(frozen=True)
class Judged:
    """One clip: filter -> frames with the right face, and all of them, for the filters that are for it."""

    case: str
    counts: dict[str, tuple[int, int]]


def share(judged: Iterable[Judged], name: str) -> float:
    """Share of the frames in which the filter `name` took the right face; NaN where it judged none."""
    right, of = np.sum([(0, 0), *(clip.counts[name] for clip in judged if name in clip.counts)], axis=0)
    return float(right / of) if of else float("nan")


def compare_default(judged: Sequence[Judged]) -> dict[str, bool]:
    """Other filter -> whether the default has at least its share of right faces, on the clips that it is for."""
    met = {}
    for name in FILTERS:
        own = [clip for clip in judged if name in clip.counts]
        if name != DEFAULT and own:
            met[name] = share(own, DEFAULT) >= share(own, name)
    return met


def print_table(judged: Sequence[Judged], milliseconds: dict[str, float]) -> dict[str, dict[str, float]]:
    """Prints and returns case -> filter -> share; the last is of all frames."""
    cases = list(dict.fromkeys(clip.case for clip in judged))
    shares = {}
    for case in [*cases, "all frames"]:
        own = [clip for clip in judged if case in (clip.case, "all frames")]
        shares[case] = {name: share(own, name) for name in FILTERS if any(name in clip.counts for clip in own)}
    width = 2 + max(map(len, FILTERS))
    print(f"{'':28}" + "".join(f"{name:>{width}}" for name in FILTERS))
    for case, found in shares.items():
        cells = (f"{found[n]:{width}.3f}" if n in found else f"{'-':>{width}}" for n in FILTERS)
        print(f"{case:28}" + "".join(cells))
    times = (f"{milliseconds[n]:{width}.1f}" if n in milliseconds else f"{'-':>{width}}" for n in FILTERS)
    print(f"{'ms a frame and person':28}" + "".join(times))
    return shares


def main(argv: list[str]) -> int:
    chosen = options.from_flags(FilterBenchmark)
    judged: list[Judged] = []
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        cases = Workspace(Path(chosen.folder or temporary))
        if not cases.manifest.exists():
            prepare_cases(cases, chosen.seeds, chosen.cases)
        clips = [(cases, row, row.notes) for row in read_manifest(cases)]
        if chosen.database:
            database = Workspace(Path(chosen.database))
            rows = sorted(read_manifest(database), key=lambda row: row.notes == "synthetic")
            clips += [(database, row, f"demo: {row.notes}") for row in rows[: chosen.database_clips]]
        for workspace, row, case in clips:
            judged.append(Judged(case, judge(workspace, row, seconds)))
    frames = {name: sum(clip.counts[name][1] for clip in judged if name in clip.counts) for name in seconds}
    milliseconds = {name: 1000 * seconds[name] / frames[name] for name in seconds}
    shares = print_table(judged, milliseconds)
    met = compare_default(judged)
    missed = [name for name, as_good in met.items() if not as_good]
    print(f"{DEFAULT}, the default, at least as good as each other: {'met' if not missed else f'MISSED by {missed}'}")
    facts = {"benchmark": "filters", "options": dataclasses.asdict(chosen), "default": DEFAULT}
    facts |= {"right": shares, "milliseconds": milliseconds, "frames": frames, "met": met}
    print(json.dumps(facts))
    return 1 if missed else 0


if __name__ == "__main__":
    options.run_main(main, FilterBenchmark)
