"""The annotation that counts, ``DIMENSION.txt``, its earlier versions ``DIMENSION.N.txt``, and what each came from.

``passes/DIMENSION.json`` lists the versions: ``version`` (from 1), ``file``, ``made`` (time), ``by`` (who did it),
``from`` (``pass``, ``invalid``, ``drawn``, ``restored``, or ``found`` for a file that was there before) and more of it.
"""

from __future__ import annotations

import datetime
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline.annotate.check import PAST_END, check_trace
from data_pipeline.annotate.journal import append_durably
from data_pipeline.annotate.passes import FOLDER, Pass, pass_trace, read_lines
from data_pipeline.annotations import LIMIT, NO_VALUE, Trace, read_trace, write_trace
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_json, write_json, write_text

DRAWN_RATE = 30  # samples a second of a span that is drawn


def finish_pass(workspace: Workspace, key: Pass, seconds: float) -> dict[str, Any]:
    """Checks the pass over a clip of `seconds`; one that passes becomes the annotation. Returns the check.

    Done again, it changes nothing.
    """
    lines = read_lines(key.path(workspace))
    trace = pass_trace(lines)
    check = check_trace(trace, seconds)
    if check["passed"] and not any("finished" in line for line in lines):
        if not any(version.get("pass") == key.number for version in read_versions(workspace, key)):
            publish(workspace, key, trace, {"from": "pass", "pass": key.number, "by": key.annotator, "check": check})
        end = {"pass": str(key), "finished": now()}
        append_durably(key.path(workspace), json.dumps(end, ensure_ascii=False).encode() + b"\n")
    return check


def publish(workspace: Workspace, key: Pass, trace: Trace, told: dict[str, Any]) -> None:
    """Writes `trace` as the annotation; the one before stays under its version's number."""
    versions = read_versions(workspace, key)
    current = key.folder(workspace) / f"{key.dimension}.txt"
    if versions and current.exists():
        kept = current.with_name(f"{key.dimension}.{versions[-1]['version']}.txt")
        if not kept.exists():
            write_text(kept, current.read_text(encoding="utf-8"))
        versions[-1]["file"] = kept.name
    number = versions[-1]["version"] + 1 if versions else 1
    write_trace(current, trace)
    versions.append({"version": number, "file": current.name, "made": now(), **told})
    write_json(_versions_path(workspace, key), versions)


def read_versions(workspace: Workspace, key: Pass) -> list[dict[str, Any]]:
    """What is known of the versions, the last one being the annotation; one that nobody entered is ``found``."""
    path, current = _versions_path(workspace, key), key.folder(workspace) / f"{key.dimension}.txt"
    versions: list[dict[str, Any]] = read_json(path) if path.exists() else []
    if not versions and current.exists():
        earlier = [_number(old) for old in current.parent.glob(f"{key.dimension}.*.txt")]
        found = {"version": max(earlier, default=0) + 1, "file": current.name, "from": "found"}
        versions = [
            {"version": number, "file": f"{key.dimension}.{number}.txt", "from": "found"}
            for number in sorted(number for number in earlier if number)
        ] + [found]
    return versions


def _number(path: Path) -> int:
    middle = path.name.split(".")[1]
    return int(middle) if middle.isascii() and middle.isdigit() and len(middle) < 7 else 0


def _versions_path(workspace: Workspace, key: Pass) -> Path:
    return key.folder(workspace) / FOLDER / f"{key.dimension}.json"


