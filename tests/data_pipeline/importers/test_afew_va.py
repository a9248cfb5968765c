import json

import numpy as np
import pytest

from data_pipeline.manifest import read_manifest
from tfrecords.crops import read_crops
from tfrecords.detections import read_detections

SQUARE = [[20, 30], [60, 30], [60, 90], [20, 90]] + [[40, 60]] * 64


@pytest.fixture
def add_clip(folder, draw_image):
    def add(name, values, actor="Tom Example", images=None):
        frames = {
            f"{number:05d}": {"valence": valence, "arousal": arousal, "landmarks": SQUARE}
            for number, (valence, arousal) in enumerate(values)
        }
        for number in range(len(values)) if images is None else images:
            draw_image(folder / name / f"{number:05d}.png", 10 + number, width=160, height=120)
        told = {"actor": actor, "video_id": name, "frames": frames}
        (folder / name).mkdir(exist_ok=True)
        (folder / name / f"{name}.json").write_text(json.dumps(told))

    return add


def test_whole_numbers_from_minus_10_to_10_become_labels_from_minus_1_to_1(add_clip, run_import, build_records):
    add_clip("001", [(-2, 3), (10, -10), (0, 7)])
    add_clip("002", [(5, 5)])
    run_import("afew_va")
    assert build_records() == {"001": {1: (-0.2, 0.3), 2: (1, -1), 3: (0, 0.7)}, "002": {1: (0.5, 0.5)}}


def test_actor_is_the_subject_of_all_their_clips(add_clip, run_import, workspace):
    add_clip("001", [(0, 0)])
    add_clip("002", [(0, 0)])
    add_clip("003", [(0, 0)], actor=None)
    run_import("afew_va")
    assert [row.subjects for row in read_manifest(workspace)] == [("Tom_Example",), ("Tom_Example",), ("003",)]


@pytest.mark.parametrize(("margin", "shape"), [(0.0, (60, 40, 3)), (0.25, (90, 60, 3)), (2.0, (120, 140, 3))])
def test_crop_is_the_landmarks_box_with_its_margin_inside_the_picture(add_clip, run_import, workspace, margin, shape):
    add_clip("001", [(0, 0)])
    run_import("afew_va", crop_margin=margin)
    (row,), facts = read_detections(workspace.detections("001"))
    assert (row["x"], row["y"], row["width"], row["height"]) == (20, 30, 40, 60) and row["landmarks"].shape == (68, 2)
    assert facts["crop_margin"] == margin and facts["detector"] == "afew_va"
    with read_crops(workspace.crops("001")) as read:
        crop = read("00001.jpg")
    assert crop.shape == shape and np.abs(crop.astype(int) - 10).max() <= 1


def test_images_without_labels_and_labels_without_images_are_counted(add_clip, run_import, build_records):
    add_clip("001", [(1, 1), (2, 2), (11, 3)], images=[0, 2, 7])
    add_clip("002", [(4, 4)])
    report = run_import("afew_va")
    assert report.left_out["labels without an image or landmarks"] == 1
    assert report.left_out["images without a label"] == 1
    assert report.left_out["values that are marked invalid or lie off the scale"] == 1
    assert build_records()["001"] == {1: (0.1, 0.1)}


@pytest.mark.parametrize("text", ["{}", "[1]", '{"frames": {"a": {}}}', '{"frames": {}}', "no json", '{"frames": 3}'])
def test_bad_annotation_sets_its_clip_aside(add_clip, run_import, folder, text):
    add_clip("001", [(0, 0)])
    add_clip("002", [(0, 0)])
    (folder / "002" / "002.json").write_text(text)
    report = run_import("afew_va")
    assert report.clips == ["001"] and "002.json" in report.set_aside["002"]
