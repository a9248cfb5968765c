import json
from pathlib import Path

import numpy as np
import pytest

from data_pipeline.annotations import read_trace
from data_pipeline.manifest import ManifestRow
from data_pipeline.match import MatchOptions, match_labels, summarise_reports
from tfrecords.errors import InputError
from tfrecords.labels import read_labels
from tfrecords.workspace import Workspace, write_csv, write_text

ONE = ManifestRow("clip", Path("clip.mp4"), ("s1",))
TWO = ManifestRow("clip", Path("clip.mp4"), ("s1", "s2"))


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path)
    for entry in ("clip", "clip-p1", "clip-p2"):
        write_csv(workspace.faces(entry), ("frame",), [{"frame": frame} for frame in (1, 2, 5)])
    return workspace


def _annotate(workspace, annotator, entry, valence="0.0 1\n0.1 -2\n", arousal="0.0 30\n0.1 40\n"):
    folder = workspace.annotations / annotator / entry
    for name, text in (("valence", valence), ("arousal", arousal)):
        if text is not None:
            write_text(folder / f"{name}.txt", text)


def test_label_file_has_a_line_for_every_frame_with_a_face(workspace):
    _annotate(workspace, "anna", "clip")
    assert match_labels(workspace, ONE, MatchOptions()) == []
    assert workspace.labels("clip").read_text() == "1 1 30\n2 -2 40\n5 -2 40\n"
    assert list(_report(workspace)) == ["entry", "frames", "labelled", "dropped", "lags"]


def test_each_person_has_own_labels(workspace):
    _annotate(workspace, "anna", "clip-p2", valence="0 7\n", arousal="0 8\n")
    assert match_labels(workspace, TWO, MatchOptions()) == ["clip-p1"]
    assert workspace.labels("clip-p2").read_text() == "1 7 8\n2 7 8\n5 7 8\n"
    assert not workspace.labels("clip-p1").exists()


def test_labels_go_when_the_annotation_goes(workspace):
    write_text(workspace.labels("clip"), "1 0 0\n")
    assert match_labels(workspace, ONE, MatchOptions()) == ["clip"]
    assert not workspace.labels("clip").exists()


def test_entry_without_annotation_is_a_failure_only_if_annotations_are_required(workspace):
    with pytest.raises(InputError, match="annotations/ANNOTATOR/clip: there is no annotation; annotate the clip"):
        match_labels(workspace, ONE, MatchOptions(require_annotations=True))


def test_annotator_s_name_chooses(workspace):
    _annotate(workspace, "anna", "clip")
    _annotate(workspace, "zoe", "clip", valence="0 9\n", arousal="0 9\n")
    match_labels(workspace, ONE, MatchOptions(annotators="zoe"))
    assert workspace.labels("clip").read_text() == "1 9 9\n2 9 9\n5 9 9\n"
    assert match_labels(workspace, ONE, MatchOptions(annotators="bob")) == ["clip"]


def test_missing_dimension_is_named_with_a_remedy(workspace):
    _annotate(workspace, "anna", "clip", arousal=None)
    with pytest.raises(InputError, match=r"clip/arousal\.txt: the arousal annotation is missing; annotate this"):
        match_labels(workspace, ONE, MatchOptions())


def _report(workspace, entry="clip"):
    return json.loads(workspace.label_report(entry).read_text())


def test_frames_far_from_every_stamp_or_marked_invalid_get_no_label_and_are_counted(workspace):
    frames = [1, 30, 45, 60, 90, 150, 151]
    write_csv(workspace.faces("clip"), ("frame",), [{"frame": frame} for frame in frames])
    _annotate(workspace, "anna", "clip", valence="1 10\n2 20\n4 30\n", arousal="0 0\n1 1\n1.5 invalid\n2 2\n3 3\n4 4\n")
    match_labels(workspace, ONE, MatchOptions(max_gap_seconds=0.9))
    # 45 is invalid; 90 (3 s) is 1 s from valence's stamps; 150 and 151 (5 s) lie past the annotation.
    assert workspace.labels("clip").read_text() == "30 10 1\n60 20 2\n"
    report = _report(workspace)
    assert (report["frames"], report["labelled"]) == (7, 2)
    assert report["dropped"] == {"gap": 1, "before_annotation": 1, "past_annotation": 2, "invalid": 1}
    assert summarise_reports(workspace, ["clip", "other"]) == (
        "5 frames with a face got no label (gap 1, before annotation 1, past annotation 2, invalid 1)"
    )


