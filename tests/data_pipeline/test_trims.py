import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.trims import suggest_cuts


def _cuts(runs, people=1, gap=3, longest=100, shortest=1):
    """The cuts of a clip given as (faces, frames) runs."""
    faces = np.repeat([count for count, _ in runs], [frames for _, frames in runs])
    return suggest_cuts(faces, people, gap, longest, shortest)


@pytest.mark.parametrize(
    ("runs", "cuts"),
    [
        ([(1, 10)], [(0, 10)]),
        ([(0, 4), (1, 10), (0, 9)], [(4, 14)]),  # a face in the first and the last frame
        ([(1, 10), (0, 3), (1, 5)], [(0, 18)]),  # a face lost for a moment
        ([(1, 10), (0, 4), (1, 5)], [(0, 10), (14, 19)]),  # an advertisement
        ([(0, 10)], []),
        ([], []),
        ([(0, 2), (2, 5), (1, 5), (3, 5), (0, 1)], [(2, 17)]),
    ],
)
def test_part_is_where_a_face_is_seen(runs, cuts):
    assert _cuts(runs) == cuts


@pytest.mark.parametrize(
    ("runs", "cuts"),
    [
        ([(2, 10), (1, 10)], [(0, 10)]),
        ([(1, 5), (2, 10), (1, 2), (2, 3)], [(5, 20)]),
        ([(1, 5), (2, 10), (1, 4), (3, 3)], [(5, 15), (19, 22)]),
        ([(1, 50)], []),
    ],
)
def test_of_two_people_both_have_to_be_in_view(runs, cuts):
    assert _cuts(runs, people=2) == cuts


def test_short_parts_are_left_out():
    runs = [(1, 2), (0, 9), (1, 7), (0, 9), (1, 6)]
    assert _cuts(runs, shortest=7) == [(11, 18)]


def test_long_clip_is_split_evenly_at_faces():
    assert _cuts([(1, 100)], longest=100) == [(0, 100)]
    assert _cuts([(1, 101)], longest=100) == [(0, 50), (50, 101)]
    assert _cuts([(1, 250)], longest=100) == [(0, 83), (83, 167), (167, 250)]
    # The middle falls into a moment without a face, which neither part keeps.
    assert _cuts([(1, 99), (0, 3), (1, 98)], longest=100) == [(0, 99), (102, 200)]


@given(
    st.lists(st.integers(0, 3), max_size=200),
    st.integers(1, 2),
    st.integers(0, 10),
    st.integers(1, 50),
    st.integers(0, 20),
)
def test_parts_hold_what_they_promise(faces, people, gap, longest, shortest):
    end_of_last = 0
    for first, end in suggest_cuts(np.array(faces, int), people, gap, longest, shortest):
        assert end_of_last <= first < end <= len(faces)
        assert faces[first] >= people and faces[end - 1] >= people
        assert shortest <= end - first <= longest
        runs = "".join("x" if count >= people else " " for count in faces[first:end]).split("x")
        assert max(map(len, runs)) <= gap
        end_of_last = end


@given(st.lists(st.integers(0, 3), min_size=1, max_size=100), st.integers(1, 2))
def test_part_that_was_cut_stays_whole_the_next_time(faces, people):
    for first, end in suggest_cuts(np.array(faces), people, 3, 40, 1):
        assert suggest_cuts(np.array(faces[first:end]), people, 3, 40, 1) == [(0, end - first)]
