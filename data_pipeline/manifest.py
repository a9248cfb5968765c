"""The manifest: a CSV with a row a clip, which a person can edit and the pipeline starts from.

``python -m data_pipeline.manifest --workspace=W --folder=DIR`` writes one for the videos of a folder.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, check_name, read_numbered_csv, write_csv

COLUMNS = ("clip", "source", "subjects", "gender", "age", "ethnicity", "notes")
VIDEO_SUFFIXES = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".3gp"}


@dataclasses.dataclass(frozen=True)
class ManifestRow:
    """One clip: `source` is a path, taken from the workspace where it is relative; `subjects` are one or two ids."""

    clip: str
    source: Path
    subjects: tuple[str, ...]
    gender: str = ""
    notes: str = ""
    line: int = 0
    age: str = ""
    ethnicity: str = ""

    def entries(self) -> tuple[str, ...]:
        """The clip's entries, one a person: the clip's name, or with two subjects ``CLIP-p1`` and ``CLIP-p2``."""
        if len(self.subjects) < 2:
            return (self.clip,)
        return tuple(f"{self.clip}-p{person}" for person in range(1, len(self.subjects) + 1))


def read_manifest(workspace: Workspace) -> list[ManifestRow]:
    """The rows of ``manifest.csv``, checked whole before any work starts.

    Raises:
      InputError: naming line and column of the first fault: a name that is no file name, a clip named twice, a missing
        source, more than two subjects.
    """
    path = workspace.manifest
    if not path.exists():
        raise InputError(
            path, "there is no manifest", "write one with python -m data_pipeline.manifest --workspace=W --folder=DIR"
        )
    rows: list[ManifestRow] = []
    lines: dict[str, int] = {}
    for line, row in read_numbered_csv(path, required=("clip", "source")):
        clip = check_name(row["clip"].strip(), path, line)
        if not row["source"].strip():
            raise InputError(path, "column 'source' is empty", "name the clip's video file there", line)
        subjects = tuple(check_name(subject, path, line) for subject in row.get("subjects", "").split())
        if len(subjects) > 2 or len(set(subjects)) < len(subjects):
            raise InputError(path, "column 'subjects' takes one or two different ids", "mend the row", line)
        source = workspace.root / row["source"].strip()
        read = ManifestRow(
            clip,
            source,
            subjects,
            row.get("gender", ""),
            row.get("notes", ""),
            line,
            row.get("age", ""),
            row.get("ethnicity", ""),
        )
        # Entries too: CLIP-p1 of a clip with two subjects must not be another clip's name.
        for name in sorted({clip, *read.entries()}):
            if name.lower() in lines:
                what = f"column 'clip': {name} is on line {lines[name.lower()]} already"
                raise InputError(path, what, "rename one of the two", line)
        lines.update({name.lower(): line for name in (clip, *read.entries())})
        rows.append(read)
    if not rows:
        raise InputError(path, "the manifest has no rows", "add a row for each video")
    return rows


@dataclasses.dataclass(frozen=True)
class ManifestOptions:
    """What `python -m data_pipeline.manifest` takes."""

    workspace: str = options.option("", "workspace folder, made if it does not exist")
    folder: str = options.option("", "folder of videos, searched with its subfolders")
    subject_regex: str = options.option(
        r"", "regular expression whose first group in the file's name is the subject; by default each file is a subject"
    )


def write_manifest(workspace: Workspace, folder: Path, subject_regex: str = "") -> int:
    """Writes ``manifest.csv`` for the videos below `folder`; returns their number.

    Raises:
      InputError: the folder is missing or holds no video, or the workspace has a manifest already.
    """
    if workspace.manifest.exists():
        raise InputError(workspace.manifest, "there is a manifest already", "edit it, or move it away first")
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
    write_csv(workspace.manifest, COLUMNS, rows)
    return len(rows)


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


def main(argv: list[str]) -> int:
    chosen = options.from_flags(ManifestOptions)
    if not chosen.workspace or not chosen.folder:
        raise InputError("--workspace and --folder", "both are needed", "name the two folders")
    workspace = Workspace(Path(chosen.workspace))
    count = write_manifest(workspace, Path(chosen.folder), chosen.subject_regex)
    print(f"{count} clips written to {workspace.manifest}")
    if not chosen.subject_regex:
        print("each file is taken for another person: where one is in several, give them one id in column 'subjects'")
    return 0


if __name__ == "__main__":
    options.run_main(main, ManifestOptions)
