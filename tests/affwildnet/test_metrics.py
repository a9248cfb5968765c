"""Streamed CCC and MSE against the recorded evaluator, whatever the batching."""

from pathlib import Path

import numpy as np
import pytest

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
