"""Builds of mutated input: none crashes, none writes outside the workspace, and every refusal is a sentence."""

import contextlib
import csv
import os
import random
import shutil
import subprocess

import pytest

from data_pipeline.cluster import ClusterOptions, open_client
from data_pipeline.demo_faces.database import DemoFacesOptions, write_demo_database
from data_pipeline.download import DownloadOptions
from data_pipeline.manifest import read_manifest, source_file
from data_pipeline.pipeline import ORDER, BuildOptions, build
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv

NASTY = [
    "../outside",
    "../../etc/passwd",
    "/etc/passwd",
    "/dev/zero",
    "/dev/stdin",
    "sources",
    ".",
    "; touch outside",
    "$(touch outside)",
    "`touch outside`",
    "| touch outside",
    "-i",
    "--help",
    "a b\tc",
    "a\nb",
    "'quoted\"",
    "concat:a|b",
    "pipe:0",
    "http://127.0.0.1:1/a.mp4",
    "%d.mp4",
    "*?[a]",
    "CON",
    "\u202egnp.exe",
    "e\u0301\u0327\U0001f600",
    "\ufeffa",
    "\u0000a",
    "\ud7ff\ue000",
    "x" * 10_000,
    "sources/" + "y" * 300 + ".mp4",
    "/".join(["z" * 200] * 30),
]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A workspace with one drawn clip of a second, and its annotation."""
    workspace = Workspace(tmp_path_factory.mktemp("drawn"))
    write_demo_database(
        workspace, DemoFacesOptions(subjects=1, two_person_clips=0, min_seconds=1.0, max_seconds=1.0, workers=1)
    )
    return workspace


def _mutated_video(draw, whole):
    data = bytearray(whole)
    kind = draw.randrange(6)
    if kind == 0:
        return bytes(data[: draw.randrange(len(data))])
    if kind == 1:  # in the first and last 2 kB lie the boxes that say what the rest is
        for _ in range(draw.choice([1, 4, 32])):
            place = draw.choice([draw.randrange(2000), len(data) - 1 - draw.randrange(2000)])
            data[place] ^= 1 << draw.randrange(8)
    elif kind == 2:
        for _ in range(draw.choice([1, 16, 256])):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif kind == 3:
        start = draw.randrange(len(data))
        data[start : start + draw.randrange(4096)] = bytes(draw.randrange(4096))
    elif kind == 4:
        start = draw.randrange(len(data))
        data[start:start] = draw.randbytes(draw.randrange(1, 4096))
    else:
        return draw.randbytes(draw.randrange(4096))
    return bytes(data)


def _garbage_annotation(draw, whole):
    lines = whole.splitlines()
    place = draw.randrange(len(lines))
    words = [
        "nan nan",
        "inf 0",
        "0 inf",
        "1e400 1",
        "-1 5",
        "0 1 2",
        "0",
        "a b",
        "0,5 3",
        "٣ ٤",
        "0x1 1",
        "1_0 1_0",
        "\x00",
    ]
    kind = draw.randrange(6)
    if kind == 0:
        return draw.randbytes(draw.randrange(2000))
    if kind == 1:
        lines[place] = draw.choice(words).encode()
    elif kind == 2:
        lines[place] = draw.randbytes(20).replace(b"\n", b"")
    elif kind == 3:
        lines[place] = b"9" * draw.choice([30, 5000, 100_000]) + b" 1"
    elif kind == 4:
        draw.shuffle(lines)
    else:
        return draw.choice([b"", b"\n\n", b"\xef\xbb\xbf" + whole, whole.replace(b"\n", b"\r\n"), whole[:-3], b"0 1"])
    return b"\n".join(lines) + b"\n"


def _files(folder, besides):
    return sorted(str(path) for path in folder.rglob("*") if besides not in path.parents)


def _is_accepted(folder, source):
    """Whether a manifest may name `source`."""
    folder.mkdir(exist_ok=True)
    with open(folder / "manifest.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("clip", "source"), ("a", source)])
    with contextlib.suppress(InputError):
        return len(read_manifest(Workspace(folder))) == 1
    return False


def _is_a_sentence(text):
    return text.endswith(".") and "; " in text and "\n" not in text and len(text) < 700


def _names_faults(text):
    """Whether it is a sentence, or several faults of a table, a line each with its remedy."""
    first, *faults = text.split("\n")
    return _is_a_sentence(text) if not faults else first.endswith(":") and all("; " in fault for fault in faults)


@pytest.mark.parametrize(
    ("cases", "last"),
    [(12, "match"), pytest.param(200, "convert", marks=[pytest.mark.slow, pytest.mark.timeout(1800)])],
)
def test_mutated_videos_and_annotations_are_each_built_or_set_aside_with_a_sentence(
    tmp_path, drawn, start_build, cases, last
):
    draw = random.Random(cases)
    workspace = Workspace(tmp_path / "around" / "workspace")
    (good,) = read_manifest(drawn)
    video = source_file(drawn, good).read_bytes()
    traces = {
        name: (drawn.annotations / "demo" / good.clip / name).read_bytes() for name in ("valence.txt", "arousal.txt")
    }
    workspace.sources.mkdir(parents=True)
    # What is refused with the manifest as a whole the next test looks at.
    accepted = [source for source in NASTY if _is_accepted(tmp_path / "accepted", source)]
    rows = [("whole", "sources/whole.mp4")]
    (workspace.sources / "whole.mp4").write_bytes(video)
    for case in range(cases):
        name, source = f"case{case}", "sources/whole.mp4"
        kind = case % 3
        if kind == 0:
            source = f"sources/{name}.mp4"
            (workspace.sources / f"{name}.mp4").write_bytes(_mutated_video(draw, video))
        elif kind == 1:
            source = draw.choice(accepted)
        rows.append((name, source))
    for name, _ in rows:
        folder = workspace.annotations / "anna" / name
        folder.mkdir(parents=True)
        mutated = draw.choice(list(traces)) if name.startswith("case") and int(name[4:]) % 3 == 2 else ""
        for file, whole in traces.items():
            (folder / file).write_bytes(_garbage_annotation(draw, whole) if file == mutated else whole)
    with open(workspace.manifest, "w", newline="", encoding="utf-8") as stream:
        people = [(*row, f"s{number}") for number, row in enumerate(rows)]
        csv.writer(stream).writerows([("clip", "source", "subjects"), *people])
    # What is written by a relative name is seen: the build's folder is watched too.
    folder = tmp_path / "around" / "here"
    folder.mkdir()
    before = _files(tmp_path, workspace.root)

    flags = [f"--to={last}", "--workers=2", "--worker_memory=2GiB", "--download_retries=0"]
    process = start_build(workspace, *flags, folder=folder)
    _, told = process.communicate(timeout=1500)
    if "Traceback" in told:
        pytest.fail(told[told.index("Traceback") :][:4000])
    assert process.returncode == 1, told
    assert _files(tmp_path, workspace.root) == before
    assert workspace.failures.exists(), told
    failures = {row["clip"]: row for row in read_csv(workspace.failures)}
    assert [row["reason"] for row in failures.values() if not _is_a_sentence(row["reason"])] == []
    for name, _ in rows:
        assert (name in failures) != workspace.labels(name).exists(), name
    assert "whole" not in failures and len(failures) > cases / 3
    # A crash of the decoder would be survived, but there is none.
    assert not [row for row in failures.values() if "died" in row["reason"]]
    made = {path.relative_to(workspace.root).parts[0] for path in workspace.root.rglob("*") if path.is_file()}
    expected = {"manifest.csv", "failures.csv", "build.json", "sources", "annotations", "clips", "detections", "crops"}
    expected |= {"faces", "labels", "provenance"}
    if last == "convert":
        expected |= {"partition.csv", "partition.json", "records"}
        for name, _ in rows:
            assert (name in failures) != workspace.record(name).exists(), name
    assert made <= expected


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Options of a running cluster of one worker; it and the test work in a folder that is watched."""
    monkeypatch.chdir(tmp_path)
    with open_client(Workspace(tmp_path), ClusterOptions(workers=1)) as client:
        yield ClusterOptions(scheduler=client.scheduler.address)


