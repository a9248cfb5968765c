import functools
import weakref

import numpy as np
import pytest

from data_pipeline.decode import clip_planes, video_frames
from data_pipeline.demo_faces import render_face
from data_pipeline.detectors import load_detector
from data_pipeline.detectors.face import Face, box_overlap
from data_pipeline.detectors.fast import mtcnn_box
from data_pipeline.frames import Frame

# How many faces MTCNN counted in every n-th frame: ../shared/media/README.md.
COUNTED = {
    "WolfgangLanger_Pexels.mp4": (24, "1" * 20),
    "single_face.mp4": (9, "1" * 8),
    "face_noface.mov": (17, "1111100000"),
    "no_face.mp4": (10, "0" * 10),
    "short_hamilton_clip.mp4": (20, "21100111111444"),
}


@functools.cache
def _drawn_face(subject):
    return render_face(subject, 0.2, 0.1, 150)


def _scene(x, subject=3, grey=90):
    """A drawn face at `x`, or none, before a wall."""
    picture = np.full((360, 640, 3), grey, np.uint8)
    if x is not None:
        picture[100:250, x : x + 150] = _drawn_face(subject)
    return Frame((picture,))


def _faces(frames, stride="adaptive"):
    return [faces for _, faces in load_detector("fast", stride=stride)(frames)]


@pytest.mark.parametrize("stride", ["1", "adaptive"])
@pytest.mark.parametrize("name", sorted(COUNTED))
def test_real_clip_has_the_faces_that_mtcnn_counted(media, name, stride):
    every, counts = COUNTED[name]
    found = [len(faces) for faces in _faces(clip_planes(media(name)), stride)][::every]
    if name == "short_hamilton_clip.mp4":
        assert sum(map(min, found, map(int, counts))) >= 0.9 * sum(map(int, counts))
        assert sum(found) <= sum(map(int, counts)) + 1
    else:
        assert "".join(map(str, found)) == counts


def test_where_nobody_is_there_is_no_box_in_any_frame(media):
    assert not any(_faces(clip_planes(media("no_face.mp4"))))
    found = _faces(clip_planes(media("face_noface.mov")))
    assert all(len(faces) == 1 for faces in found[:72]) and not any(found[72:])


def test_boxes_between_looks_are_near_those_of_every_frame(media):
    every, third = (_faces(clip_planes(media("WolfgangLanger_Pexels.mp4")), stride) for stride in ("1", "3"))
    overlaps = [box_overlap(one[0], other[0]) for one, other in zip(every, third, strict=True)]
    assert np.mean(overlaps) > 0.96 and min(overlaps) > 0.8
    assert not any(faces[0].interpolated for faces in every)
    assert np.mean([faces[0].interpolated for faces in third]) > 0.6


@pytest.mark.parametrize("stride", ["1", "2", "3", "adaptive"])
def test_every_frame_comes_back_once_and_in_order(stride):
    for count in (0, 1, 2, 5, 11):
        frames = [_scene(200) for _ in range(count)]
        back = list(load_detector("fast", stride=stride)(iter(frames)))
        assert [id(frame) for frame, _ in back] == [id(frame) for frame in frames]
        assert all(len(faces) == 1 for _, faces in back)


@pytest.mark.parametrize("stride", ["1", "3", "adaptive"])
def test_first_and_last_frame_of_a_face_are_those_of_every_frame(stride):
    there = range(7, 18)
    found = _faces([_scene(200 if number in there else None) for number in range(25)], stride)
    assert [number for number, faces in enumerate(found) if faces] == list(there)


def test_cut_to_another_person_in_the_same_place_ends_the_track_there():
    # Without the cut a box of the dark scene's face would slide to the bright scene's.
    frames = [_scene(200, grey=40)] * 8 + [_scene(260, grey=200, subject=5)] * 8
    found = _faces(frames, "3")
    assert all(len(faces) == 1 for faces in found)
    for faces, x in zip(found, [200] * 8 + [260] * 8, strict=True):
        assert abs(faces[0].x + faces[0].width / 2 - (x + 75)) < 15


def test_same_clip_gives_the_same_faces_each_time(media):
    def flat():
        found = _faces(clip_planes(media("single_face.mp4")))
        return [(face.x, face.y, face.width, face.height, face.score) for faces in found for face in faces]

    assert flat() == flat()


def test_few_frames_are_held_however_long_the_clip():
    most = 0
    held = []

    def watched():
        nonlocal most
        for number in range(60):
            frame = _scene(200 if number % 20 < 15 else None)
            held.append(weakref.ref(frame))
            most = max(most, sum(ref() is not None for ref in held))
            yield frame

    for _ in load_detector("fast")(watched()):
        pass
    assert 3 <= most <= 10


def test_pictures_of_any_video_are_taken_as_well_as_planes(media):
    pictures = (Frame((picture,)) for picture in video_frames(media("single_face.mp4")))
    assert [len(faces) for faces in _faces(pictures)] == [1] * 72


def test_dark_and_flat_patches_are_no_faces():
    found = _faces([_scene(200)] * 4)
    assert all(found)
    dark = [Frame((frame.planes[0] // 12,)) for frame in [_scene(200)] * 4]
    assert not any(_faces(dark))


def test_box_is_moved_and_shaped_like_mtcnn_s():
    box = mtcnn_box(Face(100, 200, 50, 50, 0.9, np.zeros((6, 2))))
    assert (box.width, box.height) == pytest.approx((41.5, 58))
    assert (box.x + box.width / 2, box.y + box.height / 2) == pytest.approx((125, 225 - 3.6))


def test_least_score_is_onet_s_probability():
    frames = [_scene(200)] * 3
    (face,) = _faces(frames)[0]
    assert 0.85 < face.score <= 1
    assert not any(faces for _, faces in load_detector("fast", min_score=1.0)(frames))
