import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.annotations import NO_VALUE, Trace
from data_pipeline.nearest import REASONS, nearest_values, values_at


def _nearest(stamps, values, frames):
    return nearest_values(Trace(np.array(stamps), np.array(values)), np.array(frames)).tolist()


def test_frame_2_takes_stamp_57_ms():
    stamps, values = [0.010, 0.030, 0.041, 0.057, 0.089, 0.102, 0.119], range(121, 128)
    assert _nearest(stamps, values, [1, 2]) == [122, 124]


def test_equally_near_stamps_give_the_earlier():
    assert _nearest([0.9, 1.1], [1, 2], [30]) == [1]
    assert _nearest([0.3, 0.7], [1, 2], [15]) == [1]  # 0.7 - 0.5 is less than 0.5 - 0.3 in binary


def test_same_stamp_twice_gives_the_first_value():
    assert _nearest([0.5, 1.0, 1.0, 1.0], [1, 2, 3, 4], [30]) == [2]


def test_frames_before_the_first_and_after_the_last_stamp_take_the_outermost():
    assert _nearest([1.0, 2.0], [5, 6], [1, 29, 61, 900]) == [5, 5, 6, 6]


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(-1000, 1000)), min_size=1, max_size=30),
    st.lists(st.integers(1, 100), min_size=1, max_size=20),
)
def test_value_is_that_of_the_nearest_stamp(samples, frames):
    samples.sort(key=lambda sample: sample[0])
    milliseconds, values = zip(*samples, strict=True)
    found = _nearest([stamp / 1000 for stamp in milliseconds], values, frames)
    # Exact in whole numbers: frame n is at 1000 n / 30 ms. min() takes the first, the earlier, of equals.
    expected = [values[min(range(len(values)), key=lambda k: abs(3 * milliseconds[k] - 100 * n))] for n in frames]
    assert found == expected


def _at(stamps, values, seconds, max_gap):
    found, reasons = values_at(Trace(np.array(stamps), np.array(values)), np.array(seconds), max_gap)
    return found.tolist(), [REASONS[reason] for reason in reasons]


def test_moments_farther_than_the_limit_from_every_stamp_have_no_value_and_a_reason():
    found, reasons = _at([2.0, 3.0, 6.0], [1, 2, 3], [0.9, 1.0, 4.0, 4.5, 5.0, 7.0, 7.1], 1.0)
    np.testing.assert_array_equal(found, [np.nan, 1, 2, np.nan, 3, 3, np.nan])
    labelled = "labelled"
    assert reasons == ["before_annotation", labelled, labelled, "gap", labelled, labelled, "past_annotation"]


def test_limit_0_is_the_original_s_rule():
    assert _at([2.0], [5], [0.0, 900.0], 0) == ([5, 5], ["labelled"] * 2)


def test_moment_nearest_to_an_invalid_sample_has_no_value():
    found, reasons = _at([1.0, 2.0, 3.0], [1, NO_VALUE, 3], [1.4, 1.6, 2.6], 1.0)
    np.testing.assert_array_equal(found, [1, np.nan, 3])
    assert reasons == ["labelled", "invalid", "labelled"]
