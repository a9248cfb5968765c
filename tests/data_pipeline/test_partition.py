from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.manifest import ManifestRow
from data_pipeline.partition import PARTITIONS, PartitionOptions, assign_groups, partition_database
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv, write_text

SHARES = (0.64, 0.16, 0.20)


def _database(root, subjects, seed=0):
    """A row for each item of `subjects` ("s1", or "s1 s2"), with labels for each of its entries."""
    workspace, rng = Workspace(root), np.random.default_rng(seed)
    rows = [ManifestRow(f"c{n}", Path("x.mp4"), tuple(s.split()), line=n + 2) for n, s in enumerate(subjects)]
    for entry in (entry for row in rows for entry in row.entries()):
        centre = rng.integers(-600, 600, 2)
        values = [centre + rng.integers(-200, 200, 2) for _ in range(rng.integers(5, 40))]
        lines = (f"{frame} {valence} {arousal}\n" for frame, (valence, arousal) in enumerate(values, start=1))
        write_text(workspace.labels(entry), "".join(lines))
    return workspace, rows


def _table(workspace):
    return read_csv(workspace.partition, ("entry", "subject", "partition", "frames", "valence", "arousal"))


def test_shares_are_reached_closely_by_entries_and_frames(tmp_path):
    workspace, rows = _database(tmp_path, [f"s{n}" for n in range(50)])
    counts = partition_database(workspace, rows, PartitionOptions())
    assert sum(counts.values()) == 50
    assert [counts[name] / 50 for name in PARTITIONS] == pytest.approx(SHARES, abs=0.03)
    table = _table(workspace)
    frames = {name: sum(int(row["frames"]) for row in table if row["partition"] == name) for name in PARTITIONS}
    assert [frames[name] / sum(frames.values()) for name in PARTITIONS] == pytest.approx(SHARES, abs=0.03)
    for dimension in ("valence", "arousal"):
        sums = [
            sum(int(row["frames"]) * float(row[dimension]) for row in table if row["partition"] == name)
            for name in PARTITIONS
        ]
        scale = sum(int(row["frames"]) * abs(float(row[dimension])) for row in table)
        assert np.abs(np.array(sums) - np.multiply(SHARES, sum(sums))).max() < 0.03 * scale


@settings(max_examples=10)
@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=2, unique=True), min_size=3, max_size=15))
def test_no_subject_and_no_clip_is_in_two_parts(tmp_path_factory, people):
    subjects = [" ".join(f"s{number}" for number in clip) for clip in people]
    workspace, rows = _database(tmp_path_factory.mktemp("w"), subjects)
    partition_database(workspace, rows, PartitionOptions())
    for column in ("subject", "clip"):
        parts = {}
        for row in _table(workspace):
            assert parts.setdefault(row[column], row["partition"]) == row["partition"]


def test_two_person_clips_join_their_people_and_these_others(tmp_path):
    workspace, rows = _database(tmp_path, ["a b", "b c", "c", "d", "e", "f"])
    partition_database(workspace, rows, PartitionOptions())
    parts = {row["subject"]: row["partition"] for row in _table(workspace)}
    assert parts["a"] == parts["b"] == parts["c"]


def test_same_database_gives_the_same_partition(tmp_path):
    workspace, rows = _database(tmp_path, [f"s{n % 9}" for n in range(20)])
    tables = []
    for _ in range(2):
        partition_database(workspace, rows, PartitionOptions())
        tables.append(workspace.partition.read_bytes())
    assert tables[0] == tables[1]


def test_three_people_fill_three_parts():
    totals = np.array([[1.0, 100, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]])
    assert sorted(assign_groups(totals, SHARES)) == [0, 1, 2]


def test_one_person_is_a_database_too():
    assert assign_groups(np.array([[1.0, 10, -3, 4]]), SHARES) == [0]


def test_entries_without_labels_are_left_out(tmp_path):
    workspace, rows = _database(tmp_path, ["a", "b", "c", "d"])
    workspace.labels("c1").unlink()
    partition_database(workspace, rows, PartitionOptions())
    assert [row["entry"] for row in _table(workspace)] == ["c0", "c2", "c3"]


def test_labelled_clip_without_a_subject_is_named_with_its_line(tmp_path):
    workspace, rows = _database(tmp_path, ["a", "", "c"])
    message = r"manifest\.csv, line 3: column 'subjects' is empty for the labelled clip c1; name the person"
    with pytest.raises(InputError, match=message):
        partition_database(workspace, rows, PartitionOptions())


@pytest.mark.parametrize(
    "shares", [("0.5", "0.5"), ("0.5", "0.3", "0.3"), ("1.2", "-0.1", "-0.1"), ("a", "b", "c"), ()]
)
def test_bad_shares_are_refused_with_a_remedy(tmp_path, shares):
    workspace, rows = _database(tmp_path, ["a"])
    with pytest.raises(InputError, match=r"--shares: .* is not three shares that sum to 1; give for example"):
        partition_database(workspace, rows, PartitionOptions(shares))


def test_shares_that_are_not_numbers_are_refused(tmp_path):
    workspace, rows = _database(tmp_path, ["a"])
    with pytest.raises(InputError, match="--shares"):
        partition_database(workspace, rows, PartitionOptions(("nan", "0.5", "0.5")))


def test_database_without_labels_is_refused(tmp_path):
    with pytest.raises(InputError, match="labels: no frame is labelled; annotate clips"):
        partition_database(Workspace(tmp_path), [], PartitionOptions())
