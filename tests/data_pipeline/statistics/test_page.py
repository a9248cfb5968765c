"""The page and the files beside it, of the drawn database and of parts of it."""

import base64
import csv
import io
import re
import shutil
import subprocess
import sys
from collections import Counter

import cv2
import numpy as np
import pytest

from data_pipeline.agreement import COLUMNS
from data_pipeline.manifest import read_manifest
from data_pipeline.partition_options import PartitionOptions
from data_pipeline.statistics.collect import collect
from data_pipeline.statistics.faces import subject_tile
from data_pipeline.statistics.page import StatisticsOptions, write_statistics
from tfrecords.workspace import Workspace, read_csv, read_json, write_csv, write_json

FIGURES = (
    *("figure_3_16_valence", "figure_3_16_arousal", "figure_3_17_valence", "figure_3_17_arousal"),
    *("figure_3_17_density", "thin_regions", "lengths", "figure_3_2_strip", "subjects_1"),
)


def _copy(source, target):
    """All that statistics read."""
    shutil.copytree(source.root, target, ignore=shutil.ignore_patterns("sources", "*.mp4", "records", "provenance"))
    return Workspace(target)


@pytest.fixture(scope="module")
def database(tmp_path_factory, demo_workspace):
    """The drawn database, its people with a gender, and the page about it. Do not change it."""
    workspace = _copy(demo_workspace, tmp_path_factory.mktemp("statistics") / "w")
    rows = read_csv(workspace.manifest)
    for row, word in zip(rows, ("female", "male", "nonbinary"), strict=True):
        row["gender"] = " ".join([word] * len(row["subjects"].split()))
    write_csv(workspace.manifest, tuple(rows[0]), rows)
    return workspace, _write(workspace)


@pytest.fixture
def workspace(tmp_path, database):
    """A copy to change."""
    return _copy(database[0], tmp_path / "w")


def _write(workspace, **options):
    database = collect(workspace, read_manifest(workspace), PartitionOptions())
    return write_statistics(workspace, database, StatisticsOptions(**options)).read_text(encoding="utf-8")


def _table(workspace, name):
    return read_csv(workspace.root / "statistics" / f"{name}.csv")


def _label_lines(workspace):
    # Their first line names the columns.
    return {path.stem: path.read_text().split("\n")[1:-1] for path in (workspace.root / "labels").glob("*.txt")}


def test_tables_count_what_the_files_hold(database):
    workspace, _ = database
    lines, manifest = _label_lines(workspace), {row.clip: row for row in read_manifest(workspace)}
    parts = {row["entry"]: row["partition"] for row in read_csv(workspace.partition)}
    assert len(lines) == 4 and len(manifest) == 3
    rates = Counter(f"{read_json(workspace.probe(clip))['frame_rate']:g}" for clip in manifest)
    assert {row["frames_per_second"]: int(row["videos"]) for row in _table(workspace, "table_3_2_frame_rates")} == rates
    for row in _table(workspace, "table_3_6_frames"):
        own = [entry for entry in lines if row["part"] in (parts[entry], "total")]
        assert int(row["entries"]) == len(own) and int(row["frames"]) == sum(len(lines[entry]) for entry in own)
    genders = {}
    for row in manifest.values():
        genders |= {entry: row.gender.split()[0] for entry in row.entries()}
    for row in _table(workspace, "table_3_7_genders"):
        own = Counter(genders[entry] for entry in lines if row["part"] in (parts[entry], "total"))
        assert {name: int(row[name]) for name in ("male", "female", "nonbinary", "not told")} == {
            name: own[name] for name in ("male", "female", "nonbinary", "not told")
        }
    classes = Counter(row["valence_class"] for row in read_csv(workspace.partition))
    total = _table(workspace, "table_3_5_classes")[-1]
    assert {name: int(total[name]) for name in classes} == classes and total["total"] == "4"
    told = {row["attribute"]: row["description"] for row in _table(workspace, "table_3_8_attributes")}
    assert told["clips"] == "3" and told["entries (people in clips)"] == "4" and told["synthetic"] == "yes"
    assert told["labelled frames"] == str(sum(map(len, lines.values()))) and told["length of videos"] == "0.07-0.07 min"


