"""A person is taken out of everything, nobody else loses anything, and a broken-off removal can be finished."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from data_pipeline.engine import process_clip
from data_pipeline.manifest import read_manifest, source_file
from data_pipeline.removal.plan import Plan, plan_removal
from data_pipeline.remove_subject import remove_subject
from data_pipeline.stages import STAGES
from tfrecords.errors import InputError
from tfrecords.index import open_record
from tfrecords.subjects import subject_digest
from tfrecords.workspace import Workspace, read_csv, write_csv, write_json, write_text

ROOT = Path(__file__).parents[3]
Copied = Callable[..., Workspace]


def contents(root: Path) -> dict[str, bytes]:
    """Path -> bytes of every file, by a walk that knows nothing of the removal."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def run_remove(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "data_pipeline.remove_subject", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def subject_of(workspace: Workspace, people: int) -> tuple[str, str]:
    """A clip that shows so many people, and the last of them."""
    row = next(row for row in read_manifest(workspace) if len(row.subjects) == people)
    return row.clip, row.subjects[-1]


def build(workspace: Workspace) -> None:
    for row in read_manifest(workspace):
        outcome = process_clip(workspace, row, {name: stage.options() for name, stage in STAGES.items()})
        assert not outcome.reason, outcome


@pytest.mark.parametrize("people", [1, 2])
def test_nothing_of_a_person_is_left_and_nobody_else_loses_a_byte(copied: Copied, people: int) -> None:
    workspace = copied()
    clip, subject = subject_of(workspace, people)
    before = contents(workspace.root)
    assert remove_subject(workspace, plan_removal(workspace, subject, delete_sources=True)) == []
    after = contents(workspace.root)
    told = re.compile(rf"(?<![\w.-]){clip}(?!\w)|{subject}" + ("|old-name" if people == 1 else ""))
    assert [name for name in after if told.search(name)] == []
    text = (".csv", ".json", ".txt", ".html", ".md")
    assert [name for name, data in after.items() if name.endswith(text) and told.search(data.decode())] == []
    folders = (
        "clips",
        "detections",
        "crops",
        "faces",
        "labels",
        "records",
        "features",
        "annotations",
        "truth",
        "sources",
    )
    mine = re.compile(rf"/\.?{clip}(-p\d)?[./]|/old-name|/{clip.split('-')[0]}\.mp4")
    kept = {name for name in before if name.startswith(folders) and not mine.search(name)}
    assert {name for name in after if name.startswith(folders)} >= kept
    assert all(after[name] == before[name] for name in kept | {"database.json"})
    rows = read_csv(workspace.root / "removals.csv")
    assert [(row["subject_sha256"], row["state"], row["clips"]) for row in rows] == [
        (subject_digest(subject), "finished", "1")
    ]


def test_a_later_build_changes_no_record_of_others(copied: Copied) -> None:
    workspace = copied()
    (workspace.root / "corrections.csv").unlink()
    build(workspace)
    _, subject = subject_of(workspace, 1)
    remove_subject(workspace, plan_removal(workspace, subject))
    before = contents(workspace.root / "records")
    stamps = {name: (workspace.root / "records" / name).stat().st_mtime_ns for name in before}
    build(workspace)
    assert contents(workspace.root / "records") == before
    assert stamps == {name: (workspace.root / "records" / name).stat().st_mtime_ns for name in before}


def test_a_dry_run_changes_nothing_and_lists_all_that_goes(copied: Copied) -> None:
    workspace = copied()
    clip, subject = subject_of(workspace, 1)
    before = contents(workspace.root)
    done = run_remove(f"--workspace={workspace.root}", f"--subject={subject}")
    assert done.returncode == 0, done.stderr
    assert contents(workspace.root) == before
    listed = [line.split(": ")[0] for line in done.stdout.splitlines()]
    assert {str(workspace.record(clip)), str(workspace.clip(clip)), str(workspace.manifest)} <= set(listed)
    assert f"{workspace.root}/sources/{clip.split('-')[0]}.mp4: stays, --delete_sources is not given" in done.stdout
    assert "nothing was changed" in done.stdout


