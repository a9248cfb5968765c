import re
import zipfile

import pytest

from data_pipeline.manifest import read_manifest
from tfrecords.detections import read_detections
from tfrecords.workspace import read_csv


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


def test_other_challenges_beside_it_do_not_count(add_person, run_import, folder):
    add_person("video1", ["0,0"], [1])
    other = folder / "EXPR_Recognition_Challenge" / "Train_Set" / "video1.txt"
    other.parent.mkdir(parents=True)
    other.write_text("Neutral,Anger\n0\n")
    assert run_import("aff_wild2").clips == ["video1"]
