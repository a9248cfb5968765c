import cv2
import numpy as np
import pytest

from data_pipeline.decode import video_frames
from data_pipeline.demo_faces import render_face
from data_pipeline.detectors.blazeface import load_blazeface
from data_pipeline.detectors.face import Face, box_overlap, crop
from tfrecords.workspace import read_csv


@pytest.fixture(scope="module")
def detect():
    return load_blazeface(0.6)


def _pasted(x, y, side, height=360, width=640):
    rows, columns = np.mgrid[:height, :width]
    picture = np.stack([rows / 3 + 60, columns / 6 + 40, np.full((height, width), 90)], axis=-1).astype(np.uint8)
    picture[y : y + side, x : x + side] = render_face(3, 0.2, 0.1, side)
    return picture


@pytest.mark.parametrize(("x", "y", "side"), [(60, 40, 160), (400, 150, 200), (300, 20, 130)])
def test_pasted_face_is_found_at_its_place(detect, x, y, side):
    (face,) = detect(_pasted(x, y, side))
    # The picture shows hair and shoulders too; eyes to chin fill its middle.
    middle = Face(x + 0.15 * side, y + 0.15 * side, 0.7 * side, 0.7 * side, 1, np.zeros((6, 2)))
    assert box_overlap(face, middle) > 0.5
    assert face.score >= 0.6
    eyes, mouth = face.landmarks[:2], face.landmarks[3]
    assert np.all(eyes[:, 1] < mouth[1]) and eyes[0, 0] < eyes[1, 0]
    assert np.all((face.landmarks[:4] > [x, y]) & (face.landmarks[:4] < [x + side, y + side]))


def test_drawn_clip_s_faces_are_found_where_its_truth_says(detect, demo_workspace):
    row = next(row for row in read_csv(demo_workspace.manifest) if len(row["subjects"].split()) == 1)
    truth = read_csv(demo_workspace.root / "truth" / f"{row['clip']}.csv")
    picture = next(video_frames(demo_workspace.root / row["source"]))
    (face,) = detect(picture)
    box = [float(truth[0][name]) for name in ("x", "y", "width", "height")]
    assert box_overlap(face, Face(*box, 1, np.zeros((6, 2)))) > 0.5


@pytest.mark.parametrize("shape", [(360, 640), (640, 360), (48, 64), (1, 1), (5, 900)])
def test_blank_picture_of_any_shape_has_no_face(detect, shape):
    assert detect(np.full((*shape, 3), 127, np.uint8)) == []


def test_noise_has_no_face(detect):
    rng = np.random.default_rng(0)
    assert all(detect(rng.integers(0, 256, (360, 640, 3), dtype=np.uint8)) == [] for _ in range(5))


@pytest.mark.parametrize(("name", "faces"), [("two_people.jpg", 2), ("multi_face.jpg", 5)])
def test_faces_of_a_photograph_are_counted(detect, media, name, faces):
    found = detect(cv2.imread(str(media(name)))[:, :, ::-1])
    assert len(found) == faces
    assert [face.score for face in found] == sorted((face.score for face in found), reverse=True)


def test_crop_is_the_box_clipped_to_the_picture():
    picture = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    face = Face(-3.0, 4.0, 10.0, 30.0, 0.9, np.zeros((6, 2)))
    np.testing.assert_array_equal(crop(picture, face), picture[4:20, 0:7])
    np.testing.assert_array_equal(crop(picture, face, 0.1), picture[1:20, 0:8])


def test_overlap_is_intersection_over_union():
    one, other = (Face(x, 0, 10, 10, 1, np.zeros((6, 2))) for x in (0, 5))
    assert box_overlap(one, other) == 50 / 150 and box_overlap(one, one) == 1
    assert box_overlap(one, Face(10, 0, 10, 10, 1, np.zeros((6, 2)))) == 0
