"""Annotations without frames: CARMA, DARMA and tables of time and values."""

import numpy as np
import pytest

from data_pipeline.annotations import NO_VALUE, read_trace
from data_pipeline.manifest import read_manifest
from tfrecords.errors import InputError
from tfrecords.workspace import write_csv, write_text

CARMA = """Time of Rating,01-Feb-2020 10:00:00
Multimedia File,C:\\videos\\talk.mp4
Lower Label,very negative
Upper Label,very positive
Minimum Value,-100
Maximum Value,100
Number of Steps,9
Second,Rating
%%%%%%,%%%%%%
0,0
1,25.5
2,-100
3,NaN
4,100
"""
DARMA = """Time of Rating,01-Feb-2020 10:00:00,,
Multimedia File,talk.mp4,,
Magnitude,1000,,
Second,Valence,Arousal,Button
%%%%%%,%%%%%%,%%%%%%,%%%%%%
0.5,-250,500,0
1.5,1000,-1000,1
"""


@pytest.fixture
def talk(folder, make_video):
    return make_video(folder / "talk.mp4", 0.5)


def _read(workspace, annotator, dimension, entry="talk"):
    trace = read_trace(workspace.annotations / annotator / entry / f"{dimension}.txt")
    return dict(zip(trace.stamps.tolist(), trace.values.tolist(), strict=True))


def test_carma_s_scale_of_the_header_becomes_minus_1000_to_1000(folder, talk, run_import, workspace):
    write_text(folder / "anna" / "talk_valence.csv", CARMA)
    write_text(folder / "anna" / "talk_arousal.csv", CARMA.replace("-100\n", "0\n", 1))
    write_text(folder / "bob" / "talk_valence.csv", CARMA)
    write_text(folder / "bob" / "talk_arousal.csv", CARMA)
    report = run_import("carma")
    assert report.clips == ["talk"] and str(read_manifest(workspace)[0].source) == str(talk)
    assert _read(workspace, "anna", "valence") == {0: 0, 1: 255, 2: -1000, 3: NO_VALUE, 4: 1000}
    # On a scale from 0 to 100; -100 is off it.
    assert _read(workspace, "anna", "arousal") == {0: -1000, 1: -490, 2: NO_VALUE, 3: NO_VALUE, 4: 1000}
    assert (workspace.annotations / "bob" / "talk" / "arousal.txt").exists()
    assert report.left_out["values that are marked invalid or lie off the scale"] == 5


def test_darma_s_two_ratings_are_valence_and_arousal(folder, talk, run_import, workspace):
    write_text(folder / "talk.csv", DARMA)
    run_import("darma")
    assert _read(workspace, "darma", "valence") == {0.5: -250, 1.5: 1000}
    assert _read(workspace, "darma", "arousal") == {0.5: 500, 1.5: -1000}


def test_darma_s_labels_tell_which_axis_is_which(folder, talk, run_import, workspace):
    write_text(folder / "talk.csv", DARMA.replace("Valence,Arousal", "Arousal,Valence"))
    run_import("darma")
    assert _read(workspace, "darma", "arousal") == {0.5: -250, 1.5: 1000}


def test_header_of_nine_rows_without_marks_is_read(folder, talk, run_import, workspace):
    write_text(folder / "valence.csv", CARMA.replace("%%%%%%,%%%%%%", "Version,1"))
    run_import("carma")
    assert _read(workspace, "carma", "valence")[4] == 1000


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.csv", CARMA, "does not tell whether valence or arousal is rated"),
        ("valence.csv", CARMA.replace("Minimum Value,-100", "x,y"), "the header tells no scale"),
        ("valence.csv", CARMA.replace("1,25.5", "1"), "line 11: '1' is not a time and 1 values"),
        ("valence.csv", CARMA.replace("2,-100", "0.5,-100"), "line 12: the time 0.5 is negative or lies before"),
        ("valence.csv", CARMA.replace("talk.mp4", "walk.mp4"), "there is no video called walk"),
        ("valence.csv", CARMA.partition("0,0")[0], "the file has no values"),
    ],
)
def test_bad_annotation_is_named(folder, talk, run_import, name, text, what):
    write_text(folder / name, text)
    with pytest.raises(InputError, match="no clip of carma could be imported") as error:
        run_import("carma")
    assert what in str(error.value)


