"""Windows hold every record, one clip each, and their order is a function of seed, epoch and step."""

import itertools
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrecords.balance import frame_weights
from tfrecords.errors import InputError
from tfrecords.loader_options import LoaderOptions, check_loader
from tfrecords.sequences import cut_windows, training_batches, training_windows

WIDE = LoaderOptions(gap_factor=1e9)


def _file(frames):
    return types.SimpleNamespace(frames=np.asarray(frames, np.int64))


# Frame numbers rise, with holes where a face was missing.
frames = st.lists(st.integers(1, 40), max_size=40).map(lambda steps: _file(np.cumsum(steps, dtype=np.int64)))
files_strategy = st.lists(frames, min_size=1, max_size=4)


def _records(rows):
    return [(file, first + k) for file, first, count in rows.tolist() for k in range(count)]


def _all_records(files):
    return [(n, k) for n, file in enumerate(files) for k in range(len(file.frames))]


@given(files_strategy, st.integers(1, 9), st.floats(0.2, 20))
def test_windows_lie_in_one_file_and_hold_every_record_once_whatever_the_gaps(files, length, factor):
    rows = cut_windows(files, length, gap_factor=factor)
    assert _records(rows) == _all_records(files)
    assert (rows[:, 2] <= length).all()


@given(files_strategy, st.integers(1, 9), st.floats(0.2, 20))
def test_no_window_of_several_frames_spans_the_gap(files, length, factor):
    for number, first, count in cut_windows(files, length, gap_factor=factor).tolist():
        own = files[number].frames[first : first + count]
        assert count == 1 or own[-1] - own[0] < factor * length


@given(files_strategy, st.integers(1, 9), st.integers(1, 9), st.data())
def test_with_any_stride_and_start_every_record_is_in_a_window_and_whole_windows_are_a_stride_apart(
    files, length, stride, data
):
    stride = min(stride, length)
    starts = [data.draw(st.integers(0, stride - 1)) for _ in files]
    rows = cut_windows(files, length, starts, 1e9, stride)
    assert sorted(set(_records(rows))) == _all_records(files)
    for number in range(len(files)):
        firsts = [first for file, first, count in rows.tolist() if file == number and count == length]
        assert all(later - earlier == stride for earlier, later in itertools.pairwise(firsts) if earlier)


@pytest.mark.parametrize(("last", "rows"), [(1 + 15 * 4 - 1, [[0, 0, 4]]), (1 + 15 * 4, [[0, 0, 3], [0, 3, 1]])])
def test_span_of_15_times_the_length_is_split_at_its_largest_gap_and_one_less_is_not(last, rows):
    assert cut_windows([_file([1, 2, 3, last])], 4).tolist() == rows


@given(files_strategy, st.integers(1, 9), st.integers(0, 99), st.integers(0, 5))
def test_every_epoch_trains_every_frame_once(files, length, seed, epoch):
    rows = training_windows(files, length, seed, epoch, WIDE)
    assert sorted(_records(rows)) == _all_records(files)


def test_epochs_begin_at_every_record_of_a_window():
    epochs = [training_windows([_file(range(1, 24))], 5, 1, epoch) for epoch in range(60)]
    assert {int(rows[rows[:, 2] == 5][:, 1].min()) for rows in epochs} == {0, 1, 2, 3, 4}


@given(st.integers(0, 40), st.integers(1, 5), st.integers(0, 9), st.sampled_from(["windows", "original"]))
def test_batches_from_step_k_are_those_after_k_batches(first_step, batch, seed, loader):
    files = [_file(range(1, 30)), _file(range(1, 13)), _file(range(5, 8))]
    for number, file in enumerate(files):
        file.entry = str(number)
    chosen = LoaderOptions(loader=loader)
    whole = itertools.islice(training_batches(files, 5, batch, seed, 0, chosen), first_step, first_step + 6)
    resumed = itertools.islice(training_batches(files, 5, batch, seed, first_step, chosen), 6)
    for expected, found in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_same_seed_gives_the_same_order_and_other_seeds_another():
    def order(seed):
        files = [_file(range(1, 200))]
        return np.concatenate(list(itertools.islice(training_batches(files, 5, 2, seed), 19))).tolist()

    assert order(3) == order(3) and order(3) != order(4)


def test_batches_are_full_and_epochs_follow_without_a_break():
    files = [_file(range(1, 36))]
    epochs = [training_windows(files, 5, 1, epoch) for epoch in (0, 1)]
    count = sum(map(len, epochs)) // 2
    batches = list(itertools.islice(training_batches(files, 5, 2, 1), count))
    assert {batch.shape for batch in batches} == {(2, 3)}
    np.testing.assert_array_equal(np.concatenate(batches), np.concatenate(epochs)[: 2 * count])


def test_batches_mix_clips():
    files = [_file(range(1, 401)) for _ in range(8)]
    batches = itertools.islice(training_batches(files, 10, 8, 1), 30)
    assert np.mean([len(set(batch[:, 0].tolist())) for batch in batches]) > 4


@pytest.mark.parametrize("balance", ["class", "value"])
def test_balanced_epochs_draw_a_rare_region_as_often_as_a_common_one(balance):
    files = [_file(range(1, 901)), _file(range(1, 101))]
    labels = [np.tile([0.55, 0.55], (900, 1)), np.tile([-0.55, -0.55], (100, 1))]
    weights = frame_weights(labels, balance)
    assert [part[0] for part in weights] == pytest.approx([1 / 900, 1 / 100])
    drawn = np.concatenate([training_windows(files, 10, 1, epoch, WIDE, weights) for epoch in range(5)])
    common, rare = (drawn[drawn[:, 0] == number, 2].sum() for number in (0, 1))
    assert 0.9 < rare / common < 1.1


def test_classes_are_quadrants_and_values_squares():
    plane = np.array([[0.9, 0.9], [0.1, 0.1], [-0.1, 0.1], [0.1, -0.1], [1.0, 1.0]])
    assert frame_weights([plane], "class")[0].tolist() == pytest.approx([1 / 3, 1 / 3, 1, 1, 1 / 3])
    assert frame_weights([plane], "value")[0].tolist() == pytest.approx([1 / 2, 1, 1, 1, 1 / 2])


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"stride": 6}, "--stride"),
        ({"gap_factor": 0.0}, "--gap_factor"),
        ({"augment": ("turn",)}, "--augment"),
        ({"loader": "original", "stride": 2}, "--loader=original"),
        ({"loader": "original", "augment": ("flip",)}, "--loader=original"),
        ({"loader": "original", "balance": "class"}, "--loader=original"),
    ],
)
def test_options_that_contradict_each_other_are_named(options, flag):
    with pytest.raises(InputError, match=f"^{flag}"):
        check_loader(LoaderOptions(**options), 5)
