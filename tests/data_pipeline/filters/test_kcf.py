import numpy as np

from data_pipeline.filters.kcf import kcf

GROUND = np.random.default_rng(0).integers(90, 110, (120, 260, 3), dtype=np.uint8)
FACE = np.random.default_rng(1).integers(0, 256, (10, 10, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
OTHER = np.random.default_rng(2).integers(0, 256, (10, 10, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)


def _picture(*faces):
    picture = GROUND.copy()
    for face, x in faces:
        picture[30:70, x : x + 40] = face
    return picture


def _clip(clip_faces, places, detected):
    """A clip of pictures with faces at x `places`, and the boxes `detected` in them by frame."""
    boxes = [[(x, 30, 40, 40) for x in found] for found in detected.values()]
    crops = [[FACE] * len(found) for found in detected.values()]
    return clip_faces(crops, boxes, list(detected), [_picture(*zip((FACE, OTHER), xs, strict=False)) for xs in places])


def test_tracker_follows_a_face_through_frames_without_a_detection(clip_faces):
    places = [(20 + 4 * frame,) for frame in range(20)]
    # Beside the face the last frame has a detection where the face once was.
    clip = _clip(clip_faces, places, {1: [20], 20: [20, 96]})
    first, last = (row[0] for row in kcf(clip, 1))
    assert first[0] == 0 and np.isnan(first[1])
    assert last[0] == 1 and last[1] < 0.3


def test_detection_away_from_the_tracker_s_box_is_dropped(clip_faces):
    clip = _clip(clip_faces, [(20,)] * 3, {1: [20], 2: [180], 3: [21]})
    assert [row[0][0] for row in kcf(clip, 1)] == [0, -1, 0]


def test_two_trackers_take_a_detection_each_whatever_their_names(clip_faces):
    places = [(20 + 2 * frame, 200 - 2 * frame) for frame in range(10)]
    detected = {frame: sorted(places[frame - 1], reverse=frame % 2 == 0) for frame in (1, 4, 7, 10)}
    clip = _clip(clip_faces, places, detected)
    assert [[face for face, _ in row] for row in kcf(clip, 2)] == [[0, 1], [1, 0], [0, 1], [1, 0]]


def test_box_that_leaves_the_picture_does_not_stop_the_filter(clip_faces):
    clip = _clip(clip_faces, [(20,)] * 3, {1: [-38], 2: [-38], 3: [20]})
    assert [row[0][0] for row in kcf(clip, 1)] == [0, 0, -1]
