import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.detectors.face import Face
from data_pipeline.tracks import HOLD, MAX_MISSED, MIN_FACES, follow_faces


def _face(x, y=0.0, side=50.0):
    return Face(x, y, side, side, 0.9, np.zeros((6, 2), np.float32))


def _follow(frames):
    """[[(track, x), …], …] of frames given as lists of x, each face carrying its x along."""
    found = list(follow_faces([(_face(x), x) for x in frame] for frame in frames))
    assert all(face.x == payload for frame in found for _, face, payload in frame)
    return [[(track, payload) for track, _, payload in frame] for frame in found]


def test_face_in_3_frames_only_is_no_track():
    assert _follow([[]] * 5 + [[10]] * 3 + [[]] * 60) == [[]] * 68


def test_first_frames_of_a_track_are_filled_in():
    assert _follow([[]] * 3 + [[10]] * 8) == [[]] * 3 + [[(1, 10)]] * 8


def test_track_counts_from_its_fifth_face_on():
    assert _follow([[10]] * (MIN_FACES - 1)) == [[]] * 4
    assert _follow([[10]] * MIN_FACES) == [[(1, 10)]] * 5


def test_two_people_keep_their_numbers_while_they_move():
    frames = [[10 + t, 200 - t] if t % 2 else [200 - t, 10 + t] for t in range(60)]
    assert _follow(frames) == [[(number, x) for number, x in sorted([(2, 10 + t), (1, 200 - t)])] for t in range(60)]


def test_gap_of_a_second_keeps_the_track_and_a_longer_one_opens_another():
    for gap, number in ((MAX_MISSED, 1), (MAX_MISSED + 1, 2)):
        found = _follow([[10]] * 10 + [[]] * gap + [[10]] * 10)
        assert found[0] == [(1, 10)] and found[-1] == [(number, 10)]


def test_face_that_jumps_away_is_another_person():
    found = _follow([[10]] * 10 + [[300]] * 10)
    assert found[9] == [(1, 10)] and found[10] == [(2, 300)]


def test_frames_come_out_at_most_hold_frames_late():
    taken = []

    def frames():
        for number in range(100):
            taken.append(number)
            yield [(_face(10), number)]

    for number, _ in enumerate(follow_faces(frames())):
        assert len(taken) <= number + HOLD + 1


@given(st.lists(st.lists(st.integers(0, 20).map(lambda n: 25.0 * n), max_size=4, unique=True), max_size=60))
def test_every_frame_comes_back_once_and_no_track_twice_in_a_frame(frames):
    found = _follow(frames)
    assert len(found) == len(frames)
    for given_faces, kept in zip(frames, found, strict=True):
        tracks = [track for track, _ in kept]
        assert tracks == sorted(set(tracks)) and {x for _, x in kept} <= set(given_faces)
