import cv2
import numpy as np
import pytest

from data_pipeline.filters.kaze import cosine_distance, kaze_vector
from data_pipeline.filters.kaze_histogram import kaze_histogram
from data_pipeline.filters.two_people import two_people, two_people_literal
from tfrecords.errors import InputError


def _texture(seed, size=48):
    """A crop with many key points: coloured blots."""
    rng = np.random.default_rng(seed)
    picture = np.full((size, size, 3), 40, np.uint8)
    for _ in range(25):
        at = tuple(map(int, rng.integers(4, size - 4, 2)))
        cv2.circle(picture, at, int(rng.integers(2, 7)), tuple(map(int, rng.integers(0, 256, 3))), -1)
    return picture


FLAT = np.full((48, 48, 3), 40, np.uint8)


def test_vector_is_the_32_strongest_key_points_descriptors_joined():
    crop = _texture(0)
    points, descriptors = cv2.xfeatures2d.KAZE_create().detectAndCompute(crop[:, :, ::-1], None)  # OpenCV takes BGR
    order = sorted(range(len(points)), key=lambda point: -points[point].response)[:32]
    expected = np.concatenate([descriptors[point] for point in order])
    vector = kaze_vector(crop)
    assert vector.shape == (2048,) and len(points) >= 5
    np.testing.assert_allclose(vector[: len(expected)], expected, atol=1e-5)
    assert not vector[len(expected) :].any()


def test_vector_holds_no_more_than_32_key_points():
    points, _ = cv2.xfeatures2d.KAZE_create().detectAndCompute(_texture(1, 160), None)
    assert len(points) > 32
    blocks = kaze_vector(_texture(1, 160)).reshape(32, 64)
    np.testing.assert_allclose(np.linalg.norm(blocks, axis=1), 1, atol=1e-4)  # each descriptor has length 1


def test_flat_crop_has_no_vector():
    assert kaze_vector(FLAT) is None


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [((1, 0), (3, 0), 0), ((1, 0), (0, 2), 1), ((1, 0), (-1, 0), 2), ((1, 0), (1, 1), 1 - 0.5**0.5)],
)
def test_distance_is_one_less_the_cosine(one, other, distance):
    assert cosine_distance(np.array(one, np.float32), np.array(other, np.float32)) == pytest.approx(distance)


@pytest.fixture
def staged(monkeypatch, clip_faces):
    """``staged(rule, frames, people)`` runs a rule on crops that stand for their KAZE and histogram values.

    A crop is (a number or None, a letter): the KAZE distance of two is the difference of their numbers, None has no key
    points, and equal letters are at histogram distance 0, others at 1.
    """
    for rule in (kaze_histogram, two_people):
        monkeypatch.setitem(rule.__globals__, "kaze_vector", lambda crop: crop[0])
        monkeypatch.setitem(rule.__globals__, "cosine_distance", lambda one, other: abs(one - other))
    monkeypatch.setitem(kaze_histogram.__globals__, "colour_histogram", lambda crop: crop[1])
    monkeypatch.setitem(kaze_histogram.__globals__, "hellinger_distance", lambda one, other: float(one != other))
    return lambda rule, frames, people: [[face for face, _ in row] for row in rule(clip_faces(frames), people)]


def _single(staged, *frames):
    return [row[0] for row in staged(kaze_histogram, frames, 1)]


def test_lone_crop_is_dropped_only_if_both_distances_exceed_a_half(staged):
    first = [(0.0, "a")]
    assert _single(staged, first, [(0.49, "b")]) == [0, 0]
    assert _single(staged, first, [(0.51, "a")]) == [0, 0]
    assert _single(staged, first, [(0.51, "b")]) == [0, -1]
    assert _single(staged, first, [(0.5, "b")]) == [0, 0]  # exactly a half does not exceed it


def test_kept_lone_crop_moves_both_references_and_a_dropped_one_neither(staged):
    # 0.9 is beyond 0.5 of 0.0, but not of 0.45.
    assert _single(staged, [(0.0, "a")], [(0.45, "b")], [(0.9, "c")]) == [0, 0, 0]
    assert _single(staged, [(0.0, "a")], [(0.9, "b")], [(0.95, "b")], [(0.9, "a")]) == [0, -1, -1, 0]


def test_lone_crop_without_key_points_is_kept_and_moves_the_histogram_reference_alone(staged):
    assert _single(staged, [(0.0, "a")], [(None, "b")], [(0.9, "b")]) == [0, 0, 0]
    assert _single(staged, [(0.0, "a")], [(None, "b")], [(0.9, "a")]) == [0, 0, -1]
    assert _single(staged, [(0.0, "a")], [(None, "b")], [(0.4, "c")]) == [0, 0, 0]


def test_of_several_the_nearest_by_kaze_is_kept_without_a_threshold_and_passes_over_those_without_key_points(staged):
    assert _single(staged, [(0.0, "a")], [(None, "a"), (0.9, "b"), (0.8, "c")]) == [0, 2]
    assert _single(staged, [(0.0, "a")], [(0.3, "b"), (0.3, "a")]) == [0, 0]  # a tie goes to the first by name
    assert _single(staged, [(0.0, "a")], [(None, "a"), (None, "a")], [(0.2, "b")]) == [0, -1, 0]