@pytest.mark.parametrize(
    ("cases", "last"),
    [(8, "probe"), pytest.param(100, "convert", marks=[pytest.mark.slow, pytest.mark.timeout(1800)])],
)
def test_mutated_manifests_are_refused_with_a_sentence_before_anything_is_written_or_built_in_the_workspace(
    tmp_path, drawn, cluster, cases, last
):
    draw = random.Random(cases)
    (good,) = read_manifest(drawn)
    names = ORDER[: ORDER.index(last) + 1]
    refused, made = 0, 0
    for case in range(cases):
        workspace = Workspace(tmp_path / f"case{case}")
        shutil.copytree(drawn.root / "sources", workspace.sources)
        row = {"clip": "a", "source": str(good.source), "subjects": "s1", "notes": ""}
        column = "notes" if case % 4 == 0 else draw.choice(["clip", "clip", "source", "subjects"])
        row[column] = draw.choice(NASTY)
        with open(workspace.manifest, "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, row)
            writer.writeheader()
            writer.writerow(row)
        if draw.random() < 0.3:
            data = bytearray(workspace.manifest.read_bytes())
            for _ in range(4):
                data[draw.randrange(len(data))] = draw.randrange(256)
            workspace.manifest.write_bytes(data)
        before = _files(tmp_path, tmp_path / "none")
        try:
            read_manifest(workspace)
        except InputError as error:
            refused += 1
            assert _names_faults(str(error)) and str(workspace.manifest) in str(error)
            with pytest.raises(InputError):
                build(workspace, BuildOptions(str(workspace.root)), ["probe"])
            assert _files(tmp_path, tmp_path / "none") == before
            continue
        outside = _files(tmp_path, workspace.root)
        made += _is_built(workspace, drawn.annotations / "demo" / good.clip, names, cluster)
        assert _files(tmp_path, workspace.root) == outside
    assert refused > cases / 4 and made > cases / 20


def _is_built(workspace, annotation, names, cluster):
    """Builds what a mutated manifest says; whether a clip came of it. Otherwise a sentence says why not."""
    for row in read_manifest(workspace):
        shutil.copytree(annotation, workspace.annotations / "anna" / row.entries()[0])
    given = {"download": DownloadOptions(retries=0)}
    try:
        result = build(workspace, BuildOptions(str(workspace.root)), names, given, cluster)
    except InputError as error:
        assert _is_a_sentence(str(error))
        return False
    assert [failure.reason for failure in result.failed if not _is_a_sentence(failure.reason)] == []
    if "convert" in names:
        assert all(workspace.record(entry).exists() for entry in result.labelled)
    return not result.failed


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB, where one can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_full_disk_stops_the_build_with_a_sentence_and_it_goes_on_with_more_room(small_disk, drawn, start_build):
    workspace = Workspace(small_disk / "workspace")
    names = [f"clip{number}" for number in range(4)]
    workspace.root.mkdir()
    (good,) = read_manifest(drawn)
    with open(workspace.manifest, "w", newline="") as stream:
        csv.writer(stream).writerows([("clip", "source"), *((name, source_file(drawn, good)) for name in names)])
    filler = small_disk / "filler"
    whole = source_file(drawn, good).stat().st_size
    room = os.statvfs(small_disk)
    # Room for two clips and a part of the third.
    filler.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - int(2.5 * whole) - 200_000)))
    process = start_build(workspace, "--to=match", "--workers=1")
    _, told = process.communicate(timeout=120)
    assert process.returncode == 1 and f"error: {workspace.root}: the disk is full; make room" in told, told
    assert "Traceback" not in told and not workspace.failures.exists()
    assert not list(workspace.root.rglob(".*"))
    kept = {path: path.stat().st_mtime_ns for path in workspace.root.glob("crops/*.zip")}
    filler.unlink()
    process = start_build(workspace, "--to=match", "--workers=1")
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert sorted(path.stem for path in workspace.root.glob("crops/*.zip")) == names
    assert all(path.stat().st_mtime_ns == changed for path, changed in kept.items())