def test_without_limit_every_frame_takes_the_nearest_stamp(workspace):
    write_csv(workspace.faces("clip"), ("frame",), [{"frame": 1}, {"frame": 9000}])
    _annotate(workspace, "anna", "clip")
    match_labels(workspace, ONE, MatchOptions(max_gap_seconds=0))
    assert workspace.labels("clip").read_text() == "1 1 30\n9000 -2 40\n"


def test_clip_without_one_label_is_refused_with_the_reasons(workspace):
    _annotate(workspace, "anna", "clip", valence="50 1\n", arousal="0 invalid\n")
    with pytest.raises(InputError, match=r"of 3 frames with a face none gets a label \(invalid 3\); annotate"):
        match_labels(workspace, ONE, MatchOptions())
    assert not workspace.labels("clip").exists() and not workspace.label_report("clip").exists()


def test_further_dimensions_get_columns_that_a_header_names(workspace):
    _annotate(workspace, "anna", "clip")
    write_text(workspace.annotations / "anna" / "clip" / "liking.txt", "0 900\n0.15 -900\n")
    write_text(workspace.annotations / "anna" / "clip" / "liking.1.txt", "an earlier pass\n")
    match_labels(workspace, ONE, MatchOptions())
    text = "# frame valence arousal liking\n1 1 30 900\n2 -2 40 900\n5 -2 40 -900\n"
    assert workspace.labels("clip").read_text() == text
    assert read_labels(workspace.labels("clip"))[5] == {"valence": -2, "arousal": 40, "liking": -900}


def _add(workspace, dimension, text, annotator="anna"):
    write_text(workspace.annotations / annotator / "clip" / f"{dimension}.txt", text)


def test_frame_with_any_label_has_a_line_and_valence_and_arousal_come_and_go_together(workspace):
    # Frames 1, 2 and 5 are at 0.033, 0.067 and 0.167 s.
    _annotate(workspace, "anna", "clip", valence="0.03 1\n0.07 invalid\n0.17 3\n", arousal="0.03 4\n0.17 6\n")
    _add(workspace, "au12", "0.03 invalid\n0.07 1000\n0.17 0\n")
    match_labels(workspace, ONE, MatchOptions())
    text = "# frame valence arousal au12\n1 1 4 nan\n2 nan nan 1000\n5 3 6 0\n"
    assert workspace.labels("clip").read_text() == text
    report = _report(workspace)
    assert (report["labelled"], sum(report["dropped"].values())) == (3, 0)
    assert report["missing"] == {"valence": 1, "arousal": 1, "au12": 1}


def test_frame_without_any_label_is_dropped_once_for_the_highest_reason(workspace):
    _annotate(workspace, "anna", "clip", valence="0.03 invalid\n0.16 3\n", arousal="0.03 4\n0.16 6\n")
    _add(workspace, "au12", "5 1000\n")
    match_labels(workspace, ONE, MatchOptions())
    # A column that no frame has is none.
    assert workspace.labels("clip").read_text() == "5 3 6\n"
    report = _report(workspace)
    assert report["dropped"] == {"gap": 0, "before_annotation": 0, "past_annotation": 0, "invalid": 2}
    assert report["missing"] == {"au12": 1}


def test_entry_without_valence_and_arousal_is_labelled_by_what_it_has(workspace):
    _add(workspace, "au01", "0.03 0\n0.07 200\n0.17 invalid\n")
    match_labels(workspace, ONE, MatchOptions())
    assert workspace.labels("clip").read_text() == "# frame au01\n1 0\n2 200\n"
    assert _report(workspace)["dropped"]["invalid"] == 1


def test_annotator_who_left_no_dimension_is_told(workspace):
    write_text(workspace.annotations / "anna" / "clip" / "valence.1.txt", "0 1\n")
    with pytest.raises(InputError, match=r"clip/valence\.txt: the valence annotation is missing"):
        match_labels(workspace, ONE, MatchOptions())


