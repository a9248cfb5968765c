import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.filters import FILTERS, FOR_TWO
from data_pipeline.filters.first_by_name import first_by_name
from data_pipeline.filters.rgb_histogram import colour_histogram, hellinger_distance, rgb_histogram

pictures = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).integers(0, 256, (9, 7, 3), dtype=np.uint8) // (1 + seed % 3)
)


@pytest.fixture
def one_person(clip_faces):
    """The choices for one person: (face, distance) a frame."""
    return lambda rule, frames: [people[0] for people in rule(clip_faces(frames), 1)]


def _patch(*colours):
    """A crop with a column of each colour."""
    return np.repeat(np.array([colours], np.uint8), 8, axis=0)


SKIN = (200, 150, 120)
SHADE = (100, 80, 60)
GREEN = (10, 200, 30)


@given(pictures, pictures)
def test_distance_is_the_hellinger_formula_of_8x8x8_bins(one, other):
    def histogram(picture):
        return np.histogramdd(picture.reshape(-1, 3), bins=8, range=[(0, 256)] * 3)[0]

    a, b = histogram(one), histogram(other)
    np.testing.assert_array_equal(colour_histogram(one), a)
    expected = np.sqrt(max(0, 1 - np.sqrt(a * b).sum() / np.sqrt(a.sum() * b.sum())))
    assert hellinger_distance(colour_histogram(one), colour_histogram(other)) == pytest.approx(expected, abs=1e-6)


@given(pictures, pictures, st.integers(2, 5))
def test_distance_does_not_depend_on_a_crop_s_size(one, other, factor):
    larger = one.repeat(factor, axis=0).repeat(factor, axis=1)
    before = hellinger_distance(colour_histogram(one), colour_histogram(other))
    assert hellinger_distance(colour_histogram(larger), colour_histogram(other)) == pytest.approx(before, abs=1e-3)


def test_distance_is_0_of_equal_and_1_of_disjoint_colours():
    skin, green = colour_histogram(_patch(SKIN)), colour_histogram(_patch(GREEN))
    assert hellinger_distance(skin, skin) == pytest.approx(0, abs=1e-6)
    assert hellinger_distance(skin, green) == pytest.approx(1)


def test_first_face_is_kept_unconditionally(one_person):
    choices = one_person(rgb_histogram, [[_patch(GREEN), _patch(SKIN)]])
    assert choices[0][0] == 0 and np.isnan(choices[0][1])


def test_lone_detection_beyond_the_threshold_is_dropped_and_does_not_move_the_reference(one_person):
    frames = [[_patch(SKIN)], [_patch(GREEN)], [_patch(GREEN)], [_patch(SKIN)]]
    assert [face for face, _ in one_person(rgb_histogram, frames)] == [0, -1, -1, 0]


def test_lone_detection_within_the_threshold_becomes_the_reference(one_person):
    # Each step shares three quarters of its colours with the one before; the last shares nothing with the first.
    colours = [(value, value, value) for value in range(0, 256, 32)]
    frames = [[_patch(*colours[step : step + 4])] for step in range(5)]
    choices = one_person(rgb_histogram, frames)
    assert [face for face, _ in choices] == [0] * 5
    assert [distance for _, distance in choices[1:]] == pytest.approx([0.5] * 4, abs=1e-6)
    assert hellinger_distance(colour_histogram(frames[0][0]), colour_histogram(frames[4][0])) == pytest.approx(1)


def test_of_several_the_nearest_is_kept_without_a_threshold(one_person):
    frames = [[_patch(SKIN)], [_patch(GREEN), _patch(GREEN, GREEN, GREEN, SKIN)]]
    face, distance = one_person(rgb_histogram, frames)[1]
    assert face == 1 and distance > 0.5


def test_of_several_the_kept_one_becomes_the_reference(one_person):
    frames = [[_patch(SKIN)], [_patch(GREEN), _patch(SHADE)], [_patch(GREEN)], [_patch(SKIN)]]
    first = [face for face, _ in one_person(rgb_histogram, frames)]
    assert first == [0, 0, 0, -1]


def test_first_by_name_takes_the_first_of_every_frame(one_person):
    frames = [[_patch(SKIN), _patch(GREEN)], [_patch(GREEN)], [_patch(GREEN), _patch(SKIN)]]
    assert [face for face, _ in one_person(first_by_name, frames)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("name", "people"),
    [(name, people) for name in sorted(FILTERS) for people in (1, 2) if people == 2 or name not in FOR_TWO],
)
def test_every_filter_chooses_for_each_person_one_face_or_none_of_every_frame_and_no_face_twice(
    name, people, clip_faces
):
    rng = np.random.default_rng(0)
    counts = [2, *rng.integers(1, 4, 19)]
    frames = [[rng.integers(0, 256, (20, 20, 3), dtype=np.uint8) for _ in range(count)] for count in counts]
    pictures = rng.integers(0, 256, (20, 60, 300, 3), dtype=np.uint8)
    clip = clip_faces(frames, pictures=pictures)
    choices = FILTERS[name](clip, people)
    assert len(choices) == 20 and any(face >= 0 for row in choices for face, _ in row)
    for row, crops in zip(choices, frames, strict=True):
        chosen = [face for face, _ in row if face >= 0]
        assert len(row) == people and all(face < len(crops) for face in chosen) and len(set(chosen)) == len(chosen)
    assert repr(FILTERS[name](clip, people)) == repr(choices)


@pytest.mark.parametrize("name", sorted(set(FILTERS) - {"tracks", "two_people_literal"}))
def test_two_people_are_followed_from_the_first_frame_that_shows_two_the_further_left_first(name, clip_faces):
    crop = _patch(SKIN)
    boxes = [[(0, 0, 50, 50)], [(100, 0, 50, 50), (0, 0, 50, 50), (30, 0, 50, 50)]]
    clip = clip_faces([[crop], [crop, crop, crop]], boxes, pictures=np.zeros((2, 60, 200, 3), np.uint8))
    assert [[face for face, _ in row] for row in FILTERS[name](clip, 2)] == [[-1, -1], [1, 0]]


def test_two_people_never_share_a_crop_and_keep_their_colours_when_they_swap_places(clip_faces):
    frames = [[_patch(SKIN), _patch(GREEN)], [_patch(GREEN), _patch(SKIN)], [_patch(SKIN), _patch(SKIN)]]
    choices = [[face for face, _ in people] for people in rgb_histogram(clip_faces(frames), 2)]
    assert choices[:2] == [[0, 1], [1, 0]]
    assert sorted(choices[2]) == [0, 1]


def test_lone_crop_of_two_people_goes_to_the_nearer_one_only(clip_faces):
    frames = [[_patch(SKIN), _patch(GREEN)], [_patch(GREEN)], [_patch((0, 0, 255))]]
    choices = [[face for face, _ in people] for people in rgb_histogram(clip_faces(frames), 2)]
    assert choices == [[0, 1], [-1, 0], [-1, -1]]
