"""What the page is told of the clips: what there is to do, where the picture is, and whom to look at."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline.annotate.passes import FOLDER, Pass, pass_numbers
from data_pipeline.failures import read_failures
from data_pipeline.manifest import ManifestRow, read_manifest, source_file
from data_pipeline.probe import VideoFacts, probe
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv

BOX_STEP = 3  # every so many frames the page is told the face's box


@dataclasses.dataclass(frozen=True)
class Entry:
    """A person in a clip; `person` is 0 where the clip shows nobody else, else 1 (further left) or 2."""

    name: str
    row: ManifestRow
    person: int

    def described(self) -> dict[str, Any]:
        """The entry as the page's list has it."""
        place = ("", "left", "right")[self.person]
        return {"entry": self.name, "clip": self.row.clip, "person": self.person, "place": place}


def find_entries(workspace: Workspace) -> dict[str, Entry]:
    """Every entry of the manifest by name, in the manifest's order."""
    found = {}
    for row in read_manifest(workspace):
        names = row.entries()
        for number, name in enumerate(names, start=1):
            found[name] = Entry(name, row, number if len(names) > 1 else 0)
    return found


def ordered(names: Sequence[str], order: str, annotator: str, seed: int) -> list[str]:
    """The entries in the manifest's order, or with `order` ``random`` in an order that is an annotator's own."""
    shuffled = list(names)
    if order == "random":
        digest = hashlib.sha256(f"{seed} {annotator}".encode()).digest()
        random.Random(digest).shuffle(shuffled)
    return shuffled


def why_not_ready(workspace: Workspace, entry: Entry, failed: dict[str, str]) -> str:
    """Why the clip cannot be played, a sentence, or '' if it can."""
    if workspace.clip(entry.row.clip).is_file():
        return ""
    if entry.row.clip in failed:
        return failed[entry.row.clip]
    return "The clip has not been cut and converted yet: run python -m data_pipeline.build --to=transcode"


def failed_clips(workspace: Workspace) -> dict[str, str]:
    """Clip -> why it was set aside."""
    return {clip: outcome.reason for clip, outcome in read_failures(workspace).items()}


def clip_seconds(workspace: Workspace, entry: Entry) -> float:
    """How long the clip's picture is; raises `InputError` where it cannot be read."""
    return _probed(workspace, entry).seconds


def _probed(workspace: Workspace, entry: Entry) -> VideoFacts:
    path = workspace.clip(entry.row.clip)
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    facts = _probe(path, changed)
    if not facts.seconds > 0:
        raise InputError(path, "the clip has no length", "delete it and build again")
    return facts


@functools.lru_cache(maxsize=1000)
def _probe(path: Path, changed: int) -> VideoFacts:
    return probe(path)


def clip_facts(workspace: Workspace, entry: Entry) -> dict[str, Any]:
    """What the page needs to play the clip and to mark the person.

    Raises:
      InputError: the clip is missing or no video.
    """
    facts = _probed(workspace, entry)
    return {
        **entry.described(),
        "seconds": facts.seconds,
        "frame_rate": facts.frame_rate,
        "width": facts.width,
        "height": facts.height,
        "start": entry.row.start or 0.0,
        "boxes": _boxes(workspace, entry) if entry.person else [],
        "subtitles": [_language(path) for path in subtitle_files(workspace, entry)],
    }


def subtitle_files(workspace: Workspace, entry: Entry) -> list[Path]:
    """The subtitles that lie beside the clip's source, ``STEM.vtt`` and ``STEM.LANGUAGE.vtt``, sorted."""
    source = source_file(workspace, entry.row)
    return sorted(path for path in source.parent.glob("*.vtt") if path.name.startswith(f"{source.stem}."))


def _language(path: Path) -> str:
    words = path.name.split(".")
    return words[-2] if len(words) > 2 else ""


def _boxes(workspace: Workspace, entry: Entry) -> list[list[float]]:
    """``[seconds, x, y, width, height]`` of the entry's chosen face, of every `BOX_STEP`-th frame."""
    path = workspace.faces(entry.name)
    if not path.exists():
        return []
    found: list[list[float]] = []
    for face in read_csv(path, ("frame", "x", "y", "width", "height")):
        seconds = (int(face["frame"]) - 1) / 30
        if not found or seconds - found[-1][0] >= (BOX_STEP - 0.5) / 30:
            found.append([round(seconds, 3), *(round(float(face[name]), 1) for name in ("x", "y", "width", "height"))])
    return found


def annotator_state(workspace: Workspace, entry: Entry, annotator: str, dimensions: Sequence[str]) -> dict[str, Any]:
    """Whether the annotator has watched the entry, and what is to do, begun (with how many passes) and done of it."""
    folder = Pass(annotator, entry.name, "", 0).folder(workspace)
    states = {}
    for dimension in dimensions:
        numbers = pass_numbers(workspace, annotator, entry.name, dimension)
        done = (folder / f"{dimension}.txt").exists()
        begun = bool(numbers) and not is_finished(Pass(annotator, entry.name, dimension, numbers[-1]).path(workspace))
        states[dimension] = {"done": done, "begun": begun, "passes": len(numbers)}
    return {"watched": is_watched(workspace, annotator, entry.name), "dimensions": states}


def watched_path(workspace: Workspace, annotator: str, entry: str) -> Path:
    """The file that says that the annotator has watched the entry as a whole."""
    return Pass(annotator, entry, "", 0).folder(workspace) / FOLDER / "watched.json"


def is_watched(workspace: Workspace, annotator: str, entry: str) -> bool:
    return watched_path(workspace, annotator, entry).exists()


def is_finished(path: Path) -> bool:
    """Whether the file of a pass ends with its end."""
    with open(path, "rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - 400))
        return b'"finished"' in stream.read().rstrip(b"\n").rpartition(b"\n")[2]


def known_annotators(workspace: Workspace) -> list[str]:
    """Names that have a folder of annotations."""
    if not workspace.annotations.is_dir():
        return []
    return sorted(path.name for path in workspace.annotations.iterdir() if path.is_dir())


def watched_share(spans: Any, seconds: float) -> float:
    """The share of a clip that ``[[from, to], …]`` cover; raises `ValueError` where these are no spans."""
    if not isinstance(spans, list) or len(spans) > 1000:
        raise ValueError("what was watched are spans")
    grid = np.zeros(max(1, math.ceil(seconds * 10)), bool)
    for span in spans:
        if not isinstance(span, list) or len(span) != 2 or not all(type(x) in (int, float) for x in span):
            raise ValueError("what was watched are spans")
        if not all(math.isfinite(x) and 0 <= x <= 24 * 3600 for x in span):
            raise ValueError("what was watched are spans in seconds")
        grid[int(span[0] * 10) : math.ceil(span[1] * 10)] = True
    return float(grid.mean())
