"""Every detector of the registry through the same checks."""

import subprocess
import sys
import types

import cv2
import numpy as np
import pytest

from data_pipeline.detectors import DETECTORS, load_detector, on_each_frame, used_min_score
from data_pipeline.detectors.face import MIN_SIDE, Face
from data_pipeline.frames import Frame
from tfrecords.errors import InputError

INSTALLED = ("blazeface", "fast", "haar", "mtcnn")


@pytest.fixture(scope="module")
def found(media):
    """Detector -> the faces of the photograph of two people, from the left."""
    picture = np.ascontiguousarray(cv2.imread(str(media("two_people.jpg")))[:, :, ::-1])
    found = {}
    for name in INSTALLED:
        ((_, faces),) = load_detector(name)([Frame((picture,))])
        found[name] = sorted(faces, key=lambda face: face.x)
    return found


@pytest.mark.parametrize("name", INSTALLED)
def test_two_people_are_found_where_mtcnn_finds_them(found, name):
    assert len(found[name]) == 2
    for face, expected in zip(found[name], found["mtcnn"], strict=True):
        centre = face.x + face.width / 2, face.y + face.height / 2
        assert abs(centre[0] - expected.x - expected.width / 2) < 0.25 * expected.width
        assert abs(centre[1] - expected.y - expected.height / 2) < 0.25 * expected.height
        assert 0.5 < face.width / expected.width < 2 and used_min_score(name, None) <= face.score <= 1


@pytest.mark.parametrize("name", [name for name in INSTALLED if name != "haar"])
def test_first_two_landmarks_are_the_person_s_right_and_left_eye(found, name):
    for face, expected in zip(found[name], found["mtcnn"], strict=True):
        right, left = face.landmarks[:2]
        # The person looks at the viewer, so the right eye is further left; both lie in the box's upper half.
        assert face.x < right[0] < left[0] < face.x + face.width
        assert all(face.y < eye[1] < face.y + 0.6 * face.height for eye in (right, left))
        np.testing.assert_allclose(face.landmarks[:2], expected.landmarks[:2], atol=0.15 * expected.width)


def test_every_detector_has_a_least_score_between_0_and_1_that_can_be_overridden():
    assert set(INSTALLED) | {"ffld2", "yunet"} == set(DETECTORS)
    assert all(0 < used_min_score(name, None) < 1 and used_min_score(name, 0.25) == 0.25 for name in DETECTORS)


def test_faces_too_small_for_a_crop_are_dropped():
    sides = (MIN_SIDE - 1, MIN_SIDE, MIN_SIDE + 20)
    detect = on_each_frame(lambda picture: [Face(5, 5, side, side, 1, np.zeros((0, 2))) for side in sides])
    ((_, faces),) = detect([Frame((np.zeros((60, 60, 3), np.uint8),))])
    assert [face.width for face in faces] == [MIN_SIDE, MIN_SIDE + 20]


@pytest.mark.parametrize("content", [None, "this is no network"])
def test_yunet_without_its_file_says_where_to_get_it(tmp_path, content):
    path = tmp_path / "yunet.onnx"
    if content:
        path.write_text(content)
    with pytest.raises(InputError, match=r"yunet\.onnx: .*fetch_weights --weights=yunet .*--yunet_model"):
        load_detector("yunet", yunet_model=str(path))
    with pytest.raises(InputError, match="--yunet_model: YuNet's ONNX file is missing"):
        load_detector("yunet")


def test_yunet_s_rows_become_faces_with_the_eyes_first(tmp_path, monkeypatch):
    """Its file is not ours to ship, so OpenCV's answer is played here in the layout that its documentation gives."""
    rows = np.array([[10, 20, 30, 40, 15, 30, 30, 30, 22, 40, 17, 50, 28, 50, 0.8], [50, 20, 30, 40, *range(10), 0.9]])
    network = types.SimpleNamespace(setInputSize=lambda size: sizes.append(size), detect=lambda picture: (1, rows))
    sizes = []
    monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda *words, **how: network)
    (tmp_path / "a.onnx").write_bytes(b"")
    ((_, faces),) = load_detector("yunet", yunet_model=str(tmp_path / "a.onnx"))(
        [Frame((np.zeros((90, 120, 3), np.uint8),))]
    )
    assert sizes == [(120, 90)] and [face.score for face in faces] == [0.9, 0.8]
    assert (faces[1].x, faces[1].y, faces[1].width, faces[1].height) == (10, 20, 30, 40)
    np.testing.assert_array_equal(faces[1].landmarks[:2], [[15, 30], [30, 30]])


def test_ffld2_without_its_package_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cyffld2", None)
    with pytest.raises(InputError, match=r"--detector=ffld2: the package cyffld2 cannot be imported; build cyffld2"):
        load_detector("ffld2")


def test_ffld2_s_boxes_and_scores_become_faces(monkeypatch):
    """cyffld2 is built with effort only, so its one function is played here."""
    asked = {}

    def detect_frontal_faces(picture, threshold):
        asked.update(threshold=threshold, contiguous=picture.flags.c_contiguous)
        return [types.SimpleNamespace(x=3, y=4, width=20, height=21, score=score) for score in (4.5, 9.0)]

    monkeypatch.setitem(sys.modules, "cyffld2", types.SimpleNamespace(detect_frontal_faces=detect_frontal_faces))
    ((_, faces),) = load_detector("ffld2")([Frame((np.zeros((60, 60, 3), np.uint8)[:, ::-1],))])
    assert asked["threshold"] == pytest.approx(4) and asked["contiguous"]
    assert [face.score for face in faces] == pytest.approx([0.9, 4.5 / 5.5])
    assert (faces[0].x, faces[0].y, faces[0].width, faces[0].height) == (3, 4, 20, 21)


def test_detecting_loads_no_tensorflow_unless_mtcnn_is_chosen():
    code = (
        "import sys, numpy; from data_pipeline.detectors import load_detector; from data_pipeline.frames import Frame;"
        "[list(load_detector(name)([Frame((numpy.zeros((90, 90, 3), 'u1'),))])) for name in ('fast', 'haar')];"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
