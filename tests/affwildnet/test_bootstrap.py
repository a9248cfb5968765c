"""Confidence intervals from groups' moments, against resampling the frames themselves."""

import numpy as np
import pytest

from affwildnet.bootstrap import BootstrapOptions, bootstrap_intervals
from affwildnet.measured import EntryPredictions, block_moments, entry_rows, moments_by_clip
from affwildnet.metrics import StreamingCCC


def _clips(number=6, seed=0):
    generator = np.random.default_rng(seed)
    clips = []
    for _ in range(number):
        labels = generator.normal(generator.normal(0, 0.3), 0.2, (int(generator.integers(20, 60)), 2))
        clips.append((labels * 0.7 + generator.normal(0, 0.1, labels.shape) + 0.05, labels))
    return clips


def _moments(predictions, labels):
    stream = StreamingCCC(2)
    stream.update(predictions, labels)
    return stream


def test_intervals_from_moments_are_those_of_resampled_frames():
    clips = _clips()
    chosen = BootstrapOptions(bootstrap=200, confidence=0.9, bootstrap_seed=3)
    found = bootstrap_intervals([_moments(*clip) for clip in clips], chosen)
    times = np.random.default_rng(3).multinomial(len(clips), [1 / len(clips)] * len(clips), size=200)
    ccc, mse = [], []
    for counts in times:
        drawn = StreamingCCC(2)
        for clip, count in zip(clips, counts, strict=True):
            for _ in range(count):
                drawn.update(*clip)
        ccc.append([*drawn.ccc(), drawn.ccc().mean()])
        mse.append([*drawn.mse(), drawn.mse().mean()])
    np.testing.assert_allclose(found.ccc, np.percentile(ccc, (5, 95), axis=0).T, rtol=1e-10)
    np.testing.assert_allclose(found.mse, np.percentile(mse, (5, 95), axis=0).T, rtol=1e-10)


def test_intervals_hold_the_value_repeat_with_the_seed_and_narrow_with_more_clips():
    few, many = ([_moments(*clip) for clip in _clips(number)] for number in (5, 80))
    widths = []
    for groups in (few, many):
        found = bootstrap_intervals(groups, BootstrapOptions())
        again = bootstrap_intervals(groups, BootstrapOptions())
        np.testing.assert_array_equal(found.ccc, again.ccc)
        whole = StreamingCCC(2)
        for group in groups:
            whole.merge(group)
        assert (found.ccc[:2, 0] < whole.ccc()).all() and (whole.ccc() < found.ccc[:2, 1]).all()
        widths.append(found.ccc[:, 1] - found.ccc[:, 0])
    assert (widths[1] < widths[0]).all()


def test_real_value_is_in_19_of_20_intervals_or_nearly():
    # The CCC of y = x + e with var x = 0.04 + 0.01 between and within, var e = 0.01, over endless clips.
    generator = np.random.default_rng(1)
    true = 2 * 0.05 / (0.05 + 0.06)
    hits = 0
    for _ in range(60):
        groups = []
        for _ in range(40):
            labels = generator.normal(generator.normal(0, 0.2), 0.1, (30, 1))
            stream = StreamingCCC(1)
            stream.update(labels + generator.normal(0, 0.1, labels.shape), labels)
            groups.append(stream)
        low, high = bootstrap_intervals(groups, BootstrapOptions(bootstrap=400)).ccc[0]
        hits += low <= true <= high
    assert hits >= 50


@pytest.mark.parametrize("number", [0, 1])
def test_one_clip_says_nothing_about_others(number):
    found = bootstrap_intervals([_moments(*clip) for clip in _clips(number)] if number else [], BootstrapOptions())
    assert np.isnan(found.ccc).all() and np.isnan(found.mse).all()


def test_resamples_in_which_nothing_moves_are_passed_over():
    still = _moments(np.zeros((5, 2)), np.zeros((5, 2)))
    found = bootstrap_intervals([still, _moments(*_clips(1)[0])], BootstrapOptions(bootstrap=100))
    assert np.isfinite(found.ccc).all()


def _entry(name, frames, clip):
    values = np.random.default_rng(frames).normal(0, 0.3, (2, frames, 2)).astype(np.float32)
    return EntryPredictions(name, np.arange(1, frames + 1), *values, clip)


def test_two_people_of_a_clip_are_drawn_together():
    entries = [_entry("a-p1", 10, "a"), _entry("a-p2", 12, "a"), _entry("b", 7, "b")]
    assert {clip: moments.count for clip, moments in moments_by_clip(entries).items()} == {"a": 22, "b": 7}


def test_an_entry_is_cut_into_stretches_of_ten_seconds_with_a_short_tail_joined():
    for frames, sizes in [(10, [10]), (449, [449]), (450, [300, 150]), (700, [300, 400]), (900, [300, 300, 300])]:
        assert [block.count for block in block_moments(_entry("a", frames, "a"))] == sizes


def test_entries_have_a_row_each_with_intervals_where_they_are_defined():
    short, long = entry_rows([_entry("a", 100, "a"), _entry("b", 900, "b")], ("v", "a"), BootstrapOptions(bootstrap=99))
    assert short["low_ccc_v"] == "" and long["low_ccc_v"] < long["ccc_v"] < long["high_ccc_v"]
    assert long["ccc_total"] == pytest.approx((long["ccc_v"] + long["ccc_a"]) / 2)
    assert (short["entry"], short["frames"]) == ("a", 100)
