"""Rows of tables that are about the person, and the lists of clips in the JSON files that tell of a whole workspace."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data_pipeline.removal.change import Change, delete
from data_pipeline.removal.other_person import kept_row
from data_pipeline.removal.person import Person, older_manifests
from tfrecords.workspace import Workspace, read_csv, read_json, write_csv, write_json

Row = dict[str, str]
AGREEMENT = ("agreement.csv", "agreement_annotators.csv")


def table_changes(workspace: Workspace, person: Person) -> Iterator[Change]:
    """Takes the person's rows out of the tables and their names out of ``build.json`` and ``import.json``.

    Raises:
      InputError: a table cannot be read.
    """
    yield from _agreement_changes(workspace, person)
    for path in (workspace.partition, workspace.official, workspace.failures, workspace.corrections):
        if path.exists():
            yield from rewrite_table(path, read_csv(path), person)
    for path, lists in ((workspace.root / "build.json", _BUILD), (workspace.root / "import.json", _IMPORT)):
        if path.exists():
            value = read_json(path)
            pruned, gone = _without_names(value, person, lists)
            if gone:
                apply = functools.partial(write_json, path, pruned)
                yield Change("row", path, f"{gone} of the names in it taken out", apply, gone)


def manifest_changes(workspace: Workspace, person: Person) -> Iterator[Change]:
    """Takes the person's rows out of the manifests, the one that counts last: it tells what is still to be done."""
    for path in older_manifests(workspace):
        yield from rewrite_table(path, read_csv(path), person)
    rows = read_csv(workspace.manifest)
    lines = {row.clip: row for row in person.rows}
    kept = [
        kept_row(workspace, row, lines[row["clip"].strip()], person) if row["clip"].strip() in person.kept else row
        for row in rows
        if row["clip"].strip() not in lines or row["clip"].strip() in person.kept
    ]
    gone, changed = len(rows) - len(kept), len(person.kept)
    what = f"{gone} rows taken out" + (f", {changed} of clips with two people changed" if changed else "")
    # With the header alone, where nobody is left, so that the columns stay.
    if kept != rows:
        yield Change("row", workspace.manifest, what, lambda: write_csv(workspace.manifest, list(rows[0]), kept), gone)


def is_about(row: Row, person: Person) -> bool:
    """Whether a row names one of the person's clips or entries, or the person."""
    if row.get("entry", "").strip() in person.kept.values():
        return False
    named = {row.get(column, "").strip() for column in ("clip", "entry")}
    return bool(named & person.names) or person.subject in (row.get("subject"), *row.get("subjects", "").split())


def _agreement_changes(workspace: Workspace, person: Person) -> Iterator[Change]:
    """The person's rows, and with them the means over everybody and the plots, in which they are a point."""
    tables = {path: read_csv(path) for name in AGREEMENT if (path := workspace.root / name).exists()}
    if not any(is_about(row, person) for rows in tables.values() for row in rows):
        return
    for plot in sorted(workspace.root.glob("agreement-*.png")):
        yield delete(plot, "deleted: it shows everybody, make it again with data_pipeline.agreement")
    for path, rows in tables.items():
        yield from rewrite_table(path, rows, person, without_means=True)


def rewrite_table(path: Path, rows: Sequence[Row], person: Person, without_means: bool = False) -> Iterator[Change]:
    """Takes the person's rows out of one table, and the file with the last of them."""
    left = [row for row in rows if not is_about(row, person) and not (without_means and not row.get("entry"))]
    clip_of = {entry: entry for entry in person.kept.values()}
    moved = [
        row | {"clip": clip_of[row["entry"]]} if "clip" in row and row.get("entry") in clip_of else row for row in left
    ]
    gone = len(rows) - len(left)
    if not gone and moved == left:
        return
    if not moved:
        yield Change("row", path, f"deleted: all of its {gone} rows go", lambda: path.unlink(missing_ok=True), gone)
        return
    what = f"{gone} rows taken out" if gone else "the clip's new name written"
    yield Change("row", path, what, lambda: write_csv(path, list(rows[0]), moved), gone)


# Keys under which names of clips and entries stand.
_BUILD = ("labelled", "awaiting_annotation", "failed")
_IMPORT = ("renamed", "set_aside")


def _without_names(value: Any, person: Person, lists: Sequence[str]) -> tuple[Any, int]:
    """`value`, a dict or a list of dicts, with the person's names taken out below the keys `lists`; and how many."""
    if isinstance(value, list):
        pairs = [_without_names(item, person, lists) for item in value]
        return [item for item, _ in pairs], sum(gone for _, gone in pairs)
    if not isinstance(value, dict):
        return value, 0
    made, gone = dict(value), 0
    for key in lists:
        named = value.get(key)
        if isinstance(named, list):
            made[key] = [item for item in named if not _names(item, person)]
        elif isinstance(named, dict):
            made[key] = {name: item for name, item in named.items() if not ({name, item} & person.names)}
        gone += len(named or ()) - len(made.get(key) or ())
    return made, gone


def _names(item: Any, person: Person) -> bool:
    return (item.get("clip") if isinstance(item, dict) else item) in person.names
