import cv2
import numpy as np
import pytest
import skimage.data

from data_pipeline.detectors.blazeface import load_blazeface
from data_pipeline.detectors.face import Face
from data_pipeline.face_mesh import POINTS_OF_68, load_face_mesh

JAW, BROWS, EYES, OUTER_LIPS, INNER_LIPS = slice(0, 17), slice(17, 27), slice(36, 48), slice(48, 60), slice(60, 68)


@pytest.fixture(scope="module")
def picture():
    return skimage.data.astronaut()


@pytest.fixture(scope="module")
def face(picture):
    (face,) = load_blazeface(0.6)(picture)
    return face


@pytest.fixture(scope="module")
def find():
    return load_face_mesh()


@pytest.fixture(scope="module")
def landmarks(find, picture, face):
    return find(picture, face)


def test_correspondence_names_68_different_points_of_the_mesh():
    assert len(set(POINTS_OF_68.tolist())) == 68 and POINTS_OF_68.min() == 0 and POINTS_OF_68.max() < 468


def test_landmarks_lie_in_ibug_s_order(landmarks):
    assert landmarks.shape == (68, 2) and landmarks.dtype == np.float32
    assert np.all(np.diff(landmarks[JAW, 0]) > -1) and landmarks[JAW, 1].argmax() in (7, 8, 9)
    assert np.all(np.diff(landmarks[BROWS, 0]) > 0)
    assert landmarks[BROWS, 1].max() < landmarks[EYES, 1].min() < landmarks[30, 1] < landmarks[OUTER_LIPS, 1].min()
    right, left = landmarks[36:42], landmarks[42:48]
    for eye in (right, left):
        assert eye[:, 0].argmin() == 0 and eye[:, 0].argmax() == 3
        assert np.all(eye[[1, 2], 1] < eye[[5, 4], 1])
    assert right[:, 0].max() < left[:, 0].min()
    assert landmarks[OUTER_LIPS, 0].argmin() == 0 and landmarks[OUTER_LIPS, 0].argmax() == 6
    assert landmarks[51, 1] < landmarks[62, 1] <= landmarks[66, 1] < landmarks[57, 1]


def test_eyes_lie_where_the_detector_sees_them(landmarks, face):
    for ours, theirs in [(landmarks[36:42], face.landmarks[0]), (landmarks[42:48], face.landmarks[1])]:
        assert np.linalg.norm(ours.mean(axis=0) - theirs) < 0.05 * face.width


@pytest.mark.parametrize("degrees", [-35, 20])
def test_turned_head_s_landmarks_are_turned(find, picture, landmarks, face, degrees):
    turn = cv2.getRotationMatrix2D((face.x + face.width / 2, face.y + face.height / 2), degrees, 1)
    turned = cv2.warpAffine(picture, turn, (512, 512))
    eyes = face.landmarks @ turn[:, :2].T + turn[:, 2]
    found = find(turned, Face(face.x, face.y, face.width, face.height, 1, eyes))
    expected = landmarks @ turn[:, :2].T + turn[:, 2]
    assert np.abs(found - expected).max() < 0.06 * face.width


def test_face_without_eye_points_is_taken_for_upright(find, picture, landmarks, face):
    bare = Face(face.x, face.y, face.width, face.height, 1, np.empty((0, 2), np.float32))
    assert np.abs(find(picture, bare) - landmarks).max() < 0.06 * face.width


def test_face_at_the_picture_s_edge_gets_finite_landmarks(find, picture):
    found = find(picture, Face(-30, -40, 90, 90, 1, np.empty((0, 2), np.float32)))
    assert found.shape == (68, 2) and np.isfinite(found).all()
