import itertools
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrecords.sequences import cut_windows, training_batches, training_windows


def _file(frames):
    return types.SimpleNamespace(frames=np.asarray(frames, np.int64))


# Frame numbers rise, with holes where a face was missing.
frames = st.lists(st.integers(1, 40), max_size=40).map(lambda steps: _file(np.cumsum(steps, dtype=np.int64)))
files_strategy = st.lists(frames, min_size=1, max_size=4)


@given(files_strategy, st.integers(1, 9))
def test_windows_lie_in_one_file_and_hold_every_record_once(files, length):
    found = cut_windows(files, length, gap_factor=1e9).rows
    records = [(file, first + k) for file, first, count in found.tolist() for k in range(count)]
    assert records == [(n, k) for n, file in enumerate(files) for k in range(len(file.frames))]
    assert all(count == length or first + count == len(files[file].frames) for file, first, count in found)


@given(files_strategy, st.integers(1, 9), st.floats(0.5, 20))
def test_window_stays_if_and_only_if_its_span_is_below_the_gap(files, length, factor):
    all_rows = cut_windows(files, length, gap_factor=1e9).rows.tolist()
    spans = [files[n].frames[first + count - 1] - files[n].frames[first] for n, first, count in all_rows]
    kept = [row for row, span in zip(all_rows, spans, strict=True) if span < factor * length]
    windows = cut_windows(files, length, gap_factor=factor)
    assert windows.rows.tolist() == kept and windows.dropped == len(all_rows) - len(kept)


@pytest.mark.parametrize(("last", "kept"), [(1 + 15 * 4 - 1, 1), (1 + 15 * 4, 0)])
def test_span_of_15_times_the_length_is_dropped_and_one_less_is_kept(last, kept):
    assert len(cut_windows([_file([1, 2, 3, last])], 4).rows) == kept


@given(files_strategy, st.integers(1, 9), st.integers(0, 99), st.integers(0, 5))
def test_epoch_cuts_whole_windows_that_do_not_overlap(files, length, seed, epoch):
    rows = training_windows(files, length, seed, epoch, gap_factor=1e9).rows.tolist()
    for number, file in enumerate(files):
        own = sorted(row for row in rows if row[0] == number)
        whole = len(file.frames) // length
        if len(file.frames) < length:
            assert own == ([[number, 0, len(file.frames)]] if len(file.frames) else [])
        else:
            assert [row[2] for row in own] == [length] * whole
            assert all(later[1] - earlier[1] == length for earlier, later in itertools.pairwise(own))
            assert own[-1][1] + length <= len(file.frames)


def test_epochs_begin_at_every_record_that_leaves_whole_windows():
    starts = {training_windows([_file(range(1, 24))], 5, 1, epoch).rows[:, 1].min() for epoch in range(60)}
    assert starts == {0, 1, 2, 3}


@given(st.integers(0, 40), st.integers(1, 5), st.integers(0, 9))
def test_batches_from_step_k_are_those_after_k_batches(first_step, batch, seed):
    files = [_file(range(1, 30)), _file(range(1, 13)), _file(range(5, 8))]
    whole = itertools.islice(training_batches(files, 5, batch, seed), first_step, first_step + 6)
    resumed = itertools.islice(training_batches(files, 5, batch, seed, first_step), 6)
    for expected, found in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_same_seed_gives_the_same_order_and_other_seeds_another():
    def order(seed):
        files = [_file(range(1, 200))]
        return np.concatenate(list(itertools.islice(training_batches(files, 5, 2, seed), 19))).tolist()

    assert order(3) == order(3) and order(3) != order(4)


def test_batches_are_full_and_epochs_follow_without_a_break():
    files = [_file(range(1, 36))]  # 7 windows of 5
    batches = list(itertools.islice(training_batches(files, 5, 2, 1), 7))
    assert {batch.shape for batch in batches} == {(2, 3)}
    epochs = [training_windows(files, 5, 1, epoch).rows for epoch in (0, 1)]
    np.testing.assert_array_equal(np.concatenate(batches), np.concatenate(epochs))


def test_no_window_that_keeps_the_gap_rule_is_an_error():
    with pytest.raises(ValueError, match="no window of 2 records keeps the gap rule"):
        next(training_batches([_file([1, 1000])], 2, 1, 0))
