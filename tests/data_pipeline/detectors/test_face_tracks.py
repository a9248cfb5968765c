import numpy as np
import pytest

from data_pipeline.detectors.face import Face
from data_pipeline.detectors.face_tracks import LOOKS_BETWEEN_CHECKS, FaceTracks, face_at, mix_faces


def _face(x=100.0, score=0.9, side=50.0):
    return Face(x, 40.0, side, side, score, np.array([[x + 10, 60], [x + 40, 60]], np.float32))


def _look(*faces, probability=0.95):
    return list(faces), lambda index: probability


NOTHING = _look()


def _run(looks, min_probability=0.7):
    """Tracks after looks (frame -> look) in order."""
    tracks = FaceTracks(min_probability)
    for frame, look in looks.items():
        tracks.update(frame, look)
    return tracks


def _frames(tracks, end=30):
    return [frame for frame in range(end) if tracks.faces(frame)]


def test_two_good_looks_open_a_track_from_its_first_frame_on():
    tracks = _run({0: NOTHING, 1: _look(_face())})
    assert _frames(tracks) == []
    tracks.update(2, _look(_face(103)))
    assert _frames(tracks) == [1, 2]


@pytest.mark.parametrize(
    ("score", "probability", "opens"), [(0.3, 0.7, True), (0.29, 0.99, False), (0.99, 0.69, False)]
)
def test_only_good_faces_that_pass_the_check_open_a_track(score, probability, opens):
    look = _look(_face(score=score), probability=probability)
    assert bool(_frames(_run({0: look, 1: look, 2: look}))) == opens


def test_open_track_lives_on_faces_too_weak_to_open_one():
    good, weak = _look(_face()), _look(_face(score=0.2))
    assert _frames(_run({0: good, 1: good, 2: weak, 3: weak})) == [0, 1, 2, 3]


def test_gap_of_two_bad_looks_is_bridged_and_three_end_the_track():
    good = _look(_face())
    bridged = _run({0: good, 1: good, 2: NOTHING, 3: NOTHING, 4: good})
    assert _frames(bridged) == [0, 1, 2, 3, 4] and len(bridged.tracks) == 1
    assert [bridged.faces(frame)[0].interpolated for frame in (1, 2, 3, 4)] == [False, True, True, False]
    ended = _run({0: good, 1: good, 2: NOTHING, 3: NOTHING, 4: NOTHING, 5: good, 6: good})
    assert _frames(ended) == [0, 1, 5, 6] and len(ended.tracks) == 2


def test_open_track_is_checked_again_now_and_then_and_ends_where_it_is_no_face():
    good, none = _look(_face()), _look(_face(), probability=0.1)
    checked = []
    counting = [_face()], lambda index: checked.append(index) or 0.95
    _run({frame: counting for frame in range(2 + 2 * LOOKS_BETWEEN_CHECKS)})
    assert len(checked) == 2 + 1 + 2  # at its opening (twice asked for), its second look, and every fifth
    tracks = _run({0: good, 1: good} | {frame: none for frame in range(2, 12)})
    assert _frames(tracks)[-1] == LOOKS_BETWEEN_CHECKS and tracks.tracks[0].closed


def test_face_elsewhere_is_another_track_and_two_faces_keep_apart():
    looks = {frame: _look(_face(100 + frame), _face(400 - frame)) for frame in range(4)}
    tracks = _run(looks)
    assert len(tracks.tracks) == 2
    for frame in range(4):
        assert sorted(face.x for face in tracks.faces(frame)) == [100 + frame, 400 - frame]
    assert len(_run({0: _look(_face(100)), 1: _look(_face(140))}).tracks) == 2  # they overlap by 10 of 90


def test_end_closes_all_and_lets_a_single_good_look_count():
    tracks = _run({0: _look(_face())})
    tracks.end()
    tracks.update(1, _look(_face()))
    assert _frames(tracks) == [0] and len(tracks.tracks) == 2


def test_unexpected_looks_are_told_from_expected_ones():
    tracks = _run({0: _look(_face()), 1: _look(_face())})
    assert tracks.explain(_look(_face(105)))
    assert not tracks.explain(NOTHING)
    assert not tracks.explain(_look(_face(300)))
    assert not tracks.explain(_look(_face(), _face(300)))
    assert tracks.explain(_look(_face(), _face(300, score=0.25)))
    assert FaceTracks(0.7).explain(_look(_face(), probability=0.1))


def test_steadiness_is_the_overlap_of_the_last_two_boxes():
    still = _run({0: _look(_face()), 3: _look(_face())})
    moving = _run({0: _look(_face(100)), 3: _look(_face(110))})  # 40 of 60
    assert still.is_steady(1.0)
    assert moving.is_steady(0.66) and not moving.is_steady(0.67)
    still.update(6, NOTHING)
    assert not still.is_steady(0.1)
    assert not _run({0: _look(_face())}).is_steady(0.1) and FaceTracks(0.7).is_steady(1.0)


def test_boxes_between_two_looks_lie_on_a_straight_line():
    seen = {3: _face(100, 0.8), 6: _face(130, 0.9, side=80)}
    between = face_at(seen, 4)
    assert (between.x, between.width) == pytest.approx((110, 60)) and between.score == pytest.approx(0.8 + 0.1 / 3)
    np.testing.assert_allclose(between.landmarks, [[120, 60], [150, 60]], rtol=1e-6)
    assert between.interpolated and between.landmarks.dtype == np.float32
    assert face_at(seen, 3) is seen[3] and face_at(seen, 2) is None and face_at(seen, 7) is None
    assert mix_faces(seen[3], seen[6], 1).x == 130


def test_faces_come_the_most_certain_first_with_the_check_s_probability():
    tracks = FaceTracks(0.7)
    for frame in range(2):
        tracks.update(frame, ([_face(100), _face(300)], lambda index: (0.8, 0.9)[index]))
    assert [(face.x, face.score) for face in tracks.faces(1)] == [(300, 0.9), (100, 0.8)]


def test_long_clips_leave_nothing_behind():
    tracks = FaceTracks(0.7)
    for frame in range(0, 300, 3):
        tracks.update(frame, _look(_face(100 + frame / 10)))
        tracks.forget(frame - 2)
    assert len(tracks.tracks) == 1 and len(tracks.tracks[0].seen) <= 4
    tracks.end()
    tracks.forget(1000)
    assert tracks.tracks == []
