"""Streamed CCC and MSE against the recorded evaluator, whatever the batching."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affwildnet.losses import ccc
from affwildnet.metrics import StreamingCCC

EXACT = {"rtol": 1e-10, "atol": 1e-10}


def golden_stream(golden_dir: Path) -> dict[str, np.ndarray]:
    with np.load(golden_dir / "streaming_ccc.npz") as stored:
        return dict(stored)


def assert_golden(stream: StreamingCCC, golden: dict[str, np.ndarray]) -> None:
    for i, name in enumerate(("valence", "arousal")):
        np.testing.assert_allclose(stream.ccc()[i], golden[f"ccc_unbiased_{name}"], **EXACT)
        np.testing.assert_allclose(stream.ccc(ddof=0)[i], golden[f"ccc_population_{name}"], **EXACT)
        np.testing.assert_allclose(stream.mse()[i], golden[f"mse_{name}"], **EXACT)


def test_sequences_one_by_one_give_the_recorded_values(golden_dir: Path) -> None:
    golden = golden_stream(golden_dir)
    stream = StreamingCCC()
    for predictions, labels in zip(golden["predictions"], golden["labels"], strict=True):
        stream.update(predictions[None], labels[None])
    assert_golden(stream, golden)


@pytest.mark.parametrize("seed", range(5))
def test_any_batching_gives_the_recorded_values(golden_dir: Path, seed: int) -> None:
    golden = golden_stream(golden_dir)
    predictions, labels = golden["predictions"].reshape(-1, 2), golden["labels"].reshape(-1, 2)
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(labels), 30))
    stream = StreamingCCC()
    for piece, truth in zip(np.split(predictions, cuts), np.split(labels, cuts), strict=True):
        stream.update(piece, truth)
    assert_golden(stream, golden)


def test_population_value_equals_the_loss_ccc() -> None:
    rng = np.random.default_rng(2)
    predictions, labels = rng.standard_normal((2, 3, 20, 2))
    stream = StreamingCCC()
    stream.update(predictions, labels)
    expected = [ccc(predictions[..., i], labels[..., i]) for i in range(2)]
    np.testing.assert_allclose(stream.ccc(ddof=0), expected, **EXACT)


def test_values_far_from_0_lose_no_digits() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.integers(-64, 64, (2, 500, 1)) / 64
    near, far = StreamingCCC(1), StreamingCCC(1)
    for start in range(0, 500, 7):
        near.update(x[start : start + 7], y[start : start + 7])
        far.update(x[start : start + 7] + 2**30, y[start : start + 7] + 2**30)
    np.testing.assert_allclose(far.ccc(), near.ccc(), **EXACT)


def test_weights_equal_dropping_frames() -> None:
    rng = np.random.default_rng(4)
    predictions, labels = rng.standard_normal((2, 3, 20, 2))
    weights = rng.integers(0, 2, (3, 20))
    masked, dropped = StreamingCCC(), StreamingCCC()
    masked.update(predictions, labels, weights)
    dropped.update(predictions[weights == 1], labels[weights == 1])
    np.testing.assert_array_equal(masked.ccc(), dropped.ccc())
    np.testing.assert_array_equal(masked.mse(), dropped.mse())
    assert masked.count == weights.sum()


@pytest.mark.parametrize("constant", [0.0, 0.1, -0.7])
def test_constant_prediction_gives_0_and_equal_constants_nan(constant: float) -> None:
    labels = np.random.default_rng(5).standard_normal((50, 1))
    stream, equal = StreamingCCC(1), StreamingCCC(1)
    for start in range(0, 50, 7):
        piece = labels[start : start + 7]
        stream.update(np.full_like(piece, constant), piece)
        equal.update(np.full_like(piece, constant), np.full_like(piece, constant))
    assert stream.ccc() == 0
    assert np.isnan(equal.ccc()) and equal.mse() == 0


def test_nothing_seen_gives_nan() -> None:
    stream = StreamingCCC()
    stream.update(np.zeros((0, 2)), np.zeros((0, 2)))
    assert np.isnan(stream.ccc()).all() and np.isnan(stream.mse()).all()


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="are not both"):
        StreamingCCC().update(np.zeros((4, 3)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="must be 0 or 1"):
        StreamingCCC().update(np.zeros((4, 2)), np.zeros((4, 2)), np.full(4, 0.5))


FLOATS = st.floats(-1e6, 1e6, width=32)


@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=2, max_size=40), st.data())
def test_every_batching_order_and_merging_gives_the_same_bits(
    pairs: list[tuple[float, float]], data: st.DataObject
) -> None:
    values = np.array(pairs, np.float32)
    whole = StreamingCCC(1)
    whole.update(values[:, :1], values[:, 1:])
    order = np.array(data.draw(st.permutations(range(len(values)))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=6)))
    parts = [StreamingCCC(1), StreamingCCC(1)]
    for number, piece in enumerate(np.split(values[order], cuts)):
        parts[number % 2].update(piece[:, :1], piece[:, 1:])
    parts[0].merge(parts[1])
    for ddof in (0, 1):
        np.testing.assert_array_equal(parts[0].ccc(ddof), whole.ccc(ddof))
    np.testing.assert_array_equal(parts[0].mse(), whole.mse())
    np.testing.assert_array_equal(parts[0].correlation(), whole.correlation())


@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=2, max_size=20))
def test_values_are_the_exact_ones_rounded_once(pairs: list[tuple[float, float]]) -> None:
    x, y = ([Fraction(pair[index]) for pair in pairs] for index in (0, 1))
    n = len(pairs)
    mean_x, mean_y = sum(x) / n, sum(y) / n
    spread = sum((a - mean_x) ** 2 for a in x) + sum((b - mean_y) ** 2 for b in y)
    product = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    stream = StreamingCCC(1)
    values = np.array(pairs, np.float32)
    stream.update(values[:, :1], values[:, 1:])
    for ddof in (0, 1):
        denominator = spread / (n - ddof) + (mean_x - mean_y) ** 2
        expected = float(2 * product / (n - ddof) / denominator) if denominator else np.nan
        np.testing.assert_array_equal(stream.ccc(ddof), expected)
    expected_mse = float(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / n)
    np.testing.assert_array_equal(stream.mse(), expected_mse)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_makes_its_dimension_nan_and_no_other(bad: float) -> None:
    values = np.random.default_rng(6).standard_normal((2, 10, 2))
    values[0, 3, 0] = bad
    stream = StreamingCCC()
    stream.update(*values)
    for metric in (stream.ccc(), stream.mse(), stream.correlation()):
        assert np.isnan(metric[0]) and np.isfinite(metric[1])
