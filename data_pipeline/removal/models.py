"""Models that were trained on the person, by their ``model.json``, and what is kept of tests on them.

A model's folder is the business of the package above; of it only this file, the results under
``test/`` and the tables by entry under ``evaluations/`` are read.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from data_pipeline.removal.change import Change, delete
from data_pipeline.removal.outputs import files_named
from data_pipeline.removal.person import Person
from data_pipeline.removal.tables import rewrite_table
from tfrecords.errors import InputError
from tfrecords.subjects import subject_digest
from tfrecords.workspace import read_csv, read_json, write_json

TRAINED, NOT_TRAINED, UNKNOWN = "trained on the person", "not trained on the person", "it does not say on whom"
# What affwildnet.predict leaves of a video.
_PREDICTED = (".csv", ".parquet", ".eaf", ".anvil", "-anvil-specification.xml", ".png", "-affect.mp4", ".json")


@dataclasses.dataclass(frozen=True)
class FoundModel:
    """A folder with a ``model.json``: the database's name, and `TRAINED`, `NOT_TRAINED` or `UNKNOWN`."""

    folder: Path
    database: str
    answer: str


def find_models(folders: Sequence[Path], subject: str) -> list[FoundModel]:
    """All models in `folders` and below, exported ones included.

    Raises:
      InputError: a folder is missing.
    """
    return [_examine(path, subject) for folder in folders for path in sorted(_existing(folder).rglob("model.json"))]


def result_changes(models: Iterable[FoundModel], person: Person) -> Iterator[Change]:
    """Takes what was measured on the person's entries out of models' folders.

    ``test/NAME/ENTRY.csv`` go, and the plots beside them, which show everybody; rows of the tables by entry and the
    scores in ``test/results.json`` are taken out.
    """
    for model in models:
        for folder in sorted(model.folder.glob("test/*")):
            tested = files_named(folder, person.names)
            plots = sorted(folder.glob("*.png")) if tested else []
            for path in tested:
                yield delete(path, "deleted: a test on the person")
            for path in plots:
                yield delete(path, "deleted: it shows everybody, make it again with affwildnet.test")
        for path in _tables_by_entry(model.folder):
            yield from rewrite_table(path, read_csv(path), person)
        path = model.folder / "test" / "results.json"
        value = read_json(path) if path.exists() else None
        gone = _forget_scores(value, person)
        if gone:
            apply = functools.partial(write_json, path, value)
            yield Change("row", path, f"{gone} scores taken out", apply, gone)


def _tables_by_entry(folder: Path) -> list[Path]:
    return [*sorted(folder.glob("evaluations*/*.csv")), *sorted(folder.glob("test/*-entries.csv"))]


def prediction_changes(folders: Sequence[Path], person: Person, videos: Iterable[Path]) -> Iterator[Change]:
    """Deletes what was predicted from the person's clips and from the `videos` that they are cut from.

    Raises:
      InputError: a folder is missing.
    """
    stems = sorted({video.stem for video in videos} | person.names)
    names = {f"{stem}{suffix}" for stem in stems for suffix in _PREDICTED}
    for folder in folders:
        for path in sorted(_existing(folder).rglob("*")):
            if path.name in names and path.is_file():
                yield delete(path, "deleted: a prediction")


def _examine(path: Path, subject: str) -> FoundModel:
    value = read_json(path)
    database = value.get("database", {}) if isinstance(value, dict) else {}
    known = database.get("trained_subjects")
    if isinstance(known, list) and subject_digest(subject) in known:
        answer = TRAINED
    else:
        # A model whose weights began as another's has seen whom that one saw.
        answer = NOT_TRAINED if isinstance(known, list) and database.get("trained_subjects_complete") else UNKNOWN
    return FoundModel(path.parent, str(database.get("name", "")), answer)


def _forget_scores(value: Any, person: Person) -> int:
    checkpoints = value.get("checkpoints", {}) if isinstance(value, dict) else {}
    gone = 0
    for result in checkpoints.values():
        scores = result.get("ccc_by_entry", {})
        for entry in person.names & set(scores):
            del scores[entry]
            gone += 1
    return gone


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(folder, "there is no such folder", "name folders in --models and --predictions")
    return folder
