"""What may stand in a cell of the manifest: each function reads one and raises `InputError` with the fault in it."""

from __future__ import annotations

import os
import re
import unicodedata
import urllib.parse
from pathlib import Path

from tfrecords.errors import InputError
from tfrecords.workspace import check_name

_TIME = re.compile(r"(?:(?:([0-9]{1,3}):)?([0-9]{1,3}):)?([0-9]{1,6}(?:\.[0-9]{1,9})?)")
_PART = re.compile(r"[1-9][0-9]{0,3}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# Linux's and macOS's limits of a path and of a name in it, in bytes.
_LONGEST_PATH, _LONGEST_NAME, _LONGEST_TEXT = 4095, 255, 10_000


def is_link(source: str) -> bool:
    """Whether `source` is to be downloaded: an http or https address, not a path."""
    return source.lower().startswith(("http://", "https://"))


def read_source(text: str, path: Path, line: int) -> str:
    """A link or a path, as it is written.

    Paths may be absolute or lead out of the workspace with ``..``: sources are only ever read.
    """
    if not text:
        raise InputError(path, "it is empty", "give the video's link or path", line)
    _refuse_control_characters(text, path, line, allowed="")
    scheme = _SCHEME.match(text)
    if scheme:
        return _read_link(text, scheme.group(1).lower(), path, line)
    names = os.fsencode(text).split(b"/")
    if len(os.fsencode(text)) > _LONGEST_PATH or max(map(len, names)) > _LONGEST_NAME:
        what = f"the path {_shown(text)} is longer than a file system takes"
        raise InputError(path, what, f"use at most {_LONGEST_NAME} bytes a name", line)
    return text


def _read_link(text: str, scheme: str, path: Path, line: int) -> str:
    if scheme not in ("http", "https"):
        what = f"{_shown(text)} begins with {scheme}://"
        raise InputError(path, what, "give an http:// or https:// link, or the path of a file", line)
    try:
        host = urllib.parse.urlsplit(text).hostname
    except ValueError:
        host = None
    if not host or " " in text or len(text) > _LONGEST_PATH:
        raise InputError(path, f"{_shown(text)} is no link", "copy the video's address from a browser", line)
    return text


def read_time(text: str, path: Path, line: int) -> float | None:
    """Seconds of ``75``, ``75.5``, ``1:15`` or ``0:01:15.5``; None where the cell is empty."""
    if not text:
        return None
    found = _TIME.fullmatch(text)
    if found:
        hours, minutes, seconds = int(found[1] or 0), int(found[2] or 0), float(found[3])
        if (found[2] is None or seconds < 60) and (found[1] is None or minutes < 60):
            return 3600 * hours + 60 * minutes + seconds
    remedy = "write seconds (75.5) or h:mm:ss (0:01:15.5)"
    raise InputError(path, f"{_shown(text)} is no time", remedy, line)


def write_time(seconds: float) -> str:
    """The cell of `seconds`, to a millisecond, which `read_time` reads."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def read_part(text: str, path: Path, line: int) -> str:
    """The number of the part of its source that a clip is, from 1, or ''."""
    if text and not _PART.fullmatch(text):
        raise InputError(path, f"{_shown(text)} is no part", "number a source's parts 1, 2, 3", line)
    return text


def read_subjects(text: str, path: Path, line: int) -> tuple[str, ...]:
    """One or two different ids, or none."""
    subjects = tuple(check_name(subject, path, line) for subject in text.split())
    if len(subjects) > 2 or len({subject.lower() for subject in subjects}) < len(subjects):
        raise InputError(path, "it takes one or two different ids", "mend the row", line)
    return subjects


def read_text(text: str, path: Path, line: int) -> str:
    """Free text."""
    _refuse_control_characters(text, path, line, allowed="\n\r\t")
    if len(text) > _LONGEST_TEXT:
        raise InputError(path, f"it holds {len(text)} characters", f"shorten it to {_LONGEST_TEXT}", line)
    return text


def check_word_each(text: str, subjects: tuple[str, ...], path: Path, line: int) -> None:
    """Raises `InputError` unless `text` is empty, describes one person, or has a word for each of two."""
    if text and len(subjects) == 2 and len(text.split()) != 2:
        remedy = "write one word for each of the two subjects, in their order, or leave it empty"
        raise InputError(path, f"{_shown(text)} does not say which subject is meant", remedy, line)


def _refuse_control_characters(text: str, path: Path, line: int, allowed: str) -> None:
    bad = [letter for letter in text if unicodedata.category(letter) == "Cc" and letter not in allowed]
    if bad:
        what = f"it holds the control character U+{ord(bad[0]):04X}"
        raise InputError(path, what, "type the cell anew", line)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")
