"""Tracks, the people that they make, and the filter of the same name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.filters.clip_faces import box_overlaps
from data_pipeline.filters.clip_tracks import MAX_MISSED, clip_tracks, colour_distances, root_histogram
from data_pipeline.filters.people import join_tracks
from data_pipeline.filters.rgb_histogram import colour_histogram, hellinger_distance
from data_pipeline.filters.tracks import tracks

RED, GREEN, BLUE = (
    (np.full((12, 12, 3), colour, np.uint8)) for colour in ((200, 20, 20), (20, 200, 20), (20, 20, 200))
)


def _half(share, one=RED, other=GREEN):
    """A crop of `one`, of which this many of twelve rows are `other`."""
    return np.concatenate([other[:share], one[share:]])


@pytest.fixture
def scene(clip_faces):
    """``scene({frame: [(x, crop), …]})``: boxes of 50 by 50 pixels."""

    def make(frames):
        frames = dict(sorted(frames.items()))
        boxes = [[(x, 0, 50, 50) for x, _ in found] for found in frames.values()]
        return clip_faces([[crop for _, crop in found] for found in frames.values()], boxes, list(frames))

    return make


def _spans(clip):
    return [(clip.frames[t.places[0][0]].frame, clip.frames[t.places[-1][0]].frame) for t in clip_tracks(clip)]


def _people(clip):
    return [[track.number for track in person.tracks] for person in join_tracks(clip, clip_tracks(clip))]


def _chosen(clip, people=1):
    """x of each frame's choice, None where there is none."""
    rows = tracks(clip, people)
    found = [
        [int(frame.boxes[face, 0]) if face >= 0 else None for face, _ in row]
        for frame, row in zip(clip.frames, rows, strict=True)
    ]
    return [row[0] for row in found] if people == 1 else found


def test_distance_of_roots_is_hellinger_s():
    one, other = _half(3), _half(8, RED, BLUE)
    expected = hellinger_distance(colour_histogram(one), colour_histogram(other))
    assert colour_distances(root_histogram(one)[None], root_histogram(other)[None])[0, 0] == pytest.approx(expected)


@given(st.lists(st.tuples(*[st.floats(1, 90)] * 4), min_size=1, max_size=5))
def test_overlaps_are_intersections_over_unions(boxes):
    boxes = np.array(boxes)
    found = box_overlaps(boxes, boxes)
    np.testing.assert_allclose(np.diag(found), 1)
    np.testing.assert_allclose(found, found.T)
    assert box_overlaps(np.array([[0, 0, 10, 10]]), np.array([[5, 0, 10, 10], [10, 0, 5, 5]])).tolist() == [[1 / 3, 0]]


def test_track_survives_a_few_missed_frames_and_ends_after_more(scene):
    assert _spans(scene({1: [(0, RED)], MAX_MISSED + 2: [(0, RED)]})) == [(1, MAX_MISSED + 2)]
    assert _spans(scene({1: [(0, RED)], MAX_MISSED + 3: [(0, RED)]})) == [(1, 1), (MAX_MISSED + 3, MAX_MISSED + 3)]


def test_cut_to_somebody_else_in_the_same_place_ends_the_track(scene):
    clip = scene({frame: [(0, BLUE if 6 <= frame <= 15 else RED)] for frame in range(1, 26)})
    assert _spans(clip) == [(1, 5), (6, 15), (16, 25)]
    assert _people(clip) == [[1, 3], [2]]


def test_slow_change_of_light_does_not_end_the_track(scene):
    clip = scene({frame: [(0, _half(frame))] for frame in range(1, 12)})
    assert _spans(clip) == [(1, 11)]


def test_two_people_who_pass_each_other_keep_their_tracks(scene):
    clip = scene({frame: [(10 * frame, RED), (200 - 10 * frame, BLUE)][:: (-1) ** frame] for frame in range(20)})
    assert _chosen(clip, 2) == [[10 * frame, 200 - 10 * frame] for frame in range(20)]


