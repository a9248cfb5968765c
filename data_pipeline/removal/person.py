"""Which clips and entries are a person's, by ``manifest.csv`` and the older manifests beside it."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from data_pipeline.manifest import ManifestRow, read_manifest
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv


@dataclasses.dataclass(frozen=True)
class Person:
    """Whom to take out of a workspace.

    `rows` are the manifest's rows that name them, `older` rows of older manifests whose clips are not in it any more.
    `kept` are the entries of other people in these clips that stay (clip -> entry); `names` are the clips and entries
    that go, and `others` all other names of the manifest.
    """

    subject: str
    rows: tuple[ManifestRow, ...]
    older: tuple[ManifestRow, ...]
    kept: dict[str, str]
    names: frozenset[str]
    others: frozenset[str]
    remaining: tuple[ManifestRow, ...]


def find_person(workspace: Workspace, subject: str, keep_others: bool = False) -> Person:
    """Everything that is of `subject`, who must be named in the manifest.

    Raises:
      InputError: nobody is called so (naming who is called nearly so), or the manifest has faults.
    """
    rows = read_manifest(workspace)
    mine = tuple(row for row in rows if subject in row.subjects)
    remaining = tuple(row for row in rows if subject not in row.subjects)
    current = {row.clip for row in rows}
    # A clip that the manifest now gives to somebody else was mended; one that it has no more, its parts have replaced.
    older = tuple(row for row in _older_rows(workspace) if subject in row.subjects and row.clip not in current)
    if not mine and not older:
        raise InputError(workspace.manifest, f"no clip names the subject {subject!r}", _remedy(subject, rows))
    kept = {row.clip: _other_entry(row, subject) for row in mine if keep_others and len(row.subjects) == 2}
    others = {name for row in remaining for name in (row.clip, *row.entries())} | set(kept.values())
    # Entries of a time when the manifest named one person more or fewer in a clip, too.
    names = {name for row in mine + older for name in (row.clip, f"{row.clip}-p1", f"{row.clip}-p2")} - others
    return Person(subject, mine, older, kept, frozenset(names), frozenset(others), remaining)


def is_named(workspace: Workspace, subject: str) -> bool:
    """Whether the manifest, which may be empty by now, or an older one names `subject`."""
    named = read_csv(workspace.manifest, ("clip", "source"))
    return any(subject in row.get("subjects", "").split() for row in named) or any(
        subject in row.subjects for row in _older_rows(workspace)
    )


def older_manifests(workspace: Workspace) -> list[Path]:
    """The manifests that `data_pipeline.suggest_trims` has written beside the one that counts."""
    found = [*sorted(workspace.root.glob("manifest-old-*.csv")), workspace.root / "trims.csv"]
    return [path for path in found if path.exists()]


def _older_rows(workspace: Workspace) -> Iterable[ManifestRow]:
    """Clips, sources and subjects of the older manifests; other faults of theirs matter no more."""
    for path in older_manifests(workspace):
        for row in read_csv(path, ("clip", "source")):
            subjects = tuple(row.get("subjects", "").split())
            if row["clip"].strip():
                yield ManifestRow(row["clip"].strip(), row["source"].strip(), subjects)


def _other_entry(row: ManifestRow, subject: str) -> str:
    return row.entries()[1 - row.subjects.index(subject)]


def _remedy(subject: str, rows: Sequence[ManifestRow]) -> str:
    known = sorted(set(itertools.chain.from_iterable(row.subjects for row in rows)))
    lowered = {name.lower(): name for name in known}
    close = difflib.get_close_matches(subject.lower(), lowered, 5, 0.6)
    meant = f"did you mean {' or '.join(lowered[name] for name in close)}" if close else "none is called nearly so"
    return f"name one of its {len(known)} subjects in --subject ({meant})"
