"""The paired bootstrap over clips."""

import numpy as np
import pytest

from experiments.bootstrap import compare
from experiments.results import EntryCurves


def _ccc(system):
    p, y = (np.concatenate([getattr(curves, name) for curves in system.values()]) for name in ("predicted", "labels"))
    return 2 * np.cov(p, y)[0, 1] / (p.var(ddof=1) + y.var(ddof=1) + (p.mean() - y.mean()) ** 2)


def test_difference_is_that_of_the_ccc_of_all_frames():
    good, bad = _system(0.1, 2), _system(1.5, 3)
    for clips in ({}, {f"c{n}": f"clip{n // 2}" for n in range(24)}):
        assert compare([good], [bad], clips).difference == pytest.approx(_ccc(good) - _ccc(bad), abs=1e-12)


def _system(noise, seed, entries=24):
    rng = np.random.default_rng(1)
    labels = {f"c{n}": np.cumsum(rng.standard_normal(60)) / 10 for n in range(entries)}
    added = np.random.default_rng(seed)
    return {name: EntryCurves(y + noise * added.standard_normal(60), y) for name, y in labels.items()}


def test_a_system_does_not_differ_from_itself():
    system = _system(0.5, 2)
    result = compare([system], [system], {})
    assert (result.difference, result.low, result.high, result.p, result.clips) == (0, 0, 0, 1, 24)


def test_a_better_system_is_told_from_a_worse_one_and_the_sign_follows_the_order():
    good, bad = _system(0.1, 2), _system(1.5, 3)
    result, reverse = compare([good], [bad], {}), compare([bad], [good], {})
    assert result.difference > 0.1 and result.low > 0 and result.p < 0.01
    assert reverse.difference == -result.difference and reverse.p == result.p


def test_two_equally_good_systems_are_not_told_apart():
    result = compare([_system(0.5, 2)], [_system(0.5, 3)], {})
    assert result.low < 0 < result.high and result.p > 0.05


def test_people_of_one_clip_are_drawn_together_and_nine_clips_are_too_few():
    system = _system(0.5, 2)
    clips = {f"c{n}": f"clip{n // 2}" for n in range(24)}
    assert compare([system], [_system(0.6, 3)], clips).clips == 12
    assert compare([system], [system], {name: f"clip{number % 9}" for number, name in enumerate(system)}) is None


def test_seeds_are_averaged():
    good, bad = _system(0.1, 2), _system(1.5, 3)
    one, both = compare([good], [bad], {}), compare([good, bad], [bad], {})
    assert both.difference == pytest.approx(one.difference / 2)
