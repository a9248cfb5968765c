"""The losses against the recorded originals, closed forms, and padding."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.losses import LOSSES, affect_loss, ccc, mse_loss

GOLDEN = {"rtol": 1e-4, "atol": 1e-5}


def batch(seed: int = 0, shape: tuple[int, ...] = (2, 40, 2)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.uniform(-1, 1, shape)
    return (labels + 0.3 * rng.standard_normal(shape) + 0.1).astype(np.float32), labels.astype(np.float32)


def test_losses_and_gradient_equal_the_original(golden_dir: Path) -> None:
    golden = np.load(golden_dir / "loss.npz")
    predictions = tf.constant(golden["predictions"])
    with tf.GradientTape() as tape:
        tape.watch(predictions)
        loss = affect_loss(golden["labels"], predictions)
    mse = affect_loss(golden["labels"], predictions, kind="mse")
    for name in ("valence", "arousal"):
        np.testing.assert_allclose(loss[name], golden[f"ccc_loss_{name}"], **GOLDEN)
        np.testing.assert_allclose(mse[name], golden[f"mse_{name}"], **GOLDEN)
    np.testing.assert_allclose(loss["total"], golden["total_loss"], **GOLDEN)
    np.testing.assert_allclose(tape.gradient(loss["total"], predictions), golden["grad_predictions"], **GOLDEN)


def test_ccc_of_a_signal_with_itself_is_1() -> None:
    x = batch()[0]
    np.testing.assert_allclose(ccc(x, x), 1, rtol=1e-6)


def test_ccc_of_a_signal_with_its_negative_is_minus_1_around_mean_0() -> None:
    x = np.concatenate([batch()[0].ravel(), -batch()[0].ravel()])
    np.testing.assert_allclose(ccc(x, -x), -1, rtol=1e-5)


def test_ccc_of_a_shifted_signal_has_its_closed_form() -> None:
    x = batch()[0].astype(np.float64)
    np.testing.assert_allclose(ccc(x + 0.4, x), 2 * x.var() / (2 * x.var() + 0.16), rtol=1e-10)


@pytest.mark.parametrize("constant", [0.0, 0.1, -0.7])
def test_constant_prediction_gives_exactly_0(constant: float) -> None:
    labels = batch()[1]
    assert ccc(np.full_like(labels, constant), labels) == 0
    assert ccc(labels, np.full_like(labels, constant)) == 0


def test_two_different_constants_give_exactly_0() -> None:
    assert ccc(np.full(160, 0.1, np.float32), np.full(160, 0.3, np.float32)) == 0


@pytest.mark.parametrize("constant", [0.0, 0.1, -0.7])
@pytest.mark.parametrize("first", [0.0, 1.0])
def test_two_equal_constants_give_nan(constant: float, first: float) -> None:
    x = np.full(160, constant, np.float32)
    weights = np.concatenate([[first], np.ones(159)])
    assert np.isnan(ccc(x, x, weights))


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_weights_equal_dropping_frames(kind: str) -> None:
    predictions, labels = batch()
    weights = np.random.default_rng(1).integers(0, 2, labels.shape[:2])
    weights[0, 0] = 0
    kept = weights.astype(bool)
    masked = affect_loss(labels, predictions, weights, kind)
    dropped = affect_loss(labels[kept][None], predictions[kept][None], kind=kind)
    for name, value in dropped.items():
        np.testing.assert_allclose(masked[name], value, rtol=1e-5)


def test_gradient_does_not_reach_padded_frames() -> None:
    predictions, labels = (tf.constant(values) for values in batch())
    weights = np.ones((2, 40))
    weights[1, 20:] = 0
    with tf.GradientTape() as tape:
        tape.watch(predictions)
        total = affect_loss(labels, predictions, weights)["total"]
    gradient = tape.gradient(total, predictions).numpy()
    assert not gradient[1, 20:].any() and gradient[1, :20].all()


@pytest.mark.parametrize("seed", range(3))
def test_gradient_equals_finite_differences(seed: int) -> None:
    x, y = (tf.constant(values, tf.float64) for values in batch(seed, (9,)))
    theoretical, numerical = tf.test.compute_gradient(lambda values: ccc(values, y), [x], delta=1e-6)
    np.testing.assert_allclose(theoretical, numerical, atol=1e-8)


def test_16_bit_predictions_are_scored_in_float32() -> None:
    predictions, labels = batch()
    rounded = tf.cast(predictions, tf.bfloat16)
    loss = affect_loss(labels, rounded)["total"]
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, affect_loss(labels, tf.cast(rounded, tf.float32))["total"], rtol=1e-6)


def test_terms_carry_the_names_of_the_outputs() -> None:
    predictions, labels = batch(shape=(2, 5, 1))
    loss = affect_loss(labels, predictions, kind="mse", outputs=("arousal",))
    assert list(loss) == ["total", "arousal"]
    np.testing.assert_allclose(loss["total"], mse_loss(predictions, labels))


def test_unknown_loss_names_the_losses_there_are() -> None:
    with pytest.raises(ValueError, match="there is no loss 'mae'; the losses are ccc, mse"):
        affect_loss(*batch(), kind="mae")