def test_dimension_can_be_told(folder, talk, run_import, workspace):
    write_text(folder / "a.csv", CARMA)
    run_import("carma", dimension="liking")
    assert _read(workspace, "carma", "liking")[2] == -1000


def test_annotations_are_added_to_a_workspace_that_has_the_clip(folder, run_import, workspace):
    write_csv(
        workspace.manifest,
        ("clip", "source", "subjects"),
        [
            {"clip": "clip_7", "source": "videos/Talk.mkv", "subjects": "s1"},
            {"clip": "two", "source": "two.mp4", "subjects": "s2 s3"},
        ],
    )
    before = workspace.manifest.read_text()
    for name in ("talk", "two-p2", "two", "walk"):
        write_text(folder / "anna" / f"{name}_valence.csv", CARMA.replace("talk.mp4", f"{name}.mp4"))
    report = run_import("carma")
    assert report.clips == ["clip_7", "two-p2"] and workspace.manifest.read_text() == before
    assert _read(workspace, "anna", "valence", "clip_7")[1] == 255
    assert "two shows two people" in report.set_aside["two"] and "walk is no clip of it" in report.set_aside["walk"]
    with pytest.raises(InputError, match="there is an annotation already"):
        run_import("carma")


def test_raters_as_columns_as_recola_has_them(folder, make_video, run_import, workspace):
    make_video(folder / "P16.mp4", 0.2)
    for dimension in ("valence", "arousal"):
        write_text(folder / dimension / "P16.csv", "time;FM1;FM2 ;FF1\n0.00;0.1;-1;0\n0.04;;1;nan\n0.08;2;1;0.0305\n")
    chosen = {"columns": ("time", "@FM1", "@FM2", "-"), "file_regex": r"(?P<dimension>\w+)/(?P<clip>\w+)\.csv"}
    report = run_import("csv", **chosen)
    assert _read(workspace, "FM1", "arousal", "P16") == {0: 100, 0.04: NO_VALUE, 0.08: NO_VALUE}
    assert _read(workspace, "FM2", "valence", "P16") == {0: -1000, 0.04: 1000, 0.08: 1000}
    assert sorted(path.name for path in workspace.annotations.iterdir()) == ["FM1", "FM2"]
    assert report.left_out["values that are marked invalid or lie off the scale"] == 4


def test_a_file_a_rater_and_dimension_without_header_as_feeltrace_leaves_them(
    folder, make_video, run_import, workspace
):
    make_video(folder / "s5.mp4", 0.2)
    for rater in ("R1", "R2"):
        for letter in "VA":
            write_text(folder / f"{rater}_s5_{letter}.txt", "0.000 50\n20 100.0\n40 0\n")
    pattern = r"(?P<annotator>\w+?)_(?P<clip>\w+)_(?P<dimension>[AV])\.txt"
    run_import("csv", columns=("time", "value"), file_regex=pattern, low=0.0, high=100.0, seconds_per_unit=0.001)
    for rater in ("R1", "R2"):
        for dimension in ("valence", "arousal"):
            assert _read(workspace, rater, dimension, "s5") == {0: 0, 0.02: 1000, 0.04: -1000}


@pytest.mark.parametrize(
    ("chosen", "what"),
    [
        ({"columns": ("valence", "arousal")}, "does not name one column 'time'"),
        ({"file_regex": "("}, "is no regular expression"),
        ({"file_regex": "x"}, "has no group called clip"),
        ({"low": 1.0}, "1 to 1 is no scale"),
        ({"columns": ("time", "value")}, "tells what is rated"),
        ({"columns": ("time", "valence", "a b")}, "cannot be a dimension's name"),
    ],
)
def test_flags_that_do_not_fit_are_named(folder, talk, run_import, chosen, what):
    write_text(folder / "talk.csv", "0,0.5,0.5\n1,0.6,0.6\n")
    with pytest.raises(InputError) as error:
        run_import("csv", **chosen)
    assert what in str(error.value)


def test_table_with_valence_and_arousal_needs_no_flags(folder, talk, run_import, workspace):
    write_text(folder / "talk.csv", '"time","valence","arousal"\n0.0,-0.5,0.123\n1.0,1,1\n')
    run_import("csv")
    assert _read(workspace, "csv", "valence") == {0: -500, 1: 1000}
    assert np.isclose(list(_read(workspace, "csv", "arousal")), [0, 1]).all()
