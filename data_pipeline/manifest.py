"""The manifest: a CSV with a row a clip, which a person can edit and the pipeline starts from.

``python -m data_pipeline.manifest --workspace=W --folder=DIR`` writes one for the videos of a folder, and with
``--example`` one with the links of Aff-Wild.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from data_pipeline import manifest_cells as cells
from data_pipeline.new_manifest import VIDEO_SUFFIXES, write_example, write_manifest
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, check_name, read_numbered_csv

COLUMNS = (
    "clip",
    "source",
    "start",
    "end",
    "part",
    "subjects",
    "gender",
    "keyword",
    "expected_affect",
    "licence",
    "notes",
    "age",
    "ethnicity",
)
_MOST_FAULTS = 50
Cell = TypeVar("Cell")


@dataclasses.dataclass(frozen=True)
class ManifestRow:
    """One clip.

    `source` is a link or a path as the manifest has it (`source_file` is the file); `start` and `end` are the seconds
    of the source between which the clip lies, None for its own; `part` numbers the clips of one source; `subjects` are
    up to two ids. `gender`, `age` and `ethnicity` are free text, with two subjects a word for each or ''.
    """

    clip: str
    source: str
    subjects: tuple[str, ...] = ()
    gender: str = ""
    notes: str = ""
    line: int = 0
    start: float | None = None
    end: float | None = None
    part: str = ""
    keyword: str = ""
    expected_affect: str = ""
    licence: str = ""
    age: str = ""
    ethnicity: str = ""

    def entries(self) -> tuple[str, ...]:
        """The clip's entries, one a person: the clip's name, or with two subjects ``CLIP-p1`` and ``CLIP-p2``."""
        if len(self.subjects) < 2:
            return (self.clip,)
        return tuple(f"{self.clip}-p{person}" for person in range(1, len(self.subjects) + 1))


def source_file(workspace: Workspace, row: ManifestRow) -> Path:
    """The video that the clip is cut from: the row's path, or where the stage `download` puts what it links to.

    That name is made from the link, ``sources/VIDEO-HASH.mkv``, so that all parts of a video share one download and
    renaming a clip costs none. A link to a video file keeps its suffix.
    """
    if not cells.is_link(row.source):
        return workspace.root / row.source
    path = urlsplit(row.source).path
    suffix = Path(path).suffix.lower()
    words = path[: -len(suffix)] if suffix in VIDEO_SUFFIXES else row.source
    name = re.sub(r"[^A-Za-z0-9_-]", "_", re.split(r"[/=?&#]", words.rstrip("/"))[-1]).strip("-_")[:60] or "video"
    digest = hashlib.sha256(row.source.encode()).hexdigest()[:8]
    return workspace.sources / f"{name}-{digest}{suffix if suffix in VIDEO_SUFFIXES else '.mkv'}"


def read_manifest(workspace: Workspace) -> list[ManifestRow]:
    """The rows of ``manifest.csv``, checked whole before any work starts.

    Raises:
      InputError: naming line and column of every fault (the first 50): a name that is no file name, a clip named
        twice, a bad source, time or part, more than two subjects, a column that looks like a misspelt one.
    """
    path = workspace.manifest
    if not path.exists():
        raise InputError(
            path, "there is no manifest", "write one with python -m data_pipeline.manifest --workspace=W --folder=DIR"
        )
    return read_manifest_file(path)


def read_manifest_file(path: Path) -> list[ManifestRow]:
    """`read_manifest` of a file that may lie anywhere."""
    read = read_numbered_csv(path, required=("clip", "source"))
    if not read:
        raise InputError(path, "the manifest has no rows", "add a row for each video")
    faults = _misspelt_columns(path, read[0][1])
    rows = [_read_row(path, line, row, faults) for line, row in read]
    faults += _clashes(path, rows)
    if faults:
        raise _combined(path, sorted(faults, key=lambda fault: fault.line or 0))
    return rows


def _read_row(path: Path, line: int, row: dict[str, str], faults: list[InputError]) -> ManifestRow:
    """The row; what is wrong in it is added to `faults` and replaced by nothing."""

    def read(column: str, reader: Callable[[str, Path, int], Cell], instead: Cell) -> Cell:
        return _try(column, lambda: reader(row.get(column, "").strip(), path, line), instead, faults)

    nobody: tuple[str, ...] = ()
    subjects = read("subjects", cells.read_subjects, nobody)
    texts = ("gender", "keyword", "expected_affect", "licence", "notes", "age", "ethnicity")
    found: dict[str, Any] = {column: read(column, cells.read_text, "") for column in texts}
    for column in ("gender", "age", "ethnicity"):
        _try(column, functools.partial(cells.check_word_each, found[column], subjects, path, line), None, faults)
    start, end = read("start", cells.read_time, None), read("end", cells.read_time, None)
    if end is not None and end <= (start or 0.0):
        faults.append(InputError(path, "column 'end': it does not lie after the start", "mend the times", line))
    return ManifestRow(
        clip=read("clip", check_name, ""),
        source=read("source", cells.read_source, ""),
        subjects=subjects,
        start=start,
        end=end,
        part=read("part", cells.read_part, ""),
        line=line,
        **found,
    )


def _try(column: str, read: Callable[[], Cell], instead: Cell, faults: list[InputError]) -> Cell:
    try:
        return read()
    except InputError as error:
        faults.append(InputError(error.path, f"column '{column}': {error.what}", error.remedy, error.line))
        return instead


def _clashes(path: Path, rows: Iterable[ManifestRow]) -> list[InputError]:
    """Names that two clips or their entries share, regardless of case, and parts that a source has twice."""
    faults = []
    names: dict[str, int] = {}
    parts: dict[tuple[str, str], int] = {}
    for row in rows:
        # Entries too: CLIP-p1 of a clip with two subjects must not be another clip's name.
        own = sorted({row.clip, *row.entries()}) if row.clip else []
        for name in own:
            if name.lower() in names:
                what = f"column 'clip': {name} is on line {names[name.lower()]} already"
                faults.append(InputError(path, what, "rename one of the two", row.line))
                break
        names.update({name.lower(): row.line for name in own if name.lower() not in names})
        if row.part and row.source:
            first = parts.setdefault((row.source, row.part), row.line)
            if first != row.line:
                what = f"column 'part': line {first} is part {row.part} of this source already"
                faults.append(InputError(path, what, "give the clip another number", row.line))
    return faults


def _misspelt_columns(path: Path, row: dict[str, str]) -> list[InputError]:
    """Columns of one's own are welcome, but not one that looks like a column that is missing."""
    faults = []
    missing = [column for column in COLUMNS if column not in row]
    for column in row:
        meant = difflib.get_close_matches(column.strip().lower(), missing, 1, 0.8) if column not in COLUMNS else []
        if meant:
            what = f"column {column[:60]!r}: it looks like '{meant[0]}'"
            faults.append(InputError(path, what, "mend the name, or name a column of your own otherwise", 1))
    return faults


