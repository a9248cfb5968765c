"""Sums of float64 numbers and of their products without any rounding, as whole numbers.

A finite float64 is a whole number times a power of two, so a sum kept as a Python integer in units of a small enough
power is exact, and does not depend on the order or the grouping of what is added.
"""

from __future__ import annotations

import numpy as np

# Sums are in units of 2 ** -SCALE: no float64 has smaller digits.
SCALE = 1074
_MANTISSA = 53
_LOW = 26


def exact_sum(values: np.ndarray) -> int:
    """The sum of finite float64 values (N,), in units of ``2 ** -SCALE``."""
    if not values.size:
        return 0
    fractions, exponents = np.frexp(values)
    # Halves of 27 and 26 bits: a float64 adds up 2 ** 26 of either without rounding, as long as none is added twice.
    mantissas = np.ldexp(fractions, _MANTISSA).astype(np.int64)
    high, low = mantissas >> _LOW, mantissas & ((1 << _LOW) - 1)
    least = int(exponents.min())
    bins = exponents - least
    total = 0
    for part, shift in ((high, _LOW), (low, 0)):
        for bin_, value in enumerate(np.bincount(bins, weights=part)):
            total += int(value) << (bin_ + shift)
    unit = least - _MANTISSA + SCALE
    return total << unit if unit >= 0 else total >> -unit  # what is shifted out is zeros: see SCALE


def exact_product_sum(left: np.ndarray, right: np.ndarray) -> int:
    """The sum of the products of finite float64 values (N,) and (N,), in units of ``2 ** -SCALE``.

    Exact where values lie between 1e-140 and 1e140 or are 0; of float32 values always.
    """
    left_high, left_low = _halves(left)
    right_high, right_low = _halves(right)
    total = exact_sum(left_high * right_high)
    # float32 values have no low half.
    if left_low.any():
        total += exact_sum(left_low * right_high) + exact_sum(left_low * right_low)
    if right_low.any():
        total += exact_sum(left_high * right_low)
    return total


def _halves(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values as sums of two with at most 27 bits each, whose products float64 holds (Dekker 1971)."""
    fractions, exponents = np.frexp(values)
    # Rounded, not cut: what is left, of either sign, then has 26 bits.
    high = np.ldexp(np.rint(np.ldexp(fractions, _LOW)), exponents - _LOW)
    return high, values - high
