import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.manifest import ManifestRow
from data_pipeline.partition import PARTITIONS, PartitionOptions, format_reached, partition_database
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv, write_csv, write_text

SHARES = (0.64, 0.16, 0.20)
QUICK = PartitionOptions(nodes=5, kicks=5)


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
    counts = partition_database(workspace, rows, QUICK).counts
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
        partition_database(workspace, rows, QUICK)
        tables.append(workspace.partition.read_bytes())
    assert tables[0] == tables[1]


def test_three_people_fill_three_parts(tmp_path):
    workspace, rows = _database(tmp_path, ["a", "a", "a", "a", "b", "c"])
    partition_database(workspace, rows, PartitionOptions())
    assert {row["partition"] for row in _table(workspace)} == set(PARTITIONS)


def test_one_person_is_a_database_too(tmp_path):
    workspace, rows = _database(tmp_path, ["a"])
    done = partition_database(workspace, rows, PartitionOptions())
    assert done.counts == {"train": 1, "validation": 0, "test": 0}
    assert done.facts["notes"][0] == "1 groups of people (a) cannot fill 3 parts"


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


def _facts(workspace):
    return json.loads((workspace.root / "partition.json").read_text())


def test_what_was_reached_is_written_as_the_table_has_it(tmp_path):
    workspace, rows = _database(tmp_path, [f"s{n}" for n in range(20)])
    rows = [dataclasses.replace(row, gender="male" if n % 2 else "female") for n, row in enumerate(rows)]
    partition_database(workspace, rows, QUICK)
    facts, table = _facts(workspace), _table(workspace)
    assert facts["entries"] == facts["subjects"] == facts["groups"] == 20
    videos = facts["criteria"]["videos"]
    counts = {name: sum(row["partition"] == name for row in table) for name in PARTITIONS}
    assert videos["reached"]["entries"] == counts
    wanted = dict(zip(PARTITIONS, np.multiply(SHARES, 20), strict=True))
    assert videos["target"]["entries"] == pytest.approx(wanted)
    assert videos["distance"] == pytest.approx(sum(abs(counts[p] - wanted[p]) for p in PARTITIONS) / 2 / 20, abs=1e-6)
    excess = {p: sum(1 if r["gender"] == "male" else -1 for r in table if r["partition"] == p) for p in PARTITIONS}
    assert facts["criteria"]["gender"]["reached"]["male - female"] == excess
    text = format_reached(facts)
    assert "male - female" in text and f"{videos['distance']:.4f}" in text


def test_fixed_parts_are_kept_and_their_people_stay_with_them(tmp_path):
    workspace, rows = _database(tmp_path, ["a b", "b", "c", "d", "e", "f", "g"])
    fixed = tmp_path / "official.csv"
    write_text(fixed, "entry,partition\nc0-p1,test\nc2,validation\n")
    partition_database(workspace, rows, PartitionOptions(fixed=str(fixed)))
    parts = {row["entry"]: row["partition"] for row in _table(workspace)}
    assert [parts[name] for name in ("c0-p1", "c0-p2", "c1", "c2")] == ["test"] * 3 + ["validation"]
    assert _facts(workspace)["fixed_entries"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c0-p1,test\nc1,train\n", "a in c0-p1 and b in c1 into two parts"),
        ("c9,test\n", "line 2: the manifest has no entry 'c9'"),
        ("c1,dev\n", "line 2: 'dev' is no part; write one of train, validation, test"),
        ("c1,test\nc1,test\n", "line 3: the entry c1 is there twice"),
    ],
)
def test_bad_fixed_parts_are_named(tmp_path, text, message):
    workspace, rows = _database(tmp_path, ["a b", "b", "c", "d"])
    write_text(tmp_path / "f.csv", "entry,partition\n" + text)
    with pytest.raises(InputError, match=re.escape(message)):
        partition_database(workspace, rows, PartitionOptions(fixed=str(tmp_path / "f.csv")))
    assert not workspace.partition.exists()


def test_a_group_too_large_for_any_part_is_named_with_its_share(tmp_path):
    workspace, rows = _database(tmp_path, ["a b", "b c", "c a", "d", "e", "f", "g"])
    options = PartitionOptions(("0.4", "0.3", "0.3"), limits=("videos=0.1",))
    with pytest.raises(InputError, match=r"videos=0.1 cannot be kept: a, b, c hold 60% of all videos.* more than 50%"):
        partition_database(workspace, rows, options)
    done = partition_database(workspace, rows, PartitionOptions(("0.4", "0.3", "0.3")))
    assert "a, b, c hold 60% of all" in done.facts["notes"][0]


