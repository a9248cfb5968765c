"""The folders of a workspace, and how files in it are written.

Each stage reads one folder and writes the next, so any stage can be redone alone. ``WORKSPACE.md`` describes every
file format. Two names run through all of it: a *clip* is one video, a row of the manifest; an *entry* is one person in
one clip, ``CLIP`` itself or, where the manifest names two subjects, ``CLIP-p1`` and ``CLIP-p2``. (The thesis counts
entries: its 159 videos hold two-person clips twice.)
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfrecords.errors import InputError
from tfrecords.temporaries import temporary_beside

# Names become file names on every platform, so nothing that a shell or a path could read as more than a name.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}")


@dataclasses.dataclass(frozen=True)
class Workspace:
    """Paths of one database; nothing is created or read until it is used."""

    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root))

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.csv"

    @property
    def database(self) -> Path:
        return self.root / "database.json"

    @property
    def partition(self) -> Path:
        return self.root / "partition.csv"

    @property
    def official(self) -> Path:
        return self.root / "official.csv"

    @property
    def failures(self) -> Path:
        return self.root / "failures.csv"

    @property
    def corrections(self) -> Path:
        return self.root / "corrections.csv"

    @property
    def sources(self) -> Path:
        return self.root / "sources"

    @property
    def annotations(self) -> Path:
        return self.root / "annotations"

    def clip(self, clip: str) -> Path:
        return self.root / "clips" / f"{clip}.mp4"

    def probe(self, clip: str) -> Path:
        return self.root / "clips" / f"{clip}.json"

    def detections(self, clip: str) -> Path:
        return self.root / "detections" / f"{clip}.parquet"

    def crops(self, clip: str) -> Path:
        """The clip's crops: a ZIP file, or with ``--loose_crops`` a folder of the same name without ``.zip``."""
        return self.root / "crops" / f"{clip}.zip"

    def faces(self, entry: str) -> Path:
        return self.root / "faces" / f"{entry}.csv"

    def contact_sheet(self, clip: str) -> Path:
        return self.root / "contact_sheets" / f"{clip}.html"

    def labels(self, entry: str) -> Path:
        return self.root / "labels" / f"{entry}.txt"

    def label_report(self, entry: str) -> Path:
        return self.root / "labels" / f"{entry}.json"

    def record(self, entry: str) -> Path:
        return self.root / "records" / f"{entry}.tfrecords"

    def provenance(self, clip: str) -> Path:
        return self.root / "provenance" / f"{clip}.json"

    def database_facts(self) -> dict[str, Any]:
        """``database.json`` as a dict: ``name`` and ``synthetic`` at least, made up where the file is absent."""
        facts: dict[str, Any] = {"name": self.root.resolve().name, "synthetic": False}
        if self.database.exists():
            facts.update(read_json(self.database))
        return facts


def check_name(name: str, path: str | os.PathLike[str], line: int | None = None) -> str:
    """Returns `name` if it can safely be a file's name, else raises `InputError` naming `path` and `line`."""
    if not _NAME.fullmatch(name):
        shown = name if len(name) <= 60 else name[:60] + "…"
        remedy = "use 1 to 120 letters, digits, '.', '_' and '-', beginning with a letter, a digit or '_'"
        raise InputError(path, f"the name {shown!r} cannot be a file's name", remedy, line)
    return name


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside `path` that replaces it if the block ends well, and is removed if not.

    The temporary file keeps the suffix (ffmpeg chooses its container by it) and is flushed to disk before the rename,
    so that a reader sees the old file or the whole new one, after a power cut too.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes JSON atomically, keys in the order given."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads JSON; raises `InputError` naming the file where it is missing or no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(path, "the file is missing", "run the command that writes it (see WORKSPACE.md)") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        line = getattr(error, "lineno", None)
        raise InputError(path, "this is not JSON", "delete it and run the command that writes it again", line) from None


def write_csv(path: str | os.PathLike[str], columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes a CSV with a header atomically; missing values are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_csv(path: str | os.PathLike[str], required: Sequence[str] = ()) -> list[dict[str, str]]:
    """Reads a CSV with a header into a list of dicts; absent values are ''.

    Raises:
      InputError: the file is missing, not UTF-8 text, or lacks a column of `required`.
    """
    return [row for _, row in read_numbered_csv(path, required)]


def read_numbered_csv(path: str | os.PathLike[str], required: Sequence[str] = ()) -> list[tuple[int, dict[str, str]]]:
    """`read_csv` with the number of each row's line (its last, where a value holds line breaks)."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(path, "the file is missing", "run the command that writes it (see WORKSPACE.md)") from None
    except UnicodeDecodeError:
        raise InputError(path, "this is not UTF-8 text", "save it as CSV in UTF-8") from None
    reader = csv.DictReader(io.StringIO(text), restval="")
    try:
        names = list(reader.fieldnames or ())
        missing = [column for column in required if column not in names]
        if missing:
            raise InputError(path, f"the column {missing[0]!r} is missing", "add it to the first line", 1)
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(path, f"the column {twice!r} is there twice", "take one of the two out", 1)
        rows = []
        for row in reader:
            if None in row:  # a comma too many moves all values after it into other columns
                what = "the row has more values than there are columns"
                raise InputError(path, what, 'put values that hold commas in double quotes ("a, b")', reader.line_num)
            rows.append((reader.line_num, dict(row)))
        return rows
    except csv.Error as error:
        raise InputError(path, f"this is no CSV ({error})", "mend the line", reader.line_num) from None