def test_of_several_the_kept_one_becomes_both_references(staged):
    assert _single(staged, [(0.0, "a")], [(0.8, "b"), (0.9, "c")], [(0.9, "x")]) == [0, 0, 0]
    assert _single(staged, [(0.0, "a")], [(0.8, "b"), (0.9, "c")], [(0.1, "b")], [(0.1, "a")]) == [0, 0, 0, 0]
    assert _single(staged, [(0.0, "a")], [(0.8, "b"), (0.9, "c")], [(0.1, "a")]) == [0, 0, -1]


def test_without_a_reference_the_first_crop_with_key_points_becomes_it(staged):
    assert _single(staged, [(None, "a")], [(0.9, "b")], [(0.1, "a")]) == [0, 0, -1]
    assert _single(staged, [(None, "a")], [(None, "a"), (0.9, "b"), (0.1, "a")]) == [0, 1]


def test_of_two_people_kaze_histogram_follows_by_the_rule_for_two(staged):
    frames = [[(0.0, "a"), (0.9, "b")], [(0.2, "b")], [(0.8, "a")]]
    assert staged(kaze_histogram, frames, 2) == staged(two_people, frames, 2) == [[0, 1], [0, -1], [-1, 0]]


def test_lone_crop_nearer_than_a_half_or_without_key_points_is_person_1(staged):
    first = [(0.0, "a"), (0.9, "b")]
    assert staged(two_people, [first, [(0.49, "a")]], 2)[1] == [0, -1]
    assert staged(two_people, [first, [(0.5, "a")]], 2)[1] == [-1, 0]
    assert staged(two_people, [first, [(None, "a")]], 2)[1] == [0, -1]


def test_lone_person_1_moves_the_reference_and_person_2_does_not(staged):
    first = [(0.0, "a"), (0.9, "b")]
    assert staged(two_people, [first, [(0.45, "a")], [(0.9, "a")]], 2)[2] == [0, -1]
    assert staged(two_people, [first, [(0.9, "a")], [(0.9, "a")]], 2)[2] == [-1, 0]
    assert staged(two_people, [first, [(None, "a")], [(0.4, "a")]], 2)[2] == [0, -1]


def test_of_several_the_nearest_is_person_1_the_next_person_2_and_the_rest_dropped(staged):
    first = [(0.0, "a"), (0.9, "b")]
    assert staged(two_people, [first, [(0.7, "a"), (0.95, "a"), (0.2, "a")]], 2)[1] == [2, 0]
    assert staged(two_people, [first, [(0.7, "a"), (0.7, "a")]], 2)[1] == [0, 1]
    assert staged(two_people, [first, [(None, "a"), (0.7, "a")]], 2)[1] == [1, -1]
    # Its reference is now at 0.2, so that 0.6 is nearer than a half.
    assert staged(two_people, [first, [(0.7, "a"), (0.2, "a")], [(0.6, "a")]], 2)[2] == [0, -1]


def test_rule_for_two_refuses_one_person(clip_faces):
    with pytest.raises(ValueError, match="two people, not 1"):
        two_people(clip_faces([[FLAT]]), 1)


def _restated(frames):
    """SPEC.md's rule for two people, of crops that are their KAZE numbers (None: no key points): person 1's, 2's face.

    A reference that has had no key points yet is at distance 0 of everything, where SPEC.md says nothing.
    """
    reference = None
    chosen = []
    for number, crops in enumerate(frames):
        one, two = -1, -1
        distances = [0 if None in (crop, reference) else abs(crop - reference) for crop in crops]
        if number == 0:
            one, two = 0, 1
        elif len(crops) == 1:
            if crops[0] is None or distances[0] < 0.5:
                one = 0
            else:
                two = 0
        else:
            order = sorted((distance, face) for face, distance in enumerate(distances) if crops[face] is not None)
            one = order[0][1] if order else -1
            two = order[1][1] if len(order) > 1 else -1
        if one >= 0 and crops[one] is not None:
            reference = crops[one]
        chosen.append([one, two])
    return chosen


@pytest.mark.parametrize("seed", range(20))
def test_literal_rule_for_two_people_is_spec_md_s_restated(staged, seed):
    rng = np.random.default_rng(seed)

    def crop():
        return None if rng.random() < 0.15 else float(rng.uniform(-1, 1))

    frames = [[crop() for _ in range(2 if number == 0 else rng.integers(1, 5))] for number in range(40)]
    found = staged(two_people_literal, [[(value, "a") for value in crops] for crops in frames], 2)
    assert found == _restated(frames)


def test_literal_rule_takes_the_first_by_name_for_person_1_wherever_it_is(clip_faces):
    crop, boxes = FLAT, [[(100, 0, 50, 50), (0, 0, 50, 50)]]
    assert [face for face, _ in two_people_literal(clip_faces([[crop, crop]], boxes), 2)[0]] == [0, 1]
    assert [face for face, _ in two_people(clip_faces([[crop, crop]], boxes), 2)[0]] == [1, 0]


def test_literal_rule_refuses_a_clip_whose_first_frame_shows_one(clip_faces):
    with pytest.raises(InputError, match="frame 1, the first with a face, shows one only; trim the clip"):
        two_people_literal(clip_faces([[FLAT], [FLAT, FLAT]]), 2)