def test_page_is_one_file_with_figures_that_are_not_blank(database):
    workspace, page = database
    sources = re.findall(r'(?:src|href|srcset|data|action)\s*=\s*["\']?([^"\'>\s]{1,40})', page)
    assert len(sources) == len(FIGURES) and all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"https?://|url\(|@import|<script|<link|<iframe", page)
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)" alt="([^"]+)"', page)
    for name in FIGURES:
        data = (workspace.root / "statistics" / f"{name}.png").read_bytes()
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape[1] > 400 and picture.std() > 5, name
        assert base64.b64encode(data).decode() in {own for own, _ in pictures}
    assert all(len(alt) > 30 for _, alt in pictures)


def test_figures_are_shown_in_the_size_they_were_drawn_in(database):
    page = database[1]
    widths = re.findall(r'<img style="width: ([0-9.]+)in"', page)
    assert sorted(set(widths)) == ["4.40", "4.80", "9.00"] and len(widths) == len(FIGURES)


def test_montage_lists_every_subject(database):
    workspace, page = database
    subjects = sorted({subject for row in read_manifest(workspace) for subject in row.subjects})
    assert len(subjects) == 4
    assert f"A face of each of 4 subjects with id and entries: {', '.join(subjects)}." in page
    assert f"{subjects[0]} to {subjects[-1]}. Up to four of a subject&#39;s entries share a tile" in page


def test_tile_of_a_subject_shows_a_face_of_each_of_its_entries(database):
    workspace, _ = database
    entries = [(row.clip, entry) for row in read_manifest(workspace) for entry in row.entries()]
    whole = subject_tile(workspace, entries, 112)
    assert whole.shape == (112, 112, 3)
    for number, pair in enumerate(entries):
        alone = subject_tile(workspace, [pair], 112)
        top, left = 56 * (number // 2), 56 * (number % 2)
        small = cv2.resize(alone, (55, 55), interpolation=cv2.INTER_AREA)
        assert np.abs(whole[top : top + 55, left : left + 55].astype(int) - small).mean() < 3
    assert subject_tile(workspace, [("nowhere", "nowhere")], 112) is None


def test_dropped_frames_are_told_by_reason(workspace):
    entry = next(iter(sorted(_label_lines(workspace))))
    path = workspace.labels(entry)
    header, *lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([header, *lines[12:]]))
    report = read_json(workspace.label_report(entry))
    report["dropped"]["before_annotation"] += 7
    report["dropped"]["gap"] += 5
    write_json(workspace.label_report(entry), report)
    page = _write(workspace)
    (row,) = [row for row in _table(workspace, "dropped_by_entry") if row["entry"] == entry]
    assert (row["before_annotation"], row["gap"], row["not_annotated"]) == ("7", "5", "0")
    total = _table(workspace, "dropped_frames")[-1]
    assert total["before_annotation"] == "7" and "before annotation" in page


def test_agreement_is_shown_where_it_was_measured(workspace, database, monkeypatch):
    assert "Agreement of the annotators" not in database[1]
    row = dict.fromkeys(COLUMNS, "0.5") | {"entry": "x", "dimension": "valence", "annotators": "anna zoe"}
    write_csv(workspace.root / "agreement.csv", COLUMNS, [row])
    monkeypatch.setattr("data_pipeline.statistics.page.ROWS_ON_PAGE", 3)
    page = _write(workspace)
    assert "Agreement of the annotators" in page and "anna zoe" in page
    assert _table(workspace, "agreement") == [row]
    # Long tables are cut on the page only.
    assert "1 more rows are in dropped_by_entry.csv." in page and len(_table(workspace, "dropped_by_entry")) == 4


def test_labels_with_further_columns_are_counted_as_others(workspace, database):
    for path in (workspace.root / "labels").glob("*.txt"):
        header, *lines = path.read_text().splitlines()
        path.write_text(f"{header} liking\n" + "".join(f"{line} 3\n" for line in lines))
    before = collect(database[0], read_manifest(database[0]), PartitionOptions())
    after = collect(workspace, read_manifest(workspace), PartitionOptions())
    for entry, (frames, values) in before.labels.items():
        assert np.array_equal(after.labels[entry][0], frames) and np.array_equal(after.labels[entry][1], values)
    assert after.entries.equals(before.entries)


def test_without_a_partition_and_gender_the_rest_is_shown(workspace):
    workspace.partition.unlink()
    workspace.partition.with_suffix(".json").unlink()
    rows = [row | {"gender": ""} for row in read_csv(workspace.manifest)]
    write_csv(workspace.manifest, tuple(rows[0]), rows)
    page = _write(workspace)
    assert "Missing: there is no partition yet." in page and "Missing: the manifest tells no gender." in page
    (total,) = _table(workspace, "table_3_7_genders")
    assert total == {"part": "total", "male": "0", "female": "0", "not told": "4", "total": "4"}
    assert (workspace.root / "statistics" / "figure_3_16_valence.png").exists()


def test_without_labels_there_are_sources_and_faces_and_no_old_picture(workspace):
    assert (workspace.root / "statistics" / "figure_3_2_strip.png").exists()
    for folder in ("labels", "partition.csv", "partition.json"):
        path = workspace.root / folder
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = _write(workspace)
    assert "no entry is labelled yet" in page
    pictures = {path.stem for path in (workspace.root / "statistics").glob("*.png")}
    assert pictures == {"lengths", "subjects_1"}
    assert {row["dropped_percent"] for row in _table(workspace, "dropped_by_entry")} == {"100.0"}


def test_a_manifest_alone_has_statistics(tmp_path):
    workspace = Workspace(tmp_path)
    write_csv(workspace.manifest, ("clip", "source", "subjects"), [{"clip": "a", "source": "a.mp4", "subjects": "s"}])
    write_json(workspace.database, {"name": "<b>", "synthetic": False})
    page = _write(workspace)
    assert "&lt;b&gt;" in page and "<b>" not in page
    told = {row["attribute"]: row["description"] for row in _table(workspace, "table_3_8_attributes")}
    assert told["clips"] == "1" and told["length of videos"] == "not known yet"


def test_command_writes_the_page_and_refuses_an_unknown_entry(workspace):
    command = [sys.executable, "-m", "data_pipeline.statistics", f"--workspace={workspace.root}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "4 entries, 4 labelled" in done.stdout, done.stderr
    assert (workspace.root / "statistics" / "index.html").exists()
    refused = subprocess.run([*command, "--strip_entry=nobody"], capture_output=True, text=True)
    assert refused.returncode != 0 and "there is no labelled entry nobody" in refused.stderr
    first = next(csv.reader(io.StringIO((workspace.root / "statistics" / "dropped_frames.csv").read_text())))
    assert first[:3] == ["part", "entries", "frames"]


def test_frames_with_other_labels_only_are_labelled_but_in_no_distribution(workspace, database):
    paths = sorted((workspace.root / "labels").glob("*.txt"))
    for number, path in enumerate(paths):
        lines = [line.split()[:3] for line in path.read_text().splitlines() if not line.startswith("#")]
        rows = [f"{frame} nan nan 1000" if number == 0 else f"{frame} {v} {a} 0" for frame, v, a in lines]
        path.write_text("# frame valence arousal au12\n" + "\n".join(rows) + "\n")
    found, before = (collect(each, read_manifest(each), PartitionOptions()) for each in (workspace, database[0]))
    first = paths[0].stem
    assert (
        first in found.labels
        and first not in found.felt()
        and found.entries["labelled"].equals(before.entries["labelled"])
    )
    page = _write(workspace)
    (row,) = _table(workspace, "further_labels")
    counts = {entry: len(own[0]) for entry, own in found.labels.items()}
    assert row["label"] == "au12" and int(row["total_frames"]) == sum(counts.values())
    assert float(row["total_mean"]) == pytest.approx(counts[first] / sum(counts.values()), abs=1e-4)
    assert f"{sum(counts.values()) - counts[first]:,} labelled frames." in page
