"""Sums without rounding, against Python's fractions."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from affwildnet.exact_sums import SCALE, exact_product_sum, exact_sum

NUMBERS = st.floats(-1e100, 1e100, allow_subnormal=False).filter(lambda value: value == 0 or abs(value) > 1e-100)


def _fraction(total: int) -> Fraction:
    return Fraction(total, 1 << SCALE)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_a_sum_is_the_fractions_sum(values):
    assert _fraction(exact_sum(np.array(values, np.float64))) == sum(map(Fraction, values), Fraction())


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=20))
def test_a_sum_of_products_is_the_fractions_sum(pairs):
    left, right = np.array(pairs, np.float64).reshape(-1, 2).T
    expected = sum((Fraction(a) * Fraction(b) for a, b in pairs), Fraction())
    assert _fraction(exact_product_sum(left, right)) == expected


def test_what_float64_loses_is_kept():
    values = np.array([1e100, 1.0, -1e100])
    assert values.sum() == 0 and _fraction(exact_sum(values)) == 1