def _combined(path: Path, faults: list[InputError]) -> InputError:
    if len(faults) == 1:
        return faults[0]
    listed = "".join(f"\n  line {fault.line}: {fault.what}; {fault.remedy}" for fault in faults[:_MOST_FAULTS])
    more = f"\n  and {len(faults) - _MOST_FAULTS} more" if len(faults) > _MOST_FAULTS else ""
    return InputError(path, f"the manifest has {len(faults)} faults", f"mend them:{listed}{more}")


@dataclasses.dataclass(frozen=True)
class ManifestOptions:
    """What `python -m data_pipeline.manifest` takes."""

    workspace: str = options.option("", "workspace folder, made if it does not exist")
    folder: str = options.option("", "folder of videos, searched with its subfolders")
    subject_regex: str = options.option(
        r"", "regular expression whose first group in the file's name is the subject; by default each file is a subject"
    )
    example: bool = options.option(
        False, "write the 140 links of Aff-Wild, as an example, in place of a folder's files"
    )


def main(argv: list[str]) -> int:
    chosen = options.from_flags(ManifestOptions)
    if not chosen.workspace or bool(chosen.folder) == chosen.example:
        remedy = "name the workspace and either --folder or --example"
        raise InputError("--workspace and --folder", "both are needed", remedy)
    workspace = Workspace(Path(chosen.workspace))
    if chosen.example:
        print(f"{write_example(workspace)} links written to {workspace.manifest}; 'subjects' is left to you")
        return 0
    count = write_manifest(workspace, Path(chosen.folder), COLUMNS, chosen.subject_regex)
    print(f"{count} clips written to {workspace.manifest}")
    if not chosen.subject_regex:
        print("each file is taken for another person: where one is in several, give them one id in column 'subjects'")
    return 0


if __name__ == "__main__":
    options.run_main(main, ManifestOptions)