def test_fixed_parts_that_break_a_limit_are_blamed(tmp_path):
    workspace, rows = _database(tmp_path, [f"s{n}" for n in range(10)])
    write_text(tmp_path / "f.csv", "entry,partition\n" + "".join(f"c{n},test\n" for n in range(5)))
    options = PartitionOptions(limits=("videos=0.1",), fixed=str(tmp_path / "f.csv"))
    with pytest.raises(
        InputError, match=r"--fixed: videos=0.1 can be kept, but not with the fixed parts of s0, s1, s2"
    ):
        partition_database(workspace, rows, options)


def test_too_few_people_for_the_parts_are_named_where_limits_are_given(tmp_path):
    workspace, rows = _database(tmp_path, ["a", "a", "b"])
    with pytest.raises(InputError, match=r"2 groups of people \(a, b\) cannot fill 3 parts; label clips of more"):
        partition_database(workspace, rows, PartitionOptions(limits=("videos=0.05",)))


def test_a_limit_that_cannot_be_kept_names_its_criterion_and_the_nearest(tmp_path):
    workspace, rows = _database(tmp_path, [f"s{n}" for n in range(7)])
    with pytest.raises(
        InputError, match=r"videos=0 cannot be kept by these 7 groups of people; the nearest .* away; most weighs"
    ):
        partition_database(workspace, rows, PartitionOptions(limits=("videos=0",)))


def _relabel(workspace, entry, frames, valence=500):
    write_text(workspace.labels(entry), "".join(f"{n} {valence} 100\n" for n in range(1, frames + 1)))


def test_a_person_with_too_many_frames_is_named(tmp_path):
    workspace, rows = _database(tmp_path, list("abcdefg"))
    for row in rows:
        _relabel(workspace, row.clip, 240 if row.clip == "c3" else 10)
    options = PartitionOptions(limits=("frames=0.1",), nodes=5, kicks=5)
    message = "frames=0.1 cannot be kept: d holds 80% of all frames, and stay together; no part may have more than 74%"
    with pytest.raises(InputError, match=message):
        partition_database(workspace, rows, options)


def test_people_with_too_many_entries_of_a_class_are_named(tmp_path):
    workspace, rows = _database(tmp_path, ["a b", "b c", "c a", *"defghijklm"])
    for row in rows:
        for entry in row.entries():
            _relabel(workspace, entry, 10, -500 if len(row.subjects) == 2 else 500)
    options = PartitionOptions(limits=("class=0.05",), nodes=5, kicks=5)
    # 6 of 16 entries are negative, all of a, b and c; the largest part's share of these is 64 % of 37.5 %.
    message = r"class=0.05 cannot be kept: a, b, c hold 38% of all class \(negative\).*; no part may have more than 29%"
    with pytest.raises(InputError, match=message):
        partition_database(workspace, rows, options)


def test_a_gender_that_cannot_be_spread_names_the_group(tmp_path):
    workspace, rows = _database(tmp_path, ["a b", "b c", "c d", *"efghij"])
    genders = ["male male"] * 3 + ["female"] * 6
    rows = [dataclasses.replace(row, gender=gender) for row, gender in zip(rows, genders, strict=True)]
    message = "gender=0 cannot be kept by these 7 groups.*; most weighs the group of a, b, c, d, 50% of it"
    with pytest.raises(InputError, match=message):
        partition_database(workspace, rows, PartitionOptions(limits=("gender=0.0",), nodes=5, kicks=5))


def test_a_histogram_that_cannot_be_spread_names_who_weighs_most(tmp_path):
    workspace, rows = _database(tmp_path, list("abcdefg"))
    for row in rows:
        _relabel(workspace, row.clip, 100 if row.clip == "c2" else 10, -900 if row.clip == "c2" else 900)
    with pytest.raises(InputError, match=r"valence=0 cannot be kept .* away; most weighs the group of c, 50% of it"):
        partition_database(workspace, rows, PartitionOptions(limits=("valence=0",), nodes=5, kicks=5))


def test_limits_that_only_together_cannot_be_kept_are_all_told(tmp_path):
    workspace, rows = _database(tmp_path, list("abcd"))
    for row, frames in zip(rows, (10, 10, 10, 30), strict=True):
        _relabel(workspace, row.clip, frames)
    # Half the entries need two people in train, half the frames d alone.
    limits = ("videos=0", "frames=0")
    options = PartitionOptions(("0.5", "0.5", "0"), limits=limits)
    message = (
        r"--limits: the limits cannot all be kept, though each alone can: .*(videos|frames) is 0\.\d+ away, allowed 0: "
    )
    with pytest.raises(InputError, match=message + "most weighs the group of d, "):
        partition_database(workspace, rows, options)


