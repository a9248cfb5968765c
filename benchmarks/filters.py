"""Every filter on labelled cases: ``python -m benchmarks.filters [--database=build/demo/workspace]``.

Draws the cases of ``data_pipeline.demo_faces.cases``, detects their faces, lets each filter choose, and prints for each
the share of frames (those with a detection; of two people a frame counts twice) in which it took the right face, or
none where none of the detections is the person's. With ``--database`` the clips of a drawn database join in. The last
line is one JSON object.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline.decode import FRAME_RATE, clip_frames
from data_pipeline.demo_faces.cases import FALSE_COLUMNS, write_filter_cases
from data_pipeline.filters import FILTERS, FOR_TWO
from data_pipeline.filters.clip_faces import ClipFaces, box_overlaps, open_clip_faces
from data_pipeline.manifest import ManifestRow, read_manifest
from data_pipeline.pipeline import BuildOptions, build
from tfrecords import options
from tfrecords.crops import encode_jpeg, member_name, read_crops, write_crops
from tfrecords.detections import read_detections, write_detections
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_csv

BOX = ("x", "y", "width", "height")
# A detection shows the person whose drawn box it overlaps most, if by this much (intersection over union).
MIN_OVERLAP = 0.3


@dataclasses.dataclass(frozen=True)
class FilterBenchmark:
    """What is compared, and on how much."""

    seeds: int = option(3, "draws of each case, with other people each", at_least=1)
    folder: str = option("", "where the cases are kept for another run; by default they are thrown away")
    database: str = option("", "workspace of a drawn database, built, whose clips are judged too")
    database_clips: int = option(16, "how many of its clips, the peculiar ones first", at_least=0)


def prepare_cases(workspace: Workspace, seeds: int) -> None:
    """Draws the cases, detects their faces, and puts the false detections in."""
    write_filter_cases(workspace, seeds)
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
            chosen = np.array([[face for face, _ in row] for row in choose(faces, people)])
            seconds[name] = seconds.get(name, 0.0) + time.monotonic() - start
            counts[name] = (int((chosen == right).sum()), right.size)
    return counts


def main(argv: list[str]) -> None:
    chosen = options.from_flags(FilterBenchmark)
    counts: dict[str, dict[str, list[tuple[int, int]]]] = {}
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        cases = Workspace(Path(chosen.folder or temporary))
        if not cases.manifest.exists():
            prepare_cases(cases, chosen.seeds)
        clips = [(cases, row, row.notes) for row in read_manifest(cases)]
        if chosen.database:
            database = Workspace(Path(chosen.database))
            rows = sorted(read_manifest(database), key=lambda row: row.notes == "synthetic")
            clips += [(database, row, f"demo: {row.notes}") for row in rows[: chosen.database_clips]]
        for workspace, row, case in clips:
            for name, count in judge(workspace, row, seconds).items():
                counts.setdefault(case, {}).setdefault(name, []).append(count)
    shares = {
        case: {name: sum(right for right, _ in found) / sum(of for _, of in found) for name, found in by_name.items()}
        for case, by_name in counts.items()
    }
    everything = {name: [found for by_name in counts.values() for found in by_name.get(name, [])] for name in FILTERS}
    shares["all frames"] = {name: sum(r for r, _ in f) / sum(of for _, of in f) for name, f in everything.items()}
    print(f"{'':28}" + "".join(f"{name:>16}" for name in FILTERS))
    for case, by_name in shares.items():
        print(f"{case:28}" + "".join(f"{by_name[n]:16.3f}" if n in by_name else f"{'-':>16}" for n in FILTERS))
    frames = {name: sum(of for _, of in found) for name, found in everything.items()}
    rates = {name: 1000 * seconds[name] / frames[name] for name in FILTERS}
    print(f"{'ms a frame and person':28}" + "".join(f"{rates[name]:16.1f}" for name in FILTERS))
    print(json.dumps({"right": shares, "milliseconds": rates, "frames": frames}))


if __name__ == "__main__":
    options.run_main(main, FilterBenchmark)
