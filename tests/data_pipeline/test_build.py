"""The whole pipeline through its command, on good and bad input."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from data_pipeline.manifest import read_manifest
from tfrecords.index import open_record
from tfrecords.labels import read_labels
from tfrecords.workspace import Workspace, read_csv, write_text

ROOT = Path(__file__).parents[2]
GOOD = "2-25-640x360"  # a clip of one person


def _build(workspace, *flags, workers=1):
    # One worker is quickest for a clip or two, for each of them loads TensorFlow.
    command = [sys.executable, "-m", "data_pipeline.build", f"--workspace={workspace.root}", f"--workers={workers}"]
    command += flags
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def _manifest(workspace, rows):
    with open(workspace.manifest, "w", newline="") as stream:
        csv.writer(stream).writerows([("clip", "source", "subjects"), *rows])


def _annotate(workspace, entry, text):
    for dimension in ("valence", "arousal"):
        write_text(workspace.annotations / "anna" / entry / f"{dimension}.txt", text)


def _times(workspace):
    files = [path for path in workspace.root.rglob("*") if path.is_file()]
    # These say what the last build did, not what it made.
    told = ("build.json", "partition.csv", "partition.json")
    return {path: path.stat().st_mtime_ns for path in files if path.name not in told}


@pytest.fixture
def workspace(tmp_path, demo_workspace):
    """A workspace with the demo's sources and annotations, nothing built."""
    workspace = Workspace(tmp_path)
    for folder in ("sources", "annotations"):
        shutil.copytree(demo_workspace.root / folder, workspace.root / folder)
    return workspace


def test_good_clip_becomes_a_record_and_each_bad_one_a_sentence(workspace):
    source = workspace.sources / "2.mp4"
    (workspace.sources / "notes.mp4").write_text("these are notes\n")
    (workspace.sources / "cut.mp4").write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    bad_annotations = {"line": "0 1\n0.1 many\n", "range": "0 1\n0.1 2\n0.2 1001\n", "descending": "0.2 1\n0.1 2\n"}
    rows = [(GOOD, "sources/2.mp4", "s1"), ("notes", "sources/notes.mp4", "s2"), ("cut", "sources/cut.mp4", "s3")]
    rows.append(("missing", "sources/missing.mp4", "s4"))
    for name, text in bad_annotations.items():
        rows.append((name, "sources/2.mp4", f"s-{name}"))
        _annotate(workspace, name, text)
    _manifest(workspace, rows)

    done = _build(workspace, workers=2)
    assert done.returncode == 1, done.stderr
    assert len(open_record(workspace.record(GOOD)).frames) == 120
    assert [path.name for path in workspace.record("x").parent.glob("*.tfrecords")] == [f"{GOOD}.tfrecords"]
    failures = {row["clip"]: row for row in read_csv(workspace.failures)}
    expected = {
        "notes": ("probe", "sources/notes.mp4: this is no readable video", "fetch it again"),
        "cut": ("probe", "sources/cut.mp4: this is no readable video", "fetch it again"),
        "missing": ("probe", "sources/missing.mp4: the video file is missing", "put it there"),
        "line": ("match", "line/valence.txt, line 2: '0.1 many' is not 'seconds value'", "mend or delete the line"),
        "range": ("match", "range/valence.txt, line 3: the value 1001 is out of range", "use whole numbers"),
        "descending": ("match", "descending/valence.txt, line 2: the stamp 0.1 s lies before", "sort the lines"),
    }
    assert sorted(failures) == sorted(expected)
    for clip, (stage, what, remedy) in expected.items():
        reason = failures[clip]["reason"]
        assert failures[clip]["stage"] == stage and what in reason and f"; {remedy}" in reason
        assert reason.endswith(".") and "\n" not in reason and reason in done.stderr + done.stdout
    assert "Traceback" not in done.stderr

    # Mended, it is no failure any more.
    _annotate(workspace, "line", "0 1\n0.1 2\n")
    assert _build(workspace, "--clips=line", "--to=match").returncode == 0
    assert sorted({row["clip"] for row in read_csv(workspace.failures)}) == sorted(set(expected) - {"line"})


def test_second_build_does_nothing_again(demo_workspace):
    before = _times(demo_workspace)
    done = _build(demo_workspace, "--shares=0.5,0.25,0.25")
    assert done.returncode == 0 and _times(demo_workspace) == before, done.stderr
    assert not demo_workspace.failures.exists()


def test_changed_annotation_redoes_match_and_convert_of_its_clip_only(workspace):
    _manifest(workspace, [(GOOD, "sources/2.mp4", "s1"), ("again", "sources/2.mp4", "s2")])
    shutil.copytree(workspace.annotations / "demo" / GOOD, workspace.annotations / "demo" / "again")
    assert _build(workspace).returncode == 0
    before = _times(workspace)
    path = workspace.annotations / "demo" / "again" / "valence.txt"
    path.write_text("0 -7\n")
    assert _build(workspace).returncode == 0
    after = _times(workspace)
    changed = {file.relative_to(workspace.root).as_posix() for file in after if after[file] != before.get(file)}
    records = {"records/again.tfrecords", "records/again.json"}
    assert (
        changed
        == {
            path.relative_to(workspace.root).as_posix(),
            "labels/again.txt",
            "labels/again.json",
            "provenance/again.json",
        }
        | records
    )
    assert json.loads((workspace.root / "records/again.json").read_text())["ranges"]["valence"] == [-0.007, -0.007]
    given = workspace.annotations / "demo" / "again"
    assert len([file for file in after if file.stem == "again" and file.parent != given]) <= 10


