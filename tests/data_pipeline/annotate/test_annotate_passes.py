"""Passes, their check, versions and edits, without a server."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.annotate.check import check_trace
from data_pipeline.annotate.clips import ordered, watched_share
from data_pipeline.annotate.passes import Pass, cut_torn_line, pass_trace, read_lines
from data_pipeline.annotate.practice import SECONDS, practice_curve, write_practice_clip
from data_pipeline.annotate.publish import draw, edit, finish_pass, mark_invalid, read_versions
from data_pipeline.annotations import NO_VALUE, Trace, find_annotators, read_trace
from data_pipeline.probe import probe
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, write_text

KEY = Pass("zoe", "clip", "valence", 1)


def _line(number, samples, events=()):
    return {"pass": str(KEY), "session": "s", "number": number, "samples": samples, "events": list(events)}


def _even(start, end, value=0, rate=60):
    return [[float(at), value, 0, 0] for at in np.arange(start, end, 1 / rate)]


def test_redo_replaces_what_lies_after_its_point():
    lines = [_line(1, _even(0, 2, 1)), _line(2, _even(1, 1.5, 2), [{"event": "redo", "at": 1.0}])]
    trace = pass_trace(lines)
    assert trace.stamps[-1] < 1.5
    np.testing.assert_array_equal(trace.values, np.where(trace.stamps < 1, 1, 2))


def test_samples_that_do_not_lie_after_the_one_before_are_left_out():
    trace = pass_trace([_line(1, [[0.5, 1, 0, 0], [0.5, 2, 0, 0]]), _line(2, [[0.4, 3, 0, 0], [0.6, 4, 0, 0]])])
    assert trace.stamps.tolist() == [0.5, 0.6] and trace.values.tolist() == [1, 4]


@given(st.lists(st.floats(0, 100), max_size=60), st.lists(st.tuples(st.integers(0, 59), st.floats(0, 100)), max_size=5))
def test_trace_of_any_lines_ascends(stamps, redos):
    lines = [_line(k, [[at, 0, 0, 0]]) for k, at in enumerate(stamps, start=1)]
    for place, at in redos:
        if place < len(lines):
            lines[place]["events"].append({"event": "redo", "at": at})
    assert np.all(np.diff(pass_trace(lines).stamps) > 0)


@pytest.mark.parametrize(
    ("stamps", "problem", "from_"),
    [
        ([], "There is no sample.", 0.0),
        (np.arange(1.5, 10, 0.02), "The first sample is at 1.50 s.", 0.0),
        (np.arange(0, 8, 0.02), "The last sample is at 7.98 s, the clip ends at 10.00 s.", 7.98),
        (np.r_[0:4:0.02, 5.5:10:0.02], "Between 3.98 s and 5.50 s there is no sample.", 3.98),
        (np.arange(0, 10, 0.5), "There are only 2.0 samples a second.", 0.0),
        (np.arange(0, 10.6, 0.02), "The last sample is at 10.58 s, after the clip's end.", 9.0),
    ],
)
def test_check_names_what_is_missing_and_where_to_go_on(stamps, problem, from_):
    stamps = np.asarray(stamps, float)
    check = check_trace(Trace(stamps, np.zeros(len(stamps), np.int64)), 10.0)
    assert not check["passed"] and check["problems"] == [problem]
    assert check["go_on_from"] == pytest.approx(from_)
    json.dumps(check, allow_nan=False)


def test_check_tells_short_gaps_and_passes():
    stamps = np.r_[0:4:0.02, 4.5:10:0.02]
    check = check_trace(Trace(stamps, np.zeros(len(stamps), np.int64)), 10.0)
    assert check["passed"] and check["gaps"] == [[pytest.approx(3.98), pytest.approx(4.5)]]
    assert check["longest_gap"] == pytest.approx(0.52) and check["go_on_from"] is None


def _write_pass(workspace, number, value):
    key = Pass("zoe", "clip", "valence", number)
    lines = [{"pass": str(key), "session": "s", "number": 0, "opened": ""}, _line(1, _even(0, 2, value))]
    write_text(key.path(workspace), "".join(json.dumps(line) + "\n" for line in lines))
    return key


def test_each_finished_pass_is_a_version_and_the_last_one_counts(tmp_path):
    workspace = Workspace(tmp_path)
    for number in (1, 2, 3):
        key = _write_pass(workspace, number, 100 * number)
        assert finish_pass(workspace, key, 2.0)["passed"]
        assert finish_pass(workspace, key, 2.0)["passed"]  # again changes nothing
    folder = key.folder(workspace)
    names = {"valence.txt": 300, "valence.1.txt": 100, "valence.2.txt": 200}
    assert {path.name for path in folder.glob("*.txt")} == set(names)
    for name, value in names.items():
        assert set(read_trace(folder / name).values) == {value}
    versions = read_versions(workspace, key)
    assert [(one["version"], one["file"], one["pass"]) for one in versions] == [
        (1, "valence.1.txt", 1),
        (2, "valence.2.txt", 2),
        (3, "valence.txt", 3),
    ]


def test_pass_that_fails_its_check_does_not_count_and_its_annotator_is_none_yet(tmp_path):
    workspace = Workspace(tmp_path)
    key = _write_pass(workspace, 1, 5)
    assert not finish_pass(workspace, key, 10.0)["passed"]
    assert not (key.folder(workspace) / "valence.txt").exists() and find_annotators(workspace, "clip") == []
    finish_pass(workspace, key, 2.0)
    assert find_annotators(workspace, "clip") == ["zoe"]


def test_annotation_of_another_program_is_kept_as_found(tmp_path):
    workspace = Workspace(tmp_path)
    folder = workspace.annotations / "zoe" / "clip"
    write_text(folder / "valence.txt", "0.0 1\n1.0 2\n")
    write_text(folder / "valence.4.txt", "0.0 9\n")
    assert [one["version"] for one in read_versions(workspace, KEY)] == [4, 5]
    edit(workspace, KEY, "ann", {"what": "drawn", "points": [[0.0, -5], [1.0, 5]], "base": 5}, 2.0)
    assert (folder / "valence.5.txt").read_text() == "0.0 1\n1.0 2\n"
    edit(workspace, KEY, "ann", {"what": "restored", "version": 4, "base": 6}, 2.0)
    assert read_trace(folder / "valence.txt").values.tolist() == [9]
    with pytest.raises(InputError, match="has changed meanwhile"):
        edit(workspace, KEY, "ann", {"what": "restored", "version": 5, "base": 6}, 2.0)


def test_marked_span_has_no_value_up_to_its_ends():
    trace = mark_invalid(Trace(np.arange(5.0), np.arange(5)), 0.5, 2.0)
    assert trace.stamps.tolist() == [0, 0.5, 1, 2, 3, 4]
    assert trace.values.tolist() == [0, NO_VALUE, NO_VALUE, NO_VALUE, 3, 4]


def test_drawn_span_is_straight_between_its_points_thirty_times_a_second():
    trace = draw(Trace(np.arange(5.0), np.full(5, 7)), [(1.0, 0), (2.0, 300), (3.0, 300)])
    inside = (trace.stamps >= 1) & (trace.stamps <= 3)
    assert trace.values[~inside].tolist() == [7, 7] and inside.sum() == 61
    np.testing.assert_allclose(
        trace.values[inside], np.interp(trace.stamps[inside], [1, 2, 3], [0, 300, 300]), atol=0.5
    )


def test_line_that_was_being_written_is_cut(tmp_path):
    path = tmp_path / "a.jsonl"
    for whole, torn in [
        (b'{"a":1}\n', b'{"a":'),
        (b"", b'{"a"'),
        (b'{"a":1}\n', b'{"a\n'),
        (b'{"a":1}\n{"b":2}\n', b""),
    ]:
        path.write_bytes(whole + torn)
        assert len(read_lines(path)) == whole.count(b"\n")
        cut_torn_line(path)
        assert path.read_bytes() == whole
    path.write_bytes(b'x\n{"a":1}\n')
    with pytest.raises(InputError, match="line 1: this line is damaged"):
        read_lines(path)


def test_watched_share_counts_each_moment_once():
    assert watched_share([[0, 5], [3, 5]], 10.0) == pytest.approx(0.5)
    assert watched_share([[0, 10.2]], 10.0) == 1.0


def test_random_order_has_every_entry_once():
    names = [f"c{k}" for k in range(20)]
    assert ordered(names, "fixed", "zoe", 1) == names
    assert sorted(ordered(names, "random", "zoe", 1)) == sorted(names) != ordered(names, "random", "zoe", 1)


def test_practice_clip_is_as_long_as_its_curve_and_moves(tmp_path):
    write_practice_clip(tmp_path / "practice.mp4")
    facts = probe(tmp_path / "practice.mp4")
    assert (facts.frames, facts.frame_rate, facts.codec) == (SECONDS * 30, 30, "h264")
    for dimension in ("valence", "arousal"):
        curve = practice_curve(dimension, np.arange(SECONDS * 30) / 30)
        assert curve.min() < -500 and curve.max() > 500
