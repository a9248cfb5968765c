"""``model.json`` tells on whom a model was trained, through the models that it starts from, and after a resume."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

from affwildnet.input_spec import InputSpec
from affwildnet.model_folder import ModelFolder, describe_model
from affwildnet.models import ModelOptions
from affwildnet.trained_subjects import trained_subjects
from tfrecords.subjects import subject_digest
from tfrecords.workspace import read_json


def files_of(*subjects: str) -> Any:
    return [types.SimpleNamespace(sidecar=types.SimpleNamespace(subject=subject)) for subject in subjects]


def digests(*subjects: str) -> list[str]:
    return sorted(map(subject_digest, subjects))


def describe(path: Path, database: dict[str, Any]) -> dict[str, Any]:
    folder = ModelFolder(path)
    describe_model(folder, ModelOptions(cell="gru"), InputSpec(), {"case": "0"}, database)
    return read_json(folder.model)["database"]


def test_a_digest_is_of_the_id_alone() -> None:
    assert subject_digest("abc") == "ba7816bf8f01cfea"  # SHA-256's published example


def test_everybody_in_the_records_is_told_once_and_no_id_is_readable() -> None:
    told = trained_subjects(files_of("anna", "ben", "anna", ""), [])
    assert told == {"trained_subjects": digests("anna", "ben"), "trained_subjects_complete": True}


def test_whom_a_parent_saw_the_model_has_seen(tmp_path: Path) -> None:
    describe(tmp_path / "cnn", {"name": "D"} | trained_subjects(files_of("anna"), []))
    describe(tmp_path / "old", {"name": "D"})
    cnn, old, gone = (ModelFolder(tmp_path / name).model for name in ("cnn", "old", "gone"))
    assert trained_subjects(files_of("ben"), [cnn]) == {
        "trained_subjects": digests("anna", "ben"),
        "trained_subjects_complete": True,
    }
    assert not trained_subjects(files_of("ben"), [cnn, old])["trained_subjects_complete"]
    assert not trained_subjects(files_of("ben"), [gone])["trained_subjects_complete"]


def test_a_resumed_model_adds_who_has_joined_and_keeps_who_has_gone(tmp_path: Path) -> None:
    describe(tmp_path, {"name": "D"} | trained_subjects(files_of("anna"), []))
    after = describe(tmp_path, {"name": "E"} | trained_subjects(files_of("ben"), []))
    assert after == {"name": "D", "trained_subjects": digests("anna", "ben"), "trained_subjects_complete": True}


def test_a_model_that_never_told_is_resumed_and_does_not_begin_to(
    tmp_path: Path,
) -> None:
    old = describe(tmp_path, {"name": "D", "synthetic": False})
    assert describe(tmp_path, {"name": "D"} | trained_subjects(files_of("ben"), [])) == old
