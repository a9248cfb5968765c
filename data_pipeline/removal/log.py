"""``removals.csv``: that somebody was removed, and when; of the person it holds a digest only.

A removal is entered as ``begun``, with the counts of its plan, and is ``finished`` when the manifest has forgotten the
person; one that was broken off and begun again stays one row.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from data_pipeline.removal.change import Change
from tfrecords.subjects import subject_digest
from tfrecords.workspace import Workspace, read_csv, write_csv

COLUMNS = ("date", "subject_sha256", "state", "clips", "files", "rows")


def log_path(workspace: Workspace) -> Path:
    return workspace.root / "removals.csv"


def is_begun(workspace: Workspace, subject: str) -> bool:
    """Whether a removal of `subject` was begun and not finished."""
    return any(row["state"] == "begun" and row["subject_sha256"] == subject_digest(subject) for row in _read(workspace))


def enter_begun(workspace: Workspace, subject: str, clips: int, changes: Sequence[Change]) -> None:
    """Writes what is going to be done, unless an earlier run has."""
    if is_begun(workspace, subject):
        return
    counts = {f"{kind}s": sum(change.count for change in changes if change.kind == kind) for kind in ("file", "row")}
    row = {"date": datetime.date.today().isoformat(), "subject_sha256": subject_digest(subject), "state": "begun"}
    write_csv(log_path(workspace), COLUMNS, [*_read(workspace), row | {"clips": clips} | counts])


def enter_finished(workspace: Workspace, subject: str) -> None:
    digest = subject_digest(subject)
    rows = [row | {"state": "finished"} if row["subject_sha256"] == digest else row for row in _read(workspace)]
    write_csv(log_path(workspace), COLUMNS, rows)


def _read(workspace: Workspace) -> list[dict[str, str]]:
    return read_csv(log_path(workspace), COLUMNS) if log_path(workspace).exists() else []
