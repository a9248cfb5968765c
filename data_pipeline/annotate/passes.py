"""One pass over a clip: its file, a JSON line a batch, and the trace that the batches come to.

A line is ``{"pass": …, "session": …, "number": n, "samples": [[video seconds, value, input's time stamp in ms, clock's
correction in s], …], "events": [{"event": …, "at": …}, …]}``. Number 0 opens a session (a page that records); the
numbers of a session follow each other, so that a batch that comes twice is known.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline.annotations import LIMIT, Trace
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, check_name

DIMENSION = re.compile(r"[a-z][a-z0-9_]{0,39}")
FOLDER = "passes"  # in annotations/ANNOTATOR/ENTRY/
MOST_SAMPLES, MOST_EVENTS = 2000, 200  # a batch
LONGEST = 24 * 3600.0  # seconds of a clip
_SAMPLE_NUMBERS = 4


@dataclasses.dataclass(frozen=True)
class Pass:
    """Whose pass over what, and its number, from 1."""

    annotator: str
    entry: str
    dimension: str
    number: int

    def folder(self, workspace: Workspace) -> Path:
        """``annotations/ANNOTATOR/ENTRY``."""
        return workspace.annotations / check_name(self.annotator, "annotator") / check_name(self.entry, "entry")

    def path(self, workspace: Workspace) -> Path:
        return self.folder(workspace) / FOLDER / f"{self.dimension}.{self.number}.jsonl"

    def __str__(self) -> str:
        return f"{self.annotator}/{self.entry}/{self.dimension}/{self.number}"


def parse_pass(text: str) -> Pass:
    """The pass that `str` wrote; raises `ValueError` where it is none."""
    annotator, entry, dimension, number = text.split("/")
    return Pass(annotator, entry, dimension, int(number))


def pass_numbers(workspace: Workspace, annotator: str, entry: str, dimension: str) -> list[int]:
    """The numbers of the passes that have a file, ascending."""
    folder = Pass(annotator, entry, dimension, 0).folder(workspace) / FOLDER
    names = (re.fullmatch(rf"{dimension}\.([0-9]+)\.jsonl", path.name) for path in folder.glob(f"{dimension}.*.jsonl"))
    return sorted(int(name[1]) for name in names if name)


@dataclasses.dataclass
class Progress:
    """How far a pass has come: the last number of each session, who records, where on the video, whether it is done."""

    numbers: dict[str, int] = dataclasses.field(default_factory=dict)
    owner: str = ""
    position: float = 0.0
    finished: bool = False

    def is_new(self, line: dict[str, Any]) -> bool:
        """Whether the line is none that has been taken in already."""
        if "finished" in line:
            return not self.finished
        return bool(line["number"] > self.numbers.get(line["session"], -1))

    def take(self, line: dict[str, Any]) -> None:
        """Goes on by a line of the pass."""
        if "finished" in line:
            self.finished = True
            return
        self.numbers[line["session"]] = line["number"]
        if line["number"] == 0:
            self.owner = line["session"]
        for event in line.get("events", ()):
            if event["event"] == "redo":
                self.position = min(self.position, float(event["at"]))
        if line.get("samples"):
            self.position = float(line["samples"][-1][0])


def check_batch(body: Any) -> dict[str, Any]:
    """A batch as it came from a page, with nothing in it but what belongs there.

    Raises:
      ValueError: it is no batch, or holds values out of range.
    """
    if not isinstance(body, dict) or not isinstance(body.get("session"), str) or len(body["session"]) > 64:
        raise ValueError("a batch needs a session")
    number = body.get("number")
    if type(number) is not int or not 1 <= number < 10**9:
        raise ValueError("a batch needs its number, from 1")
    samples, events = body.get("samples", []), body.get("events", [])
    if not isinstance(samples, list) or not isinstance(events, list):
        raise ValueError("samples and events are lists")
    if len(samples) > MOST_SAMPLES or len(events) > MOST_EVENTS:
        raise ValueError(f"a batch holds at most {MOST_SAMPLES} samples and {MOST_EVENTS} events")
    stamps = [_check_sample(sample) for sample in samples]
    if any(late < early for early, late in itertools.pairwise(stamps)):
        raise ValueError("the samples' stamps do not ascend")
    return {
        "session": body["session"],
        "number": number,
        "samples": samples,
        "events": [_check_event(event) for event in events],
    }


def _check_sample(sample: Any) -> float:
    if (
        not isinstance(sample, list)
        or len(sample) != _SAMPLE_NUMBERS
        or any(type(x) not in (int, float) for x in sample)
    ):
        raise ValueError("a sample is video seconds, value, the input's time stamp and the clock's correction")
    if not all(math.isfinite(x) for x in sample) or not 0 <= sample[0] <= LONGEST:
        raise ValueError("a sample's numbers are finite, its seconds not negative")
    if type(sample[1]) is not int or abs(sample[1]) > LIMIT:
        raise ValueError("a value is a whole number from -1000 to 1000")
    return float(sample[0])


def _check_event(event: Any) -> dict[str, Any]:
    """What happened, where on the video (``at``), when by the page's clock, and one further number or short text."""
    if not isinstance(event, dict) or not re.fullmatch(r"[a-z_]{1,30}", str(event.get("event"))):
        raise ValueError("an event needs a name")
    kept: dict[str, Any] = {"event": event["event"]}
    for name in ("at", "time", "value"):
        number = event.get(name, 0)
        if type(number) not in (int, float) or not math.isfinite(number) or abs(number) > 1e15:
            raise ValueError(f"an event's {name} is a number")
        if name in event:
            kept[name] = number
    if event["event"] == "redo" and not 0 <= event.get("at", -1) <= LONGEST:
        raise ValueError("a redo says from where")
    if "text" in event:
        kept["text"] = str(event["text"])[:200]
    return kept


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a pass's or journal's file; one that was being written when the machine stopped is left out.

    Raises:
      InputError: a line before the last is damaged.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    found = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            found.append(json.loads(line))
        except (UnicodeDecodeError, json.JSONDecodeError):
            if number == len(lines) - 1:
                break
            raise InputError(path, "this line is damaged", "delete the line", number) from None
    return found


def cut_torn_line(path: Path) -> None:
    """Takes off what follows the last whole line of a file, so that the next one begins where it should."""
    if not path.exists():
        return
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end and not _is_json(data[:end].rstrip(b"\n").rpartition(b"\n")[2]):
        end = data.rfind(b"\n", 0, end - 1) + 1
    if end < len(data):
        os.truncate(path, end)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
        return True
    except (UnicodeDecodeError, json.JSONDecodeError):
        return False


def pass_trace(lines: list[dict[str, Any]]) -> Trace:
    """What the lines of a pass come to: the samples in order, those after a redo's point replaced by what came later.

    A sample that does not lie after the one before it is left out. The trace may be empty.
    """
    kept: list[tuple[float, int]] = []
    for line in lines:
        for event in line.get("events", ()):
            if event["event"] == "redo":
                while kept and kept[-1][0] >= event["at"]:
                    kept.pop()
        for seconds, value, *_ in line.get("samples", ()):
            # To the microsecond, as the text file has them.
            stamp = round(seconds, 6)
            if not kept or stamp > kept[-1][0]:
                kept.append((stamp, value))
    return Trace(np.array([s for s, _ in kept], np.float64), np.array([v for _, v in kept], np.int64))