def test_fixed_parts_that_break_limits_only_together_are_blamed(tmp_path):
    workspace, rows = _database(tmp_path, list("abcdef"))
    for row, frames in zip(rows, (10, 10, 10, 10, 20, 20), strict=True):
        _relabel(workspace, row.clip, frames)
    # Both in train make 40 of 80 frames with two of six entries: each limit alone can be kept, not both.
    write_text(tmp_path / "f.csv", "entry,partition\nc4,train\nc5,train\n")
    options = PartitionOptions(("0.5", "0.5", "0"), limits=("videos=0", "frames=0"), fixed=str(tmp_path / "f.csv"))
    with pytest.raises(InputError, match="--fixed: the limits can all be kept, but not with the fixed parts of e, f"):
        partition_database(workspace, rows, options)


@pytest.mark.parametrize("limits", [("video=0.1",), ("videos",), ("videos=-1",), ("videos=nan",)])
def test_bad_limits_are_refused(tmp_path, limits):
    workspace, rows = _database(tmp_path, ["a"])
    with pytest.raises(InputError, match=r"--limits: '.*' is not CRITERION=NUMBER"):
        partition_database(workspace, rows, PartitionOptions(limits=limits))


def test_gender_limit_without_genders_names_the_column(tmp_path):
    workspace, rows = _database(tmp_path, ["a"])
    with pytest.raises(InputError, match=r"--limits: no labelled entry has a gender; fill in the manifest's column"):
        partition_database(workspace, rows, PartitionOptions(limits=("gender=0.1",)))


def test_command_prints_the_distances(tmp_path):
    workspace, rows = _database(tmp_path, ["a", "b", "c", "d"])
    table = [{"clip": row.clip, "source": "x.mp4", "subjects": row.subjects[0]} for row in rows]
    write_csv(workspace.manifest, ("clip", "source", "subjects"), table)
    command = [sys.executable, "-m", "data_pipeline.partition", f"--workspace={tmp_path}", "--weights=frames=2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "distance" in done.stdout and "frames" in done.stdout
    assert _facts(workspace)["criteria"]["frames"]["weight"] == 2


def _units(workspace, entry, frames):
    lines = (f"{number} {1000 * (number % 2)}\n" for number in range(1, frames + 1))
    write_text(workspace.labels(entry), "# frame au12\n" + "".join(lines))


def test_entries_without_valence_and_arousal_are_partitioned_by_the_other_criteria(tmp_path):
    workspace, rows = _database(tmp_path, [f"s{n}" for n in range(10)])
    for row in rows:
        _units(workspace, row.clip, 20)
    found = partition_database(workspace, rows, PartitionOptions(("0.6", "0.2", "0.2"), nodes=5, kicks=5))
    assert found.counts == {"train": 6, "validation": 2, "test": 2}
    assert list(found.facts["criteria"]) == ["videos", "frames"] and "videos" in format_reached(found.facts)
    assert {(row["frames"], row["valence"], row["arousal"], row["valence_class"]) for row in _table(workspace)} == {
        ("20", "", "", "")
    }
    with pytest.raises(InputError, match="no labelled entry has a valence; annotate valence and arousal"):
        partition_database(workspace, rows, PartitionOptions(limits=("valence=0.1",)))


def test_histograms_are_of_the_frames_that_have_valence_and_arousal(tmp_path):
    workspace, rows = _database(tmp_path, [f"s{n}" for n in range(6)])
    whole = partition_database(workspace, rows, QUICK)
    parts = {row["entry"]: row["partition"] for row in _table(workspace)}
    rows.append(ManifestRow("units", Path("x.mp4"), ("s9",), line=99))
    _units(workspace, "units", 50)
    write_csv(tmp_path / "fixed.csv", ("entry", "partition"), [
        {"entry": entry, "partition": part} for entry, part in [*parts.items(), ("units", "train")]
    ])  # fmt: skip
    more = partition_database(workspace, rows, dataclasses.replace(QUICK, fixed=str(tmp_path / "fixed.csv")))
    for name in ("class", "valence", "arousal"):
        for key in ("distance", "reached"):
            assert more.facts["criteria"][name][key] == whole.facts["criteria"][name][key]
