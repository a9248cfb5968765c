"""Counts of a demo database, and how often the chosen face is the right one (only a drawn database knows that)."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline.pipeline import BuildResult
from tfrecords.detections import read_detections
from tfrecords.workspace import Workspace, read_csv


def database_statistics(workspace: Workspace, built: BuildResult) -> dict[str, Any]:
    """What ``results.json`` says of the database.

    ``detected_share`` is the share of frames showing somebody in which a face was found; ``right_face_share`` the share
    of chosen faces that lie on the right person.
    """
    rows = read_csv(workspace.partition)
    partitions = {}
    for name in ("train", "validation", "test"):
        own = [row for row in rows if row["partition"] == name]
        subjects = len({row["subject"] for row in own})
        partitions[name] = {"entries": len(own), "subjects": subjects, "frames": sum(int(row["frames"]) for row in own)}
    clips = sorted({row["clip"] for row in rows})
    shown = found = chosen = right = 0
    for clip in clips:
        entries = [row["entry"] for row in rows if row["clip"] == clip]
        counts = _compare_with_truth(workspace, clip, entries)
        shown, found, chosen, right = (a + b for a, b in zip((shown, found, chosen, right), counts, strict=True))
    return {
        "clips": len(clips),
        "entries": len(rows),
        "subjects": len({row["subject"] for row in rows}),
        "partitions": partitions,
        "detected_share": round(found / max(1, shown), 4),
        "right_face_share": round(right / max(1, chosen), 4),
        "awaiting_annotation": len(built.awaiting),
        "failed": [outcome.reason for outcome in built.failed],
    }


def _compare_with_truth(workspace: Workspace, clip: str, entries: list[str]) -> tuple[int, int, int, int]:
    """Frames that show somebody, those with a detection, chosen faces, and those on the right person."""
    truth = _truth(workspace.root / "truth" / f"{clip}.csv")
    rows, facts = read_detections(workspace.detections(clip))
    detected = {row["frame"] for row in rows}
    shown = found = chosen = right = 0
    for frame in range(1, facts["frames"] + 1):
        visible = any(_at(person, (frame - 1) / facts["frame_rate"])[0] for person in truth.values())
        shown += visible
        found += visible and frame in detected
    for person, entry in enumerate(entries, start=1):
        for row in read_csv(workspace.faces(entry)):
            visible, centre, width = _at(truth[person], (int(row["frame"]) - 1) / facts["frame_rate"])
            x = float(row["x"]) + float(row["width"]) / 2
            y = float(row["y"]) + float(row["height"]) / 2
            chosen += 1
            right += visible and abs(x - centre[0]) < width / 2 and abs(y - centre[1]) < width / 2
    return shown, found, chosen, right


def _truth(path: Path) -> dict[int, np.ndarray]:
    """Person -> float (N, 6): seconds, visible, x, y, width, height."""
    people: dict[int, list[list[float]]] = {}
    with open(path, encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            values = [float(row[name]) for name in ("seconds", "visible", "x", "y", "width", "height")]
            people.setdefault(int(row["person"]), []).append(values)
    return {person: np.array(values) for person, values in people.items()}


def _at(person: np.ndarray, seconds: float) -> tuple[bool, tuple[float, float], float]:
    """Whether the person is in view, where the face's centre is, and its width, at the nearest frame of the source."""
    row = person[np.abs(person[:, 0] - seconds).argmin()]
    return bool(row[1]), (row[2] + row[4] / 2, row[3] + row[5] / 2), float(row[4])
