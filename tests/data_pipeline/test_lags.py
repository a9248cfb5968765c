import numpy as np
import pytest

from data_pipeline.lags import _correlations, estimate_lags


def _wave(samples, seed):
    """A smooth random curve, as a joystick's."""
    noise = np.random.default_rng(seed).normal(size=samples + 400)
    kernel = np.exp(-0.5 * (np.arange(-60, 61) / 20) ** 2)
    return np.convolve(noise, kernel, "same")[200 : 200 + samples]


def _lagging(lags, samples=1800, noise=0.0, seed=0):
    """(samples, K): one curve, which annotator k follows `lags[k]` samples late."""
    wave = _wave(samples + 400, seed)
    rng = np.random.default_rng(seed + 1)
    columns = [wave[200 - lag : 200 - lag + samples] * (1 + 0.2 * k) + 30 * k for k, lag in enumerate(lags)]
    return np.stack(columns, axis=1) + noise * wave.std() * rng.normal(size=(samples, len(lags)))


@pytest.mark.parametrize("lags", [(0, 1), (0, 45), (60, -30, 15), (0, 0, 0, 90), (-80, -10, 20, 25, 70)])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_lags_are_recovered_to_a_sample_up_to_what_all_have_in_common(lags, noise):
    found = estimate_lags(_lagging(lags, noise=noise), 120)
    np.testing.assert_allclose(found, np.array(lags) - np.mean(lags), atol=1.0)


def test_annotators_in_step_have_no_lag():
    np.testing.assert_array_equal(estimate_lags(_lagging((0, 0, 0)), 120), 0)


def test_annotator_unlike_the_others_is_not_moved():
    ratings = _lagging((0, 30, 0))
    ratings[:, 2] = np.random.default_rng(5).normal(size=len(ratings))
    found = estimate_lags(ratings, 60)
    assert found[1] - found[0] == pytest.approx(30, abs=1) and found[0] + found[1] == found[2] == 0


def test_lag_beyond_the_bound_is_left_alone():
    np.testing.assert_array_equal(estimate_lags(_lagging((0, 90)), 30), 0)


def test_short_or_lone_annotations_have_no_lag():
    np.testing.assert_array_equal(estimate_lags(np.ones((2, 2)), 120), 0)
    np.testing.assert_array_equal(estimate_lags(_lagging((0,)), 120), 0)


def test_correlations_are_numpy_s_over_what_overlaps():
    rng = np.random.default_rng(3)
    values, reference = rng.normal(size=(2, 50))
    reference[:4] = np.nan
    found = _correlations(values, reference, 10)
    for lag, correlation in zip(range(-10, 11), found, strict=True):
        pairs = [(values[t + lag], reference[t]) for t in range(4, 50) if 0 <= t + lag < 50]
        assert correlation == pytest.approx(np.corrcoef(np.array(pairs).T)[0, 1], abs=1e-9)


def test_annotators_who_never_move_have_no_lag():
    np.testing.assert_array_equal(estimate_lags(np.zeros((300, 3)), 50), 0)
