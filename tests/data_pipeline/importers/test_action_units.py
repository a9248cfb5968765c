"""DISFA and BP4D: action units coded frame by frame."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from data_pipeline.annotations import NO_VALUE, read_trace
from data_pipeline.engine import process_clip
from data_pipeline.importers.action_units import share_values
from data_pipeline.importers.bp4d import read_codes
from data_pipeline.importers.disfa import read_levels
from data_pipeline.manifest import read_manifest
from data_pipeline.match import MatchOptions, match_labels
from data_pipeline.stages import STAGES
from tfrecords.detections import read_detections
from tfrecords.errors import InputError
from tfrecords.index import open_record
from tfrecords.labels import read_labels
from tfrecords.loader import read_labels as read_record_labels
from tfrecords.verify import verify_record
from tfrecords.workspace import write_csv, write_text


def _levels(folder, subject, unit, pairs):
    text = "".join(f"{frame},{level}\n" for frame, level in pairs)
    write_text(folder / "ActionUnit_Labels" / subject / f"{subject}_au{unit}.txt", text)


def _build(workspace):
    for row in read_manifest(workspace):
        outcome = process_clip(workspace, row, {name: stage.options() for name, stage in STAGES.items()})
        assert not outcome.reason, outcome


def test_shares_are_thousandths_and_what_is_off_the_scale_is_missing():
    assert share_values([0, 1, 3, 5, 6, -1, float("nan")], 5).tolist() == [0, 200, 600, 1000, *[NO_VALUE] * 3]
    assert share_values([0, 1, 9], 1).tolist() == [0, 1000, NO_VALUE]


def test_disfa_s_videos_are_clips_of_each_camera_and_frame_n_takes_line_n(folder, make_video, run_import, workspace):
    for camera, name in (("Left", "LeftVideoSN001_comp"), ("Right", "rightVideoSN001_Comp")):
        (folder / f"Videos_{camera}Camera").mkdir()
        make_video(folder / f"Videos_{camera}Camera" / f"{name}.avi", 0.5, 20)
    levels = [0, 1, 2, 9, 3, 4, 5, 0, 0, 1, 1]
    _levels(folder, "SN001", 1, [(number, level) for number, level in enumerate(levels, start=1) if number != 3])
    _levels(folder, "SN001", 12, [(number, 5) for number in range(1, 8)])
    _levels(folder, "SN002", 12, [(1, 0)])
    report = run_import("disfa")
    assert report.clips == ["SN001_left", "SN001_right"]
    assert "there is no video and no folder of images of SN002" in report.set_aside["SN002"]
    rows = {row.clip: row for row in read_manifest(workspace)}
    assert rows["SN001_left"].subjects == rows["SN001_right"].subjects == ("SN001",)
    assert rows["SN001_right"].notes == "DISFA, right camera"
    trace = read_trace(workspace.annotations / "disfa/SN001_left/au01.txt")
    np.testing.assert_allclose(trace.stamps, np.arange(10) / 20 + 1 / 30, atol=1e-6)
    # Line 3 is not there, line 4 is off the scale, and of frame 11 there is none.
    expected = [0, 200, NO_VALUE, NO_VALUE, 600, 800, 1000, 0, 0, 200]
    assert trace.values.tolist() == expected
    assert (
        read_trace(workspace.annotations / "disfa/SN001_left/au12.txt").values.tolist() == [1000] * 7 + [NO_VALUE] * 3
    )
    # Of both cameras: 2 missing labels of au01, a label past the end; 3 frames past the end of au12.
    assert report.left_out == {
        "labels of one dimension that are marked as missing": 4,
        "frames past the last label": 6,
        "labels past the last frame": 2,
    }
    write_csv(workspace.faces("SN001_left"), ("frame",), [{"frame": frame} for frame in range(1, 16)])
    match_labels(workspace, rows["SN001_left"], MatchOptions())
    labels = read_labels(workspace.labels("SN001_left"))
    # Frame 1 of 30 a second is frame 1 of 20 a second, frame 4 is frame 3, frame 13 is frame 9.
    assert labels[1] == {"au01": 0, "au12": 1000} and labels[4] == {"au12": 1000} and labels[13] == {"au01": 0}


def test_disfa_s_images_are_faces_and_a_missing_label_stays_missing_up_to_the_record(
    folder, draw_image, run_import, workspace
):
    for number in range(6):
        draw_image(folder / "img/SN003" / f"{number}.png", 30 * number)
    _levels(folder, "SN003", 4, [(1, 0), (2, 5), (3, 9), (5, 1)])
    _levels(folder, "SN003", 25, [(1, 2), (2, 9), (3, 3), (4, 9), (9, 1)])
    report = run_import("disfa", images="faces")
    assert report.left_out["images without a label"] == 1 and report.left_out["labels without an image"] == 1
    _build(workspace)
    file = open_record(workspace.record("SN003"))
    # Images count from 0, lines from 1; image 3 has no label on the scale.
    assert file.frames.tolist() == [1, 2, 3, 5] and file.sidecar.labels == ("au04", "au25")
    expected = [[0, 0.4], [1, np.nan], [np.nan, 0.6], [0.2, np.nan]]
    np.testing.assert_allclose(read_record_labels(file, ("au04", "au25")), expected, rtol=1e-6)
    assert verify_record(file.path) == []


@pytest.mark.parametrize("text", ["1;2\n", "1,0\n0,1\n", "1,0\n2\n", "x,1\n", "", "1,2,3\n"])
def test_bad_levels_are_named(tmp_path, text):
    write_text(tmp_path / "SN001_au1.txt", text)
    with pytest.raises(InputError, match=r"SN001_au1\.txt"):
        read_levels(tmp_path / "SN001_au1.txt")


CODES = "0,1,2,12\n11,0,1,9\n12,1,0,1\n13,9,9,9\n14,1,9,0\n90,1,1,1\n"


def test_bp4d_s_faces_are_found_in_its_images_and_9_is_missing(folder, run_import, workspace):
    write_text(folder / "AUCoding/AU_OCC/F001_T1.csv", CODES)
    (folder / "BP4D/F001/T1").mkdir(parents=True)
    for number in range(10, 15):
        picture = np.full((300, 400, 3), 90, np.uint8)
        if number != 14:
            picture[20:280, 20 * (number - 10) : 260 + 20 * (number - 10)] = astronaut()[:260, 90:350]
        assert cv2.imwrite(str(folder / f"BP4D/F001/T1/{number:04d}.jpg"), picture[:, :, ::-1])
    report = run_import("bp4d", crop_margin=0.1)
    assert report.clips == ["F001_T1"] and read_manifest(workspace)[0].subjects == ("F001",)
    assert report.left_out == {
        "images without a label": 1,
        "images without a face": 1,
        "labels without an image": 1,
        "labels of one dimension that are marked as missing": 5,
    }
    rows, facts = read_detections(workspace.detections("F001_T1"))
    assert [row["frame"] for row in rows] == [11, 12, 13] and facts["crop_margin"] == 0.1
    assert rows[1]["x"] - rows[0]["x"] == pytest.approx(20, abs=4) and rows[0]["width"] < 150
    _build(workspace)
    file = open_record(workspace.record("F001_T1"))
    np.testing.assert_array_equal(read_record_labels(file, ("au01", "au02", "au12")), [[0, 1, np.nan], [1, 0, 1]])
    assert file.frames.tolist() == [11, 12]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("0,valence\n1,0\n", "line 1: its first line does not name action units"),
        ("0,1,2\n1,0\n", "line 2: '1,0' is not an image's number and 2 codes"),
        ("0,1\n1.5,0\n", "line 2"),
        ("0,1\n", "the file codes no image"),
        ("", "its first line"),
    ],
)
def test_bad_codes_are_named(tmp_path, text, what):
    write_text(tmp_path / "F001_T1.csv", text)
    with pytest.raises(InputError, match=what):
        read_codes(tmp_path / "F001_T1.csv")


def test_task_without_images_is_set_aside(folder, draw_image, run_import):
    for name in ("F001_T1", "F001_T2", "M002_T1"):
        write_text(folder / "codes" / f"{name}.csv", "0,1\n1,0\n2,1\n")
    for number in (1, 2):
        draw_image(folder / "F001/T1" / f"{number:03d}.jpg", 40 * number)
    draw_image(folder / "M002/T1/009.jpg")
    report = run_import("bp4d", images="faces")
    assert report.clips == ["F001_T1"]
    assert "there is no folder F001/T2 of its images" in report.set_aside["F001_T2"]
    assert "it has no image of the lines of M002_T1.csv" in report.set_aside["M002_T1"]
