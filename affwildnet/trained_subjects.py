"""Whom a model was trained on, in ``model.json``, so that it is found when one of them withdraws.

`data_pipeline.remove_subject` looks for `trained_subjects` there.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfrecords.index import RecordFile
from tfrecords.subjects import subject_digest
from tfrecords.workspace import read_json

KEY, COMPLETE = "trained_subjects", "trained_subjects_complete"


def trained_subjects(files: Iterable[RecordFile], parents: Iterable[Path]) -> dict[str, Any]:
    """``trained_subjects``: sorted digests of everyone in `files`, and of whom the models were trained on whose weights
    it starts from; ``trained_subjects_complete``: whether each of these says so.

    Args:
      parents: ``model.json`` of these models.
    """
    digests = {subject_digest(file.sidecar.subject) for file in files if file.sidecar.subject}
    complete = True
    for parent in parents:
        told = read_json(parent).get("database", {}) if parent.exists() else {}
        digests.update(told.get(KEY, ()))
        complete = complete and bool(told.get(COMPLETE))
    return {KEY: sorted(digests), COMPLETE: complete}


def add_subjects(known: dict[str, Any], database: dict[str, Any]) -> dict[str, Any] | None:
    """The `known` facts with the subjects that `database` has more, or None where nothing is to be written.

    A model that never said on whom it was trained does not begin to: the list would look complete.
    """
    if KEY not in known or set(database.get(KEY, ())) <= set(known[KEY]):
        return None
    return known | {KEY: sorted({*known[KEY], *database[KEY]})}
