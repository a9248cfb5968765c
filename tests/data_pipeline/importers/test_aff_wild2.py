import re
import zipfile

import numpy as np
import pytest

from data_pipeline.annotations import read_trace
from data_pipeline.engine import process_clip
from data_pipeline.manifest import read_manifest
from data_pipeline.stages import STAGES
from tfrecords.detections import read_detections
from tfrecords.index import open_record
from tfrecords.loader import read_labels
from tfrecords.verify import verify_record
from tfrecords.workspace import read_csv, write_text


@pytest.fixture
def add_person(folder, draw_image):
    def add(name, lines, images, part="Train_Set"):
        path = folder / "VA_Estimation_Challenge" / part / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("valence,arousal\n" + "".join(f"{line}\n" for line in lines))
        for number in images:
            draw_image(folder / "cropped_aligned" / name / f"{number:05d}.jpg", 20 * number)

    return add


def test_records_hold_the_labels_of_the_frames_that_have_an_image_and_a_label(add_person, run_import, build_records):
    add_person("video1", ["0.5,-0.25", "-5,0.1", "0.3,-5", "-1,1", "0.123,0.001", "0.2,0.2"], [1, 2, 3, 4, 5, 9])
    add_person("video2", ["0,0", "1,1"], [1, 2], "Validation_Set")
    report = run_import("aff_wild2")
    assert report.left_out == {
        "values that are marked invalid or lie off the scale": 2,
        "images past the last label": 1,
        "labels without an image": 1,
    }
    assert build_records() == {
        "video1": {1: (0.5, -0.25), 4: (-1, 1), 5: (0.123, 0.001)},
        "video2": {1: (0, 0), 2: (1, 1)},
    }


def test_second_person_of_a_video_is_the_other_entry_of_its_clip(add_person, run_import, build_records, workspace):
    add_person("talk", ["0.1,0.1", "0.2,0.2"], [1, 2])
    add_person("talk_left", ["-0.1,-0.1", "-0.2,-0.2"], [2])
    add_person("pair_left", ["0.3,0"], [1])
    add_person("pair_right", ["0.4,0"], [1])
    run_import("aff_wild2")
    rows = {row.clip: row for row in read_manifest(workspace)}
    assert rows["talk"].subjects == ("talk_left", "talk") and rows["pair"].subjects == ("pair_left", "pair_right")
    records = build_records()
    assert records["talk-p1"] == {2: (-0.2, -0.2)} and records["talk-p2"] == {1: (0.1, 0.1), 2: (0.2, 0.2)}
    assert records["pair-p1"] == {1: (0.3, 0)} and records["pair-p2"] == {1: (0.4, 0)}
    detections, facts = read_detections(workspace.detections("talk"))
    assert [(row["frame"], row["member"]) for row in detections] == [
        (1, "00001.jpg"),
        (2, "00002-0.jpg"),
        (2, "00002-1.jpg"),
    ]
    assert facts["detector"] == "aff_wild2" and facts["crop_margin"] == 0


def test_crops_are_the_database_s_jpegs_byte_for_byte(add_person, run_import, workspace, folder):
    add_person("video1", ["0,0"], [1])
    run_import("aff_wild2")
    with zipfile.ZipFile(workspace.crops("video1")) as archive:
        assert archive.read("00001.jpg") == (folder / "cropped_aligned/video1/00001.jpg").read_bytes()
    (face,) = read_csv(workspace.faces("video1"))
    assert (face["frame"], face["width"], face["height"]) == ("1", "112.0", "112.0")


@pytest.mark.parametrize(
    ("lines", "images", "what"),
    [
        (["0.1;0.2"], [1], r"bad\.txt, line 2: '0.1;0.2' is not 'valence,arousal'"),
        ([], [1], r"bad\.txt: the file has no values"),
        (["0,0"], [], r"cropped_aligned/bad: there are no images for bad\.txt"),
    ],
)
def test_clip_with_bad_files_is_set_aside_with_its_reason(add_person, run_import, lines, images, what):
    add_person("good", ["0,0"], [1])
    add_person("bad", lines, images)
    report = run_import("aff_wild2")
    assert report.clips == ["good"]
    assert re.search(what, report.set_aside["bad"])


def test_damaged_image_sets_its_clip_aside(add_person, run_import, folder):
    add_person("good", ["0,0"], [1])
    add_person("bad", ["0,0"], [1])
    (folder / "cropped_aligned/bad/00001.jpg").write_bytes(b"\xff\xd8no jpeg")
    report = run_import("aff_wild2")
    assert list(report.set_aside) == ["bad"] and "00001.jpg: the image is missing or damaged" in report.set_aside["bad"]


