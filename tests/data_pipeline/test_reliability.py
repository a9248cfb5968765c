import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.reliability import (
    cronbach_alpha,
    intraclass_correlations,
    mean_with_others,
    pairwise_ccc,
    pairwise_pearson,
)

# Shrout & Fleiss 1979, table 2: six targets, four judges.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], np.float64
)


def test_worked_example_of_shrout_and_fleiss():
    found = intraclass_correlations(SHROUT_FLEISS)
    assert {name: round(value, 2) for name, value in found.items()} == {
        "icc_2_1": 0.29,
        "icc_2_k": 0.62,
        "icc_3_1": 0.71,
        "icc_3_k": 0.91,
    }


def test_closed_form_of_two_raters_a_constant_apart():
    # Mean squares: rows 2 * var(0..4) = 5, columns 5 * 2 * 1 / 1 = 10 (means 1 off the grand mean), rest 0.
    ratings = np.arange(5.0)[:, None] + [0, 2]
    found = intraclass_correlations(ratings)
    assert found == pytest.approx({"icc_2_1": 5 / (5 + 2 * 10 / 5), "icc_2_k": 5 / 7, "icc_3_1": 1, "icc_3_k": 1})


@given(st.integers(2, 20), st.integers(2, 6), st.integers(0, 1000))
def test_alpha_is_icc_3_k(things, raters, seed):
    ratings = np.random.default_rng(seed).normal(size=(things, raters))
    assert cronbach_alpha(ratings) == pytest.approx(intraclass_correlations(ratings)["icc_3_k"], rel=1e-6, abs=1e-9)


def test_ccc_of_a_shifted_and_stretched_copy():
    x = np.array([-1.0, 0.0, 1.0, 2.0])  # variance 1.25
    ccc = pairwise_ccc(np.stack([x, 2 * x + 1], axis=1))
    # Covariance 2.5, variances 1.25 and 5, means 0.5 and 2.
    assert ccc[0, 1] == ccc[1, 0] == pytest.approx(2 * 2.5 / (1.25 + 5 + 1.5**2))
    np.testing.assert_allclose(np.diag(ccc), 1)


def test_pearson_is_numpy_s():
    ratings = np.random.default_rng(1).normal(size=(50, 4))
    np.testing.assert_allclose(pairwise_pearson(ratings), np.corrcoef(ratings, rowvar=False), atol=1e-12)


def test_raters_who_never_move_agree_with_one_another_only():
    ratings = np.stack([np.zeros(4), np.zeros(4), np.arange(4.0)], axis=1)
    for measure in (pairwise_pearson, pairwise_ccc):
        np.testing.assert_allclose(measure(ratings), [[1, 1, 0], [1, 1, 0], [0, 0, 1]], atol=1e-12)


def test_mean_with_others_leaves_the_diagonal_out():
    np.testing.assert_allclose(
        mean_with_others(np.array([[1, 0.5, 0.1], [0.5, 1, 0.3], [0.1, 0.3, 1]])), [0.3, 0.4, 0.2]
    )
    assert np.isnan(mean_with_others(np.ones((1, 1)))).all()


@pytest.mark.parametrize("shape", [(1, 3), (5, 1)])
def test_too_few_things_or_raters_give_nan(shape):
    ratings = np.ones(shape)
    assert np.isnan([*intraclass_correlations(ratings).values(), cronbach_alpha(ratings)]).all()


def test_things_that_do_not_differ_give_nan():
    assert np.isnan(list(intraclass_correlations(np.ones((5, 3))).values())).all()