def test_tracks_of_one_frame_are_different_people_though_they_look_alike(scene):
    clip = scene({frame: [(0, RED), (100, RED)] for frame in range(1, 9)})
    assert _people(clip) == [[1], [2]]


def test_person_who_returns_elsewhere_is_known_by_colour(scene):
    frames = {frame: [(0, RED)] for frame in range(1, 9)} | {frame: [(300, RED)] for frame in range(90, 99)}
    assert _people(scene(frames | {50: [(0, BLUE)]})) == [[1, 3], [2]]


def test_few_frames_of_passing_light_stay_with_the_person_beside_them_and_a_cut_to_many_does_not(scene):
    def fading(length):
        return scene({frame: [(0, RED if frame < 9 else _half(5))] for frame in range(1, 9 + length)})

    assert _people(fading(3)) == [[1, 2]] and _people(fading(6)) == [[1], [2]]


def test_short_track_far_in_colour_or_place_stays_alone(scene):
    frames = {frame: [(0, RED)] for frame in range(1, 9)}
    assert _people(scene(frames | {9: [(0, BLUE)]})) == [[1], [2]]
    assert _people(scene(frames | {9: [(200, _half(6))]})) == [[1], [2]]


def test_false_detection_first_alone_or_beside_steals_nothing(scene):
    frames = {1: [(300, GREEN)], 2: [(300, GREEN)]} | {frame: [(0, RED)] for frame in range(3, 12)}
    frames |= {6: [(300, GREEN), (0, RED)], 20: [(300, GREEN)], 40: [(5, RED)]}
    assert _chosen(scene(frames)) == [None] * 2 + [0] * 9 + [None, 5]


def test_larger_and_longer_face_is_the_subject(clip_faces):
    crops, near, far = [[RED, BLUE]] * 10, (0, 0, 60, 60), (100, 0, 20, 20)
    assert [row[0][0] for row in tracks(clip_faces(crops, [[far, near]] * 10), 1)] == [1] * 10
    # A third of the side, but more than three times as long.
    crops, boxes = [[RED, BLUE]] * 5 + [[RED]] * 20, [[far, near]] * 5 + [[far]] * 20
    assert [row[0][0] for row in tracks(clip_faces(crops, boxes), 1)] == [0] * 25


def test_of_two_people_both_are_seen_in_one_frame_and_a_third_is_left_out(scene):
    frames = {frame: [(300, BLUE), (0, RED), (150, GREEN)] for frame in range(1, 5)}
    frames |= {frame: [(300, BLUE), (0, RED)] for frame in range(5, 12)} | {12: [(0, RED)], 13: [(150, GREEN)]}
    assert _chosen(scene(frames), 2) == [[0, 300]] * 11 + [[0, None], [None, None]]


def test_person_1_is_the_further_left_of_the_first_frame_that_shows_both(scene):
    frames = {1: [(300, RED)], 2: [(300, RED), (100, BLUE)]} | {
        frame: [(0, RED), (300, BLUE)] for frame in range(9, 20)
    }
    assert _chosen(scene(frames), 2) == [[None, 300], [100, 300]] + [[300, 0]] * 11


def test_two_people_never_seen_together_are_nobody(scene):
    assert _chosen(scene({1: [(0, RED)], 2: [(0, BLUE)]}), 2) == [[None, None]] * 2


@given(st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), max_size=4, unique_by=lambda p: p[0])))
def test_every_detection_is_in_one_track_and_every_track_in_one_person(clip_faces, frames):
    found = [frame for frame in frames if frame]
    boxes = [[(20 * x, 0, 50, 50) for x, _ in frame] for frame in found]
    clip = clip_faces([[_half(share) for _, share in frame] for frame in found], boxes)
    made = clip_tracks(clip)
    assert [track.number for track in made] == list(range(1, len(made) + 1))
    places = sorted(place for track in made for place in track.places)
    assert places == [(index, face) for index, frame in enumerate(found) for face in range(len(frame))]
    people = join_tracks(clip, made)
    assert sorted(track.number for person in people for track in person.tracks) == [track.number for track in made]
    for person in people:
        assert len(person.places()) == sum(len(track.places) for track in person.tracks)