UNITS = "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26"
CLASSES = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"


@pytest.fixture
def add_set(folder):
    def add(challenge, name, header, lines, part="Train_Set"):
        write_text(folder / challenge / part / f"{name}.txt", "".join(f"{line}\n" for line in (header, *lines)))

    return add


def test_sets_of_one_video_become_one_entry_and_what_one_lacks_stays_missing(
    add_person, add_set, folder, run_import, workspace
):
    add_person("video1", ["0.5,-0.25", "-5,-5", "-5,-5", "0.1,0.2"], [1, 2, 3, 4, 5])
    ones = ",".join("1" * 12)
    add_set("AU_Detection_Challenge", "video1", UNITS, [ones, "0,-1" + ",0" * 10, ",".join(["-1"] * 12)])
    add_set("EXPR_Classification_Challenge", "video1", CLASSES, ["4", "-1", "-1", "0", "7"])
    report = run_import("aff_wild2")
    assert report.left_out == {
        "values that are marked invalid or lie off the scale": 2,
        "labels of one dimension that are marked as missing": 13,
        "frames whose expression is marked as missing": 2,
    }
    (row,) = read_manifest(workspace)
    assert row.notes == "Aff-Wild2 AU Train_Set, EXPR Train_Set, VA Train_Set"
    assert not process_clip(workspace, row, {name: stage.options() for name, stage in STAGES.items()}).reason
    file = open_record(workspace.record("video1"))
    assert file.frames.tolist() == [1, 2, 4, 5] and len(file.sidecar.labels) == 2 + 12 + 8
    names = ("valence", "arousal", "au01", "au02", "expression_neutral", "expression_happiness", "expression_other")
    nan = np.nan
    expected = [
        [0.5, -0.25, 1, 1, 0, 1, 0],
        [nan, nan, 0, nan, nan, nan, nan],
        [0.1, 0.2, nan, nan, 1, 0, 0],
        [nan, nan, nan, nan, 0, 0, 1],
    ]
    np.testing.assert_allclose(read_labels(file, names), expected, rtol=1e-6)
    assert verify_record(file.path) == []


def test_who_is_in_any_validation_set_is_for_validation(add_person, add_set, folder, draw_image, run_import, workspace):
    add_person("a", ["0,0"], [1])
    add_person("b", ["0,0"], [1], "Validation_Set")
    add_set("AU_Detection_Challenge", "a", UNITS, [",".join("0" * 12)], "Validation_Set")
    add_set("EXPR_Classification_Challenge", "c_left", CLASSES, ["1"])
    draw_image(folder / "cropped_aligned/c_left/00001.jpg")
    run_import("aff_wild2")
    assert {row["entry"]: row["partition"] for row in read_csv(workspace.official)} == {
        "a": "validation", "b": "validation", "c_left": "train",
    }  # fmt: skip


def test_earlier_challenges_of_seven_classes_are_read_too(add_set, folder, draw_image, run_import, workspace):
    add_set("EXPR_Recognition_Challenge", "video1", CLASSES.removesuffix(",Other"), ["6"])
    draw_image(folder / "cropped_aligned/video1/00001.jpg")
    assert run_import("aff_wild2").clips == ["video1"]
    assert read_trace(workspace.annotations / "aff_wild2/video1/expression_surprise.txt").values.tolist() == [1000]


@pytest.mark.parametrize(
    ("challenge", "header", "line", "what"),
    [
        ("AU_Detection_Challenge", "AU1,x", "0,0", "line 1: its first line is not 'AU1,AU2,…'"),
        ("AU_Detection_Challenge", "AU1,AU2", "0", "line 2: '0' is not 'AU1,AU2,…'"),
        ("EXPR_Classification_Challenge", "happy", "0", "line 1: its first line is not 'Neutral,Anger,…'"),
        ("EXPR_Classification_Challenge", CLASSES, "anger", "line 2: 'anger' is no class"),
    ],
)
def test_set_that_is_none_is_set_aside_with_its_line(
    add_person, add_set, draw_image, folder, run_import, challenge, header, line, what
):
    add_person("good", ["0,0"], [1])
    add_set(challenge, "bad", header, [line])
    draw_image(folder / "cropped_aligned/bad/00001.jpg")
    report = run_import("aff_wild2")
    assert report.clips == ["good"] and what in report.set_aside["bad"]
