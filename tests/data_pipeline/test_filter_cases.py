"""The drawn cases on which filters are compared, and what the comparison takes for right."""

import numpy as np
import pytest

from benchmarks.filters import Judged, compare_default, judge, prepare_cases, right_faces
from data_pipeline.decode import clip_frames
from data_pipeline.demo_faces.cases import CASES, FALSE_COLUMNS, FRAMES, write_case
from data_pipeline.filters import FILTERS
from data_pipeline.manifest import read_manifest
from tfrecords.workspace import Workspace, read_csv, write_csv


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("cases"))
    for name in ("cut", "false_first"):
        write_case(workspace, name, CASES[name], seed=0)
    return workspace


def _visible(workspace, name, person):
    rows = read_csv(workspace.root / "truth" / f"{name}.csv")
    return [int(row["frame"]) for row in rows if row["person"] == str(person) and row["visible"] == "1"]


def test_cut_shows_somebody_else_in_the_same_place_for_a_second(workspace):
    assert _visible(workspace, "cut", 1) == [*range(1, 46), *range(76, 121)]
    assert _visible(workspace, "cut", 2) == list(range(46, 76))
    rows = read_csv(workspace.root / "truth" / "cut.csv")
    x = np.array([float(row["x"]) for row in rows]).reshape(FRAMES, 2)
    assert np.abs(x[45] - x[44]).max() < 40


def test_false_detections_come_before_the_face(workspace):
    false = read_csv(workspace.root / "truth" / "false_first-false.csv", FALSE_COLUMNS)
    assert max(int(row["frame"]) for row in false) < min(_visible(workspace, "false_first", 1)) == 11


def test_case_is_drawn_as_the_truth_says(workspace):
    frames = list(clip_frames(workspace.sources / "cut.mp4"))
    assert len(frames) == FRAMES
    change = [np.abs(frames[at].astype(int) - frames[at - 1]).mean() for at in range(1, FRAMES)]
    assert sorted(np.argsort(change)[-2:] + 2) == [46, 76]


def test_right_face_is_the_detection_that_overlaps_the_drawn_one_most(tmp_path, clip_faces):
    workspace = Workspace(tmp_path)
    columns = ("frame", "seconds", "person", "visible", "x", "y", "width", "height")
    drawn = [(1, 0.0, 1, 1, 0), (1, 0.0, 2, 1, 100), (2, 1 / 30, 1, 0, 0), (2, 1 / 30, 2, 1, 100)]
    rows = [dict(zip(columns, (*row, 0, 50, 50), strict=True)) for row in drawn]
    write_csv(workspace.root / "truth" / "clip.csv", columns, rows)
    boxes = [[(95, 0, 50, 50), (20, 0, 50, 50), (3, 0, 50, 50)], [(0, 0, 50, 50), (140, 0, 50, 50)]]
    clip = clip_faces([[np.zeros((2, 2, 3), np.uint8)] * len(found) for found in boxes], boxes)
    assert right_faces(workspace, "clip", clip, 2).tolist() == [[2, 0], [-1, -1]]
    assert right_faces(workspace, "clip", clip, 1).tolist() == [[2], [-1]]


@pytest.mark.slow
def test_default_filter_is_at_least_as_good_as_every_other_on_drawn_cases(tmp_path):
    workspace = Workspace(tmp_path)
    prepare_cases(workspace, 1, ("false_beside", "two_gaps"))
    seconds: dict[str, float] = {}
    judged = [Judged(row.notes, judge(workspace, row, seconds)) for row in read_manifest(workspace)]
    met = compare_default(judged)
    assert set(met) == set(FILTERS) - {"tracks"} and all(met.values())
    right, of = np.sum([clip.counts["tracks"] for clip in judged], axis=0)
    assert of >= 340 and right / of > 0.95


def test_default_is_compared_on_the_clips_that_a_filter_is_for():
    one = Judged("one", {"tracks": (50, 100), "kcf": (40, 100)})
    two = Judged("two", {"tracks": (90, 100), "kcf": (99, 100), "two_people": (91, 100)})
    assert compare_default([one, two]) == {"kcf": True, "two_people": False}