def test_clip_without_annotation_waits_and_fails_only_if_annotations_are_required(workspace):
    shutil.rmtree(workspace.annotations)
    _manifest(workspace, [(GOOD, "sources/2.mp4", "s1")])
    done = _build(workspace)
    assert done.returncode == 0 and f"1 awaiting annotation: {GOOD}" in done.stdout, done.stderr
    assert not workspace.failures.exists() and not workspace.labels(GOOD).exists()
    done = _build(workspace, "--require_annotations", "--to=match")
    assert done.returncode == 1
    assert "there is no annotation; annotate the clip or drop --require_annotations" in done.stderr + done.stdout


def test_loose_crops_are_a_folder_a_clip_and_the_rest_reads_them(workspace):
    _manifest(workspace, [(GOOD, "sources/2.mp4", "s1")])
    assert _build(workspace, "--loose_crops", "--to=match").returncode == 0
    crops = sorted(os.listdir(workspace.crops(GOOD).with_suffix("")))
    assert len(crops) >= 120 and crops[0].startswith("00001") and not workspace.crops(GOOD).exists()
    assert len(read_csv(workspace.faces(GOOD))) == len(read_labels(workspace.labels(GOOD))) == 120


def test_demo_s_clip_with_two_people_has_a_record_for_each(demo_workspace):
    (two,) = [row for row in read_manifest(demo_workspace) if len(row.subjects) == 2]
    records = [open_record(demo_workspace.record(entry)) for entry in two.entries()]
    assert [len(record.frames) for record in records] == [120, 120]
    assert tuple(record.sidecar.subject for record in records) == two.subjects
    faces = [read_csv(demo_workspace.faces(entry)) for entry in two.entries()]
    assert all(float(one["x"]) < float(two["x"]) for one, two in zip(*faces, strict=True))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--workspace="], "no workspace is named; give the folder"),
        (["--workspace=/nowhere"], "/nowhere/manifest.csv: there is no manifest; write one with"),
    ],
)
def test_command_that_cannot_start_says_so_in_one_sentence(flags, message):
    done = subprocess.run(
        [sys.executable, "-m", "data_pipeline.build", *flags], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("stage", ["download", "partition", "choose_face"])
def test_stage_s_own_command_runs_it_alone(demo_workspace, stage):
    before = _times(demo_workspace)
    command = [sys.executable, "-m", f"data_pipeline.{stage}", f"--workspace={demo_workspace.root}"]
    if stage == "partition":
        command.append("--shares=0.5,0.25,0.25")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]
    changed = {path.name for path, time in _times(demo_workspace).items() if before.get(path) != time}
    assert not changed


def test_clip_that_the_manifest_does_not_know_is_named(workspace):
    _manifest(workspace, [(GOOD, "sources/2.mp4", "s1")])
    done = _build(workspace, "--clips=other")
    assert done.returncode == 1 and "there is no clip other; name clips of the manifest in --clips" in done.stderr


@pytest.fixture
def built(tmp_path, demo_workspace):
    """A copy of the built demo workspace, which may be changed."""
    shutil.copytree(demo_workspace.root, tmp_path / "copy")
    return Workspace(tmp_path / "copy")


def test_moved_workspace_is_built_already(built):
    before = _times(built)
    done = _build(built)
    assert done.returncode == 0, done.stderr
    assert _times(built) == before


@pytest.mark.slow
def test_clip_set_aside_leaves_the_partition_until_it_is_mended(built):
    trace = built.annotations / "demo" / GOOD / "valence.txt"
    good = trace.read_text()
    trace.write_text("0.1 5000\n")
    assert _build(built, "--from=match").returncode == 1
    assert GOOD not in {row["clip"] for row in read_csv(built.partition)}
    # A later stage neither forgets the failure nor takes the old labels.
    again = _build(built, "--from=partition")
    assert again.returncode == 1
    assert [row["clip"] for row in read_csv(built.failures)] == [GOOD]
    assert GOOD not in {row["clip"] for row in read_csv(built.partition)}
    trace.write_text(good)
    assert _build(built).returncode == 0
    assert GOOD in {row["clip"] for row in read_csv(built.partition)} and not built.failures.exists()


def test_failure_of_a_clip_that_left_the_manifest_goes(built):
    rows = [(row.clip, str(row.source), " ".join(row.subjects)) for row in read_manifest(built)]
    _manifest(built, [*rows, ("gone", "sources/gone.mp4", "s9")])
    assert _build(built, "--to=probe").returncode == 1
    _manifest(built, rows)
    assert _build(built, "--to=probe").returncode == 0
    assert not built.failures.exists()
