"""The losses of heads against restatements in NumPy, with labels missing."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.head_losses import heads_loss
from affwildnet.heads import parse_heads
from affwildnet.losses import affect_loss

HEADS = parse_heads(
    (
        "va:regression:valence+arousal",
        "liking:regression:liking:loss=mse:weight=2",
        "aus:sigmoid:au01+au12+au25:weight=0.5",
        "expression:softmax:neutral+anger+joy:weight=3",
    )
)
PLACES = {"va": slice(0, 2), "liking": slice(2, 3), "aus": slice(3, 6), "expression": slice(6, 9)}


def batch(seed: int = 0, missing: float = 0.4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """labels and raw outputs (2, 30, 9), weights (2, 30); a part of the labels is missing, of classes all together."""
    rng = np.random.default_rng(seed)
    classes = np.eye(3)[rng.integers(0, 3, (2, 30))]
    labels = np.concatenate([rng.uniform(-1, 1, (2, 30, 3)), rng.integers(0, 6, (2, 30, 3)) / 5, classes], axis=-1)
    labels[rng.random(labels.shape) < missing] = np.nan
    labels[..., 6:] = np.where(np.isnan(labels[..., 6:]).any(axis=-1, keepdims=True), np.nan, classes)
    raw = rng.normal(0, 2, labels.shape)
    weights = np.ones((2, 30))
    weights[1, 20:] = 0
    return labels.astype(np.float32), raw.astype(np.float32), weights.astype(np.float32)


def restated(labels: np.ndarray, raw: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """The losses in float64, from the labelled frames alone."""
    labels, raw = labels.astype(np.float64), raw.astype(np.float64)

    def column(i: int) -> tuple[np.ndarray, np.ndarray]:
        kept = (weights > 0) & ~np.isnan(labels[..., i])
        return raw[..., i][kept], labels[..., i][kept]

    def one_minus_ccc(x: np.ndarray, y: np.ndarray) -> float:
        covariance = ((x - x.mean()) * (y - y.mean())).mean()
        return 1 - 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)

    def binary(x: np.ndarray, y: np.ndarray) -> float:
        p = 1 / (1 + np.exp(-x))
        return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()

    kept = (weights > 0) & ~np.isnan(labels[..., 6:]).any(axis=-1)
    x, y = raw[..., 6:][kept], labels[..., 6:][kept]
    log_p = x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
    told = {
        "va": np.mean([one_minus_ccc(*column(i)) for i in (0, 1)]),
        "liking": ((column(2)[0] - column(2)[1]) ** 2).mean(),
        "aus": np.mean([binary(*column(i)) for i in (3, 4, 5)]),
        "expression": -(y * log_p).sum(axis=-1).mean(),
    }
    return {"total": told["va"] + 2 * told["liking"] + 0.5 * told["aus"] + 3 * told["expression"]} | told


def loss_and_gradient(
    labels: np.ndarray, raw: np.ndarray, weights: np.ndarray, name: str = "total"
) -> tuple[dict[str, float], np.ndarray]:
    x = tf.constant(raw)
    with tf.GradientTape() as tape:
        tape.watch(x)
        losses = heads_loss(labels, x, HEADS, weights)
        term = losses[name]
    return {key: float(value) for key, value in losses.items()}, tape.gradient(term, x).numpy()


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_losses_are_those_of_the_labelled_frames_alone(missing: float) -> None:
    values = batch(missing=missing)
    losses, gradient = loss_and_gradient(*values)
    assert losses == pytest.approx(restated(*values), rel=1e-5)
    assert list(losses) == ["total", "va", "liking", "aus", "expression"] and np.isfinite(gradient).all()


def test_gradient_is_0_exactly_where_a_label_is_missing_or_a_frame_is_padding() -> None:
    labels, raw, weights = batch()
    _, gradient = loss_and_gradient(labels, raw, weights)
    there = ~np.isnan(labels) & (weights > 0)[..., None]
    np.testing.assert_array_equal(gradient != 0, there)


def test_gradient_equals_finite_differences() -> None:
    labels, raw, weights = (values.astype(np.float64) for values in batch(1))
    labels, raw, weights = labels[:, :8], raw[:, :8], weights[:, :8]
    total = tf.function(lambda x: heads_loss(labels, x, HEADS, weights)["total"])
    theoretical, numerical = tf.test.compute_gradient(total, [tf.constant(raw)], delta=1e-6)
    np.testing.assert_allclose(theoretical, numerical, atol=1e-6)


@pytest.mark.parametrize("name", list(PLACES))
def test_a_head_without_a_label_gives_0_and_no_gradient_and_leaves_the_others_alone(name: str) -> None:
    labels, raw, weights = batch()
    expected = restated(labels, raw, weights)
    labels[..., PLACES[name]] = np.nan
    losses, gradient = loss_and_gradient(labels, raw, weights)
    assert losses[name] == 0 and not gradient[..., PLACES[name]].any() and np.isfinite(gradient).all()
    weight = {head.name: head.weight for head in HEADS}[name]
    assert losses["total"] == pytest.approx(expected["total"] - weight * expected[name], rel=1e-5)


def test_a_batch_without_any_label_gives_0_and_no_gradient() -> None:
    labels, raw, weights = batch()
    losses, gradient = loss_and_gradient(np.full_like(labels, np.nan), raw, weights)
    assert set(losses.values()) == {0.0} and not gradient.any()


def test_a_column_without_labels_changes_no_other_columns_gradient() -> None:
    labels, raw, weights = batch()
    _, before = loss_and_gradient(labels, raw, weights)
    labels[..., [0, 4]] = np.nan
    _, after = loss_and_gradient(labels, raw, weights)
    others = [i for i in range(9) if i not in (0, 4)]
    np.testing.assert_array_equal(after[..., others], before[..., others])
    assert not after[..., [0, 4]].any()


def test_logits_of_any_size_give_finite_losses_and_gradients() -> None:
    labels, raw, weights = batch()
    raw[..., 3:] *= 1e4
    losses, gradient = loss_and_gradient(labels, raw, weights)
    assert np.isfinite(losses["total"]) and np.isfinite(gradient).all()


def test_a_frame_whose_class_is_none_of_the_heads_counts_as_unlabelled() -> None:
    labels, raw, weights = batch(missing=0)
    labels[0, :10, 6:] = 0
    missing = labels.copy()
    missing[0, :10, 6:] = np.nan
    none, unlabelled = (loss_and_gradient(values, raw, weights) for values in (labels, missing))
    assert none[0] == unlabelled[0]
    np.testing.assert_array_equal(none[1], unlabelled[1])


def test_the_trainings_loss_is_taken_by_regressions_that_name_none() -> None:
    labels, raw, weights = batch()
    losses = heads_loss(labels, tf.constant(raw), HEADS, weights, "mse")
    kept = (weights > 0)[..., None] & ~np.isnan(labels)
    errors = [((raw - labels)[..., i][kept[..., i]] ** 2).mean() for i in (0, 1)]
    assert float(losses["va"]) == pytest.approx(np.mean(errors), rel=1e-5)


@pytest.mark.parametrize("kind", ["ccc", "mse"])
def test_one_regression_is_the_network_without_heads_to_the_last_bit(kind: str) -> None:
    labels, raw, weights = (values[..., :2] if values.ndim == 3 else values for values in batch())
    heads = parse_heads(("va:regression:valence+arousal",))
    ours, plain = heads_loss(labels, raw, heads, weights, kind), affect_loss(labels, raw, weights, kind)
    assert float(ours["va"]) == float(ours["total"]) == float(plain["total"])
