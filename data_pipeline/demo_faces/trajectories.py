"""Smooth random functions of time: what a clip's subject feels and how the head moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# Seconds (n,) -> values (n,), both float64; defined at every time, so that frames and annotations see one curve.
Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_WAVES = 14


def smooth_curve(rng: np.random.Generator, period: float) -> Curve:
    """A random curve of mean 0 and standard deviation about 1 that swings within some `period` seconds."""
    frequencies = np.abs(rng.normal(size=_WAVES)) / period
    phases = rng.uniform(0, 2 * np.pi, _WAVES)

    def curve(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        waves = np.cos(2 * np.pi * np.multiply.outer(np.asarray(seconds, np.float64), frequencies) + phases)
        return waves.sum(axis=-1) * np.sqrt(2 / _WAVES)

    return curve


def affect_curve(rng: np.random.Generator, duration: float) -> Curve:
    """A clip's valence or arousal: within [-1, 1], and over the clip from below -0.45 to above 0.45."""
    low, high = rng.uniform(-1.0, -0.45), rng.uniform(0.45, 1.0)
    curve = smooth_curve(rng, period=float(np.exp(rng.uniform(np.log(2.2), np.log(6.5)))))
    seen = curve(np.linspace(0, duration, 400))
    lowest, highest = seen.min(), seen.max()

    def within(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(low + (high - low) * (curve(seconds) - lowest) / (highest - lowest), -1, 1)

    return within


def blinks(rng: np.random.Generator, duration: float) -> Curve:
    """How far the lids are closed by blinks, 0..1: one every few seconds, a quarter of a second long."""
    starts = np.cumsum(rng.exponential(2.2, size=int(duration) + 4) + 0.6)

    def closed(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        phase = (np.asarray(seconds, np.float64)[:, None] - starts) / 0.25
        return np.where((phase > 0) & (phase < 1), np.sin(np.pi * np.clip(phase, 0, 1)) ** 2, 0).max(axis=1)

    return closed


def absence(start: float, length: float, ramp: float = 0.35) -> Curve:
    """How far away somebody is: 0 present, 1 away from `start` for `length` seconds, smooth ramps around."""

    def away(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        seconds = np.asarray(seconds, np.float64)
        share = np.clip(np.minimum(seconds - start + ramp, start + length + ramp - seconds) / ramp, 0, 1)
        return share * share * (3 - 2 * share)

    return away
