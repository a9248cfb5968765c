"""New manifests: for the videos of a folder, and the example with Aff-Wild's links."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv, write_csv, write_text

VIDEO_SUFFIXES = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".3gp"}
EXAMPLE = Path(__file__).parent / "examples" / "aff_wild_links.csv"


def write_manifest(workspace: Workspace, folder: Path, columns: Sequence[str], subject_regex: str = "") -> int:
    """Writes ``manifest.csv`` with `columns` for the videos below `folder`; returns their number.

    Raises:
      InputError: the folder is missing or holds no video, or the workspace has a manifest already.
    """
    _refuse_a_second(workspace)
    videos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())
    if not videos:
        raise InputError(folder, "no video was found there", f"use a folder with {', '.join(sorted(VIDEO_SUFFIXES))}")
    pattern = _subject_pattern(subject_regex)
    rows, used = [], set()
    for video in videos:
        name = _as_name(video.stem)
        clip, number = name, 2
        while clip.lower() in used:
            clip, number = f"{name}_{number}", number + 1
        used.add(clip.lower())
        found = pattern.search(video.name) if pattern else None
        subject = _as_name(found.group(1) or "") if found else clip
        rows.append({"clip": clip, "source": str(video.resolve()), "subjects": subject})
    write_csv(workspace.manifest, columns, rows)
    return len(rows)


def write_example(workspace: Workspace) -> int:
    """Writes the 140 links of the thesis's Appendix C as ``manifest.csv``, subjects left empty; returns their number.

    Raises:
      InputError: the workspace has a manifest already.
    """
    _refuse_a_second(workspace)
    write_text(workspace.manifest, EXAMPLE.read_text(encoding="utf-8"))
    return len(read_csv(workspace.manifest))


def _refuse_a_second(workspace: Workspace) -> None:
    if workspace.manifest.exists():
        raise InputError(workspace.manifest, "there is a manifest already", "edit it, or move it away first")


def _as_name(text: str) -> str:
    """`text` with what a file's name cannot hold replaced, see `workspace.check_name`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip(".-_")[:100] or "clip"


def _subject_pattern(subject_regex: str) -> re.Pattern[str] | None:
    try:
        pattern = re.compile(subject_regex) if subject_regex else None
    except re.error as error:
        what = f"{subject_regex!r} is no regular expression ({error})"
        raise InputError("--subject_regex", what, r"write for example '^(\w+)_'") from None
    if pattern is not None and pattern.groups < 1:
        remedy = r"put the part that names the subject in brackets, as in '^(\w+)_'"
        raise InputError("--subject_regex", f"{subject_regex!r} has no group", remedy)
    return pattern
