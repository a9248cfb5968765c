from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.annotations import Trace
from data_pipeline.manifest import ManifestRow
from data_pipeline.match import MatchOptions, match_labels, nearest_values
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, write_csv, write_text

ONE = ManifestRow("clip", Path("clip.mp4"), ("s1",))
TWO = ManifestRow("clip", Path("clip.mp4"), ("s1", "s2"))


def _nearest(stamps, values, frames):
    return nearest_values(Trace(np.array(stamps), np.array(values)), np.array(frames)).tolist()


def test_frame_2_takes_stamp_57_ms():
    stamps, values = [0.010, 0.030, 0.041, 0.057, 0.089, 0.102, 0.119], range(121, 128)
    assert _nearest(stamps, values, [1, 2]) == [122, 124]


def test_equally_near_stamps_give_the_earlier():
    assert _nearest([0.9, 1.1], [1, 2], [30]) == [1]
    assert _nearest([0.3, 0.7], [1, 2], [15]) == [1]  # 0.7 - 0.5 is less than 0.5 - 0.3 in binary


def test_same_stamp_twice_gives_the_first_value():
    assert _nearest([0.5, 1.0, 1.0, 1.0], [1, 2, 3, 4], [30]) == [2]


def test_frames_before_the_first_and_after_the_last_stamp_take_the_outermost():
    assert _nearest([1.0, 2.0], [5, 6], [1, 29, 61, 900]) == [5, 5, 6, 6]


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(-1000, 1000)), min_size=1, max_size=30),
    st.lists(st.integers(1, 100), min_size=1, max_size=20),
)
def test_value_is_that_of_the_nearest_stamp(samples, frames):
    samples.sort(key=lambda sample: sample[0])
    milliseconds, values = zip(*samples, strict=True)
    found = _nearest([stamp / 1000 for stamp in milliseconds], values, frames)
    # Exact in whole numbers: frame n is at 1000 n / 30 ms. min() takes the first, the earlier, of equals.
    expected = [values[min(range(len(values)), key=lambda k: abs(3 * milliseconds[k] - 100 * n))] for n in frames]
    assert found == expected


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


def test_several_annotators_need_a_choice(workspace):
    _annotate(workspace, "anna", "clip")
    _annotate(workspace, "zoe", "clip", valence="0 9\n", arousal="0 9\n")
    with pytest.raises(InputError, match="clip was annotated by anna, zoe; choose one with --annotator=anna"):
        match_labels(workspace, ONE, MatchOptions())
    match_labels(workspace, ONE, MatchOptions(annotator="zoe"))
    assert workspace.labels("clip").read_text() == "1 9 9\n2 9 9\n5 9 9\n"


def test_missing_dimension_is_named_with_a_remedy(workspace):
    _annotate(workspace, "anna", "clip", arousal=None)
    with pytest.raises(InputError, match=r"clip/arousal\.txt: the arousal annotation is missing; annotate this"):
        match_labels(workspace, ONE, MatchOptions())