def edit(workspace: Workspace, key: Pass, by: str, change: dict[str, Any], seconds: float) -> None:
    """Marks or draws a span of the annotation, or restores a version; the one before is kept.

    Args:
      workspace: holds it.
      key: whose annotation; its number is not used.
      by: who does it.
      change: ``{"what": "invalid", "from": s, "to": s}``; ``{"what": "drawn", "points": [[seconds, value], …]}``, the
        span being that of the points, with straight lines between them; or ``{"what": "restored", "version": n}``. Its
        ``base`` is the version that was looked at.
      seconds: how long the clip is.

    Raises:
      InputError: there is no such annotation or version, or it has changed since.
      ValueError: the change is none.
    """
    versions = read_versions(workspace, key)
    path = key.folder(workspace) / f"{key.dimension}.txt"
    if not versions or not path.exists():
        raise InputError(path, "there is no annotation", "annotate the clip first")
    if change.get("base") != versions[-1]["version"]:
        raise InputError(path, "the annotation has changed meanwhile", "load the page again")
    told: dict[str, Any] = {"from": change.get("what"), "by": by}
    trace = read_trace(path)
    if change.get("what") == "invalid":
        start, end = _span(change.get("from"), change.get("to"), seconds)
        trace = mark_invalid(trace, start, end)
        told["span"] = [start, end]
    elif change.get("what") == "drawn":
        points = _points(change.get("points"), seconds)
        trace = draw(trace, points)
        told["span"] = [points[0][0], points[-1][0]]
    elif change.get("what") == "restored":
        old = next((version for version in versions[:-1] if version["version"] == change.get("version")), None)
        if old is None:
            raise InputError(path, "there is no such version", "load the page again")
        trace = read_trace(path.with_name(old["file"]))
        told["version_restored"] = old["version"]
    else:
        raise ValueError("a change marks, draws or restores")
    publish(workspace, key, trace, told)


def mark_invalid(trace: Trace, start: float, end: float) -> Trace:
    """The trace with its samples from `start` to `end` (both included) marked; there is one at least at each end."""
    marks = np.unique(np.round([start, end], 6))
    inside = (trace.stamps >= marks[0]) & (trace.stamps <= marks[-1])
    new = marks[~np.isin(marks, trace.stamps)]
    stamps = np.concatenate([trace.stamps, new])
    values = np.concatenate([np.where(inside, NO_VALUE, trace.values), np.full(len(new), NO_VALUE, np.int64)])
    order = np.argsort(stamps, kind="stable")
    return Trace(stamps[order], values[order])


def draw(trace: Trace, points: Sequence[tuple[float, int]]) -> Trace:
    """The trace with the span of `points` replaced by straight lines between them, `DRAWN_RATE` samples a second."""
    seconds, values = (np.array(part, np.float64) for part in zip(*points, strict=True))
    grid = np.arange(np.ceil(seconds[0] * DRAWN_RATE), np.floor(seconds[-1] * DRAWN_RATE) + 1) / DRAWN_RATE
    stamps = np.unique(np.round(np.concatenate([seconds[[0, -1]], grid]), 6))
    drawn = np.rint(np.interp(stamps, seconds, values)).astype(np.int64)
    outside = (trace.stamps < stamps[0]) | (trace.stamps > stamps[-1])
    joined = np.concatenate([trace.stamps[outside], stamps])
    order = np.argsort(joined, kind="stable")
    return Trace(joined[order], np.concatenate([trace.values[outside], drawn])[order])


def _span(start: Any, end: Any, seconds: float) -> tuple[float, float]:
    if not _is_second(start, seconds) or not _is_second(end, seconds) or end < start:
        raise ValueError("a span has a beginning and an end in seconds of the clip")
    return float(start), float(end)


def _points(points: Any, seconds: float) -> list[tuple[float, int]]:
    if not isinstance(points, list) or not 1 <= len(points) <= 20_000:
        raise ValueError("a drawing has 1 to 20000 points")
    for point in points:
        if not isinstance(point, list) or len(point) != 2 or not _is_second(point[0], seconds):
            raise ValueError("a point is seconds of the clip and a value")
        if type(point[1]) is not int or abs(point[1]) > LIMIT:
            raise ValueError("a value is a whole number from -1000 to 1000")
    if any(late[0] <= early[0] for early, late in itertools.pairwise(points)):
        raise ValueError("the points' seconds do not ascend")
    return [(float(at), value) for at, value in points]


def _is_second(value: Any, seconds: float) -> bool:
    return type(value) in (int, float) and 0 <= value <= seconds + PAST_END


def now() -> str:
    """The time as ISO 8601, to the second, in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
