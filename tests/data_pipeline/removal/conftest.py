"""A drawn workspace with everything in it that a removal has to find."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tfrecords.workspace import Workspace, read_csv, write_csv, write_json, write_text


@pytest.fixture(scope="session")
def full_workspace(demo_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy of `demo_workspace` with what other commands leave. Do not change it."""
    root = tmp_path_factory.mktemp("removal") / "workspace"
    shutil.copytree(demo_workspace.root, root)
    workspace = Workspace(root)
    rows = read_csv(workspace.manifest)
    alone = next(row for row in rows if len(row["subjects"].split()) == 1)
    entries = [row["entry"] for row in read_csv(workspace.partition)]
    for entry in entries:
        write_text(root / "features" / "0123456789abcdef" / f"{entry}.tfrecords", entry)
        write_json(root / "features" / "0123456789abcdef" / f"{entry}.json", {"entry": entry})
    for row in rows:
        write_text(workspace.contact_sheet(row["clip"]), f"<p>{row['subjects']}</p>")
    write_text(root / "statistics" / "index.html", f"<p>{alone['clip']}</p>")
    write_text(root / "clips" / f".{alone['clip']}.77@elsewhere.tmp.mp4", "half a clip")
    write_text(root / "agreement-valence.png", "a picture")
    agreement = [{"entry": entry, "dimension": "valence", "icc_2_1": "0.5"} for entry in [*entries, ""]]
    write_csv(root / "agreement.csv", ("entry", "dimension", "icc_2_1"), agreement)
    write_csv(root / "corrections.csv", ("entry", "from_frame", "to_frame", "take"), [
        {"entry": entry, "from_frame": "1", "to_frame": "2", "take": "none"} for entry in entries
    ])  # fmt: skip
    failures = [{"clip": row["clip"], "stage": "convert", "reason": row["clip"], "command": "-"} for row in rows]
    write_csv(workspace.failures, ("clip", "stage", "reason", "command"), failures)
    write_json(root / "build.json", {"labelled": entries, "failed": failures, "awaiting_annotation": []})
    imported = {"from": "csv", "clips": 3, "renamed": {f"Film {row['clip']}": row["clip"] for row in rows}}
    write_json(root / "import.json", [imported | {"set_aside": {}, "left_out": {}}])
    # Before it was trimmed the clip was called otherwise, and some of its files are there still.
    older = [row | {"clip": "old-name"} if row is alone else row for row in rows]
    write_csv(root / "manifest-old-1.csv", list(rows[0]), older)
    write_text(root / "faces" / "old-name.csv", "frame,face,member\n")
    write_csv(root / "trims.csv", list(rows[0]), rows)
    return workspace


@pytest.fixture
def copied(full_workspace: Workspace, tmp_path: Path) -> Callable[..., Workspace]:
    """``copied(name)`` is a copy to change; files share their bytes, for every write replaces a file."""

    def copy(name: str = "workspace") -> Workspace:
        shutil.copytree(full_workspace.root, tmp_path / name, copy_function=os.link)
        return Workspace(tmp_path / name)

    return copy


@pytest.fixture
def make_model() -> Callable[..., Path]:
    """``make_model(folder, database)`` writes a ``model.json`` and returns the folder."""

    def make(folder: Path, database: dict[str, object]) -> Path:
        write_text(folder / "model.json", json.dumps({"model": {}, "training": {}, "database": database}))
        return folder

    return make