@pytest.mark.parametrize("keep_others", [False, True])
def test_broken_off_anywhere_it_ends_the_same(copied: Copied, keep_others: bool) -> None:
    whole = copied("whole")
    _, subject = subject_of(whole, 2)
    plan = plan_removal(whole, subject, delete_sources=True, keep_others=keep_others)
    remove_subject(whole, plan)
    wanted = contents(whole.root)
    for done in range(len(plan.changes)):
        broken = copied(f"broken{done}")
        first = plan_removal(broken, subject, delete_sources=True, keep_others=keep_others)
        with pytest.raises(KeyboardInterrupt):
            remove_subject(broken, _breaking(first, done))
        assert subject in broken.manifest.read_text()
        second = plan_removal(broken, subject, delete_sources=True, keep_others=keep_others)
        assert remove_subject(broken, second) == []
        assert contents(broken.root) == wanted, f"broken off after {done} changes"


def _breaking(plan: Plan, done: int) -> Plan:
    """The plan whose change number `done` is interrupted."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    changes = list(plan.changes)
    changes[done] = dataclasses.replace(changes[done], apply=interrupt)
    return dataclasses.replace(plan, changes=tuple(changes))


def test_broken_off_after_the_last_row_it_is_finished_by_the_same_command(copied: Copied) -> None:
    workspace = copied()
    _, subject = subject_of(workspace, 1)
    remove_subject(workspace, plan_removal(workspace, subject))
    log = workspace.root / "removals.csv"
    write_text(log, log.read_text().replace("finished", "begun"))
    flags = (f"--workspace={workspace.root}", f"--subject={subject}")
    done = run_remove(*flags, "--yes")
    assert done.returncode == 0, done.stderr
    assert read_csv(log)[0]["state"] == "finished"
    again = run_remove(*flags, "--yes")
    assert again.returncode == 1 and "no clip names the subject" in again.stderr


def test_an_unknown_subject_is_refused_with_the_ones_meant(copied: Copied) -> None:
    workspace = copied()
    _, subject = subject_of(workspace, 1)
    with pytest.raises(InputError, match=f"did you mean .*{subject}"):
        plan_removal(workspace, subject.upper() + "x")


def test_names_that_begin_alike_and_numbers_are_told_apart(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    clips = [("1", "7"), ("1.b", "8"), ("1-p", "17")]
    write_csv(
        workspace.manifest,
        ("clip", "source", "subjects", "notes"),
        [{"clip": clip, "source": "v.mp4", "subjects": subject, "notes": "1 7"} for clip, subject in clips],
    )
    for clip, _ in clips:
        write_text(workspace.labels(clip), "1 7 1\n7 1 7\n")
        write_json(workspace.label_report(clip), {"entry": clip, "frames": 1, "lags": {"1": "7"}})
    assert remove_subject(workspace, plan_removal(workspace, "7")) == []
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == [
        "1-p.json",
        "1-p.txt",
        "1.b.json",
        "1.b.txt",
    ]
    assert [row["subjects"] for row in read_csv(workspace.manifest)] == ["8", "17"]


def test_the_last_person_leaves_a_manifest_with_its_columns(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    write_csv(workspace.manifest, ("clip", "source", "subjects"), [{"clip": "a", "source": "v.mp4", "subjects": "x"}])
    assert remove_subject(workspace, plan_removal(workspace, "x")) == []
    assert workspace.manifest.read_text() == "clip,source,subjects\n"


def test_what_is_left_is_told_with_exit_code_1(copied: Copied) -> None:
    workspace = copied()
    clip, subject = subject_of(workspace, 1)
    write_text(workspace.root / "mine" / f"{clip}.csv", "frame\n")
    write_text(workspace.root / "notes.txt", f"first line\n{subject}, born 1990\n")
    write_text(workspace.root / "list.json", f'["records/{clip}.tfrecords"]')
    flags = (f"--workspace={workspace.root}", f"--subject={subject}", "--yes")
    done = run_remove(*flags)
    assert done.returncode == 1
    assert f"left: {workspace.root}/mine/{clip}.csv" in done.stderr
    assert f"left: {workspace.root}/notes.txt, line 2: {subject}" in done.stderr
    assert f"left: {workspace.root}/list.json, line 1: {clip}" in done.stderr


def test_folders_on_another_disk_are_cleared_and_searched(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    write_csv(workspace.manifest, ("clip", "source", "subjects"), [{"clip": "a", "source": "v.mp4", "subjects": "x"}])
    for name in ("faces/a.csv", "crops/a/00001.jpg", "mine/a.csv"):
        write_text(tmp_path / "disk" / name, "frame\n")
    for name in ("faces", "crops", "mine"):
        (workspace.root / name).symlink_to(tmp_path / "disk" / name)
    (tmp_path / "disk" / "mine" / "round").symlink_to(tmp_path / "disk" / "mine")
    assert remove_subject(workspace, plan_removal(workspace, "x")) == [str(workspace.root / "mine" / "a.csv")]
    assert list((tmp_path / "disk" / "faces").iterdir()) == list((tmp_path / "disk" / "crops").iterdir()) == []


def test_sources_of_others_and_outside_the_workspace_stay(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    outside = tmp_path / "mine.mp4"
    link = "https://example.org/watch?v=abc"
    rows = [
        {"clip": "a", "source": "sources/shared.mp4", "subjects": "x"},
        {"clip": "b", "source": "sources/shared.mp4", "subjects": "y"},
        {"clip": "c", "source": "../mine.mp4", "subjects": "x"},
        {"clip": "d", "source": link, "subjects": "x"},
        {"clip": "e", "source": "sources/own.mp4", "subjects": "x"},
        {"clip": "f", "source": "clips/b.mp4", "subjects": "x"},
        {"clip": "g", "source": "sources/link.mp4", "subjects": "x"},
    ]
    write_csv(workspace.manifest, ("clip", "source", "subjects"), rows)
    for path in (
        outside,
        *(workspace.root / name for name in ("sources/shared.mp4", "sources/own.mp4", "clips/b.mp4")),
    ):
        write_text(path, "video")
    (workspace.sources / "link.mp4").symlink_to(outside)
    video = source_file(workspace, read_manifest(workspace)[3])
    for path in (video, video.with_suffix(".info.json"), video.with_suffix(".de.vtt")):
        write_text(path, "{}")
    plan = plan_removal(workspace, "x", delete_sources=True)
    stays = {source.path.name: source.stays for source in plan.left}
    assert stays == {
        "shared.mp4": "a clip of somebody else is cut from it too",
        "mine.mp4": "it lies outside the workspace",
        "link.mp4": "it lies outside the workspace",
        "b.mp4": "it is another clip's output",
    }
    assert remove_subject(workspace, plan) == []
    assert outside.exists() and (workspace.root / "clips/b.mp4").exists()
    assert sorted(path.name for path in workspace.sources.iterdir()) == ["link.mp4", "shared.mp4"]


def test_of_two_people_the_other_can_be_kept_and_is_built_as_before(copied: Copied) -> None:
    workspace = copied()
    (workspace.root / "corrections.csv").unlink()
    clip, subject = subject_of(workspace, 2)
    kept = f"{clip}-p1"
    records = open_record(workspace.record(kept)).path.read_bytes()
    labels = workspace.labels(kept).read_bytes()
    members = {face["member"] for face in read_csv(workspace.faces(kept))}
    plan = plan_removal(workspace, subject, delete_sources=True, keep_others=True)
    assert remove_subject(workspace, plan) == []
    row = next(row for row in read_manifest(workspace) if row.clip == kept)
    assert row.entries() == (kept,) and row.source == f"crops/{kept}.zip" and len(row.subjects) == 1
    assert set(zipfile.ZipFile(workspace.crops(kept)).namelist()) == members
    assert not workspace.clip(clip).exists() and not workspace.clip(kept).exists()
    assert not (workspace.sources / f"{clip.split('-')[0]}.mp4").exists()
    assert [r["clip"] for r in read_csv(workspace.partition) if r["entry"] == kept] == [kept]
    build(workspace)
    assert workspace.record(kept).read_bytes() == records and workspace.labels(kept).read_bytes() == labels
    assert open_record(workspace.record(kept)).sidecar.clip == kept
    # Then the other one goes too.
    assert remove_subject(workspace, plan_removal(workspace, row.subjects[0], delete_sources=True)) == []
    assert [name for name in contents(workspace.root) if clip in name] == []


def test_another_person_whose_faces_are_not_chosen_cannot_be_kept(copied: Copied) -> None:
    workspace = copied()
    clip, subject = subject_of(workspace, 2)
    workspace.faces(f"{clip}-p1").unlink()
    before = contents(workspace.root)
    with pytest.raises(InputError, match="is not known; build the clip up to the stage filter first"):
        plan_removal(workspace, subject, keep_others=True)
    assert contents(workspace.root) == before


def test_models_tests_and_predictions_of_the_person_are_found(
    copied: Copied, make_model: Callable[..., Path], tmp_path: Path
) -> None:
    workspace = copied()
    clip, subject = subject_of(workspace, 1)
    me, you = subject_digest(subject), subject_digest("somebody")
    models = tmp_path / "models"
    make_model(models / "mine", {"name": "A", "trained_subjects": [me, you], "trained_subjects_complete": True})
    make_model(models / "deep" / "yours", {"trained_subjects": [you], "trained_subjects_complete": True})
    make_model(models / "child", {"trained_subjects": [you], "trained_subjects_complete": False})
    make_model(models / "old", {"name": "A"})
    test = models / "mine" / "test"
    write_text(test / "total" / f"{clip}.csv", "frame\n")
    write_text(test / "total" / "other.csv", "frame\n")
    write_text(test / "total" / "figure_6_3_arousal.png", "")
    tables = (test / "total-entries.csv", models / "mine" / "evaluations" / "20.csv")
    for table in tables:
        write_text(table, f"entry,clip,ccc_total\n{clip},{clip},0.5\nother,other,0.4\n")
    write_json(test / "results.json", {"checkpoints": {"total": {"ccc_by_entry": {clip: 1, "other": 2}}}})
    predictions = tmp_path / "predictions"
    stem = clip.split("-")[0]  # of the source
    for name in (f"{clip}.csv", f"{stem}.png", f"{stem}-affect.mp4", "other.csv", f"{clip}-more.csv"):
        write_text(predictions / name, "frame\n")
    flags = (f"--workspace={workspace.root}", f"--subject={subject}", f"--models={models}")
    done = run_remove(*flags, f"--predictions={predictions}", "--yes")
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if line.startswith("model ") or " models were " in line]
    assert told == [
        f"model {models}/child: it does not say on whom",
        f"model {models}/mine: trained on the person (database A)",
        f"model {models}/old: it does not say on whom (database A)",
        "1 of 4 models were trained on the person, 2 do not say on whom",
    ]
    assert sorted(path.name for path in predictions.iterdir()) == [f"{clip}-more.csv", "other.csv"]
    assert [path.name for path in (test / "total").iterdir()] == ["other.csv"]
    assert [table.read_text() for table in tables] == ["entry,clip,ccc_total\nother,other,0.4\n"] * 2
    assert '"other": 2' in (test / "results.json").read_text() and clip not in (test / "results.json").read_text()