def _curve(scale=1.0, offset=0, lag=0.0, seconds=20.0):
    """A joystick's file of a slow wave, sampled at 30 Hz."""
    times = [k / 30 for k in range(1, round(seconds * 30) + 1)]
    wave = [np.sin((t - lag) * 0.9) + np.sin((t - lag) * 2.3) for t in times]
    values = [round(scale * 300 * value + offset) for value in wave]
    return "".join(f"{t:.6f} {value}\n" for t, value in zip(times, values, strict=True))


@pytest.fixture
def three_annotators(workspace):
    write_csv(workspace.faces("clip"), ("frame",), [{"frame": frame} for frame in range(1, 601)])
    _annotate(workspace, "anna", "clip", _curve(), _curve())
    _annotate(workspace, "bob", "clip", _curve(offset=100), _curve(offset=100))
    _annotate(workspace, "zoe", "clip", _curve(scale=-1), _curve(scale=1, offset=-40))
    return workspace


def test_best_takes_the_mean_of_those_who_agree_per_dimension(three_annotators):
    match_labels(three_annotators, ONE, MatchOptions())
    lags = _report(three_annotators)["lags"]
    assert sorted(lags["valence"]) == ["anna", "bob"] and sorted(lags["arousal"]) == ["anna", "bob", "zoe"]
    anna = read_trace(three_annotators.annotations / "anna" / "clip" / "valence.txt").values
    labels = read_labels(three_annotators.labels("clip"))
    assert [label["valence"] for label in labels.values()] == (anna + 50).tolist()
    assert [label["arousal"] for label in labels.values()] == (anna + 20).tolist()


def test_all_takes_the_mean_of_all(three_annotators):
    match_labels(three_annotators, ONE, MatchOptions(annotators="all"))
    anna = read_trace(three_annotators.annotations / "anna" / "clip" / "valence.txt").values
    labels = read_labels(three_annotators.labels("clip"))
    zoe = np.array([round(-value) for value in anna])
    expected = np.rint((anna + anna + 100 + zoe) / 3)
    assert [label["valence"] for label in labels.values()] == expected.tolist()


def test_lag_between_annotators_is_removed_on_request(workspace):
    write_csv(workspace.faces("clip"), ("frame",), [{"frame": frame} for frame in range(60, 541)])
    _annotate(workspace, "anna", "clip", _curve(), _curve())
    _annotate(workspace, "bob", "clip", _curve(lag=1.0), _curve(lag=0.4))
    match_labels(workspace, ONE, MatchOptions(remove_lag=True))
    lags = _report(workspace)["lags"]
    assert lags["valence"] == pytest.approx({"anna": -0.5, "bob": 0.5}, abs=1 / 60)
    assert lags["arousal"] == pytest.approx({"anna": -0.2, "bob": 0.2}, abs=1 / 60)
    # Both moved by half a second: what anna wrote at t - 0.5 s and bob at t + 0.5 s.
    anna = read_trace(workspace.annotations / "anna" / "clip" / "valence.txt").values
    labels = read_labels(workspace.labels("clip"))
    assert labels[300]["valence"] == anna[300 - 15 - 1]


def test_annotator_with_a_gap_leaves_it_to_the_others(workspace):
    write_csv(workspace.faces("clip"), ("frame",), [{"frame": 30}, {"frame": 60}])
    _annotate(workspace, "anna", "clip", "1 100\n2 200\n", "1 0\n2 0\n")
    _annotate(workspace, "bob", "clip", "1 300\n2 invalid\n", "1 0\n2 0\n")
    match_labels(workspace, ONE, MatchOptions(annotators="all"))
    assert workspace.labels("clip").read_text() == "30 200 0\n60 200 0\n"


def test_annotators_who_disagree_need_a_choice(workspace):
    write_csv(workspace.faces("clip"), ("frame",), [{"frame": frame} for frame in range(1, 601)])
    _annotate(workspace, "anna", "clip", _curve(), _curve())
    _annotate(workspace, "zoe", "clip", _curve(scale=-1), _curve())
    message = (
        r"no two of anna, zoe agree on the valence of clip \(correlation -1.00\); choose with --annotators=anna or"
    )
    with pytest.raises(InputError, match=message):
        match_labels(workspace, ONE, MatchOptions())
