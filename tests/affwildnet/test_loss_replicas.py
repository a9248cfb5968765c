"""The losses on two devices with a part of the batch each against one device with all of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
import two_devices

from affwildnet.head_losses import heads_loss
from affwildnet.heads import parse_heads
from affwildnet.losses import LOSSES, affect_loss
from affwildnet.replicas import replica_count

HEADS = ("v:regression:valence", "aus:sigmoid:au01+au12:weight=0.5", "e:softmax:neutral+joy")
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def process() -> Iterator[ProcessPoolExecutor]:
    with two_devices.start() as pool:
        yield pool


def _batch(seed: int = 0) -> Arrays:
    """Four sequences of 40 frames, of which the last is half padding, and labels far from 0 for their spread."""
    rng = np.random.default_rng(seed)
    labels = (0.8 + 0.01 * rng.standard_normal((4, 40, 2))).astype(np.float32)
    predictions = (labels + 0.02 * rng.standard_normal(labels.shape)).astype(np.float32)
    weights = np.ones((4, 40), np.float32)
    weights[3, 20:] = 0
    return {"labels": labels, "predictions": predictions, "weights": weights}


def _loss_and_gradient(batch: dict[str, tf.Tensor], kind: str) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    predictions = tf.convert_to_tensor(batch["predictions"])
    with tf.GradientTape() as tape:
        tape.watch(predictions)
        if kind == "heads":
            losses = heads_loss(batch["labels"], predictions, parse_heads(HEADS), batch["weights"])
        else:
            losses = affect_loss(batch["labels"], predictions, batch["weights"], kind)
        shared = losses["total"] / replica_count()
    return losses, tape.gradient(shared, predictions)


@functools.cache
def _compiled(kind: str) -> Callable[..., tuple[dict[str, tf.Tensor], tf.Tensor]]:
    return tf.function(lambda halves: two_devices.mirrored_strategy().run(_loss_and_gradient, args=(halves, kind)))


def _on_two_devices(batch: Arrays, kind: str) -> tuple[list[dict[str, float]], np.ndarray]:
    """The losses that each of two replicas has, and the gradient for all predictions."""
    strategy = two_devices.mirrored_strategy()
    halves = strategy.experimental_distribute_values_from_function(
        lambda context: {name: value[2 * context.replica_id_in_sync_group :][:2] for name, value in batch.items()}
    )
    losses, gradients = _compiled(kind)(halves)
    each = [strategy.experimental_local_results(losses[name]) for name in losses]
    told = [{name: float(values[i]) for name, values in zip(losses, each, strict=True)} for i in range(2)]
    return told, np.concatenate([value.numpy() for value in strategy.experimental_local_results(gradients)])


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_loss_and_gradient_on_two_devices_are_one_devices(kind: str, process: ProcessPoolExecutor) -> None:
    batch = _batch()
    told, gradient = process.submit(_on_two_devices, batch, kind).result()
    expected, expected_gradient = _loss_and_gradient(batch, kind)
    for losses in told:
        assert losses == pytest.approx({name: float(value) for name, value in expected.items()}, rel=1e-5)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-5 * np.abs(expected_gradient).max())


def test_replica_without_a_frame_that_counts_contributes_nothing(process: ProcessPoolExecutor) -> None:
    batch = _batch()
    for rows in (slice(0, 2), slice(2, 4)):
        weights = np.zeros((4, 40), np.float32)
        weights[rows] = 1
        told, gradient = process.submit(_on_two_devices, batch | {"weights": weights}, "ccc").result()
        alone = affect_loss(batch["labels"][rows], batch["predictions"][rows])
        assert told[0]["total"] == told[1]["total"] == pytest.approx(float(alone["total"]), rel=1e-5)
        assert np.isfinite(gradient).all() and gradient[rows].any()
        gradient[rows] = 0
        assert not gradient.any()


@pytest.mark.parametrize("constant", [0.1, -0.7])
def test_constant_over_all_replicas_has_a_ccc_of_exactly_0(constant: float, process: ProcessPoolExecutor) -> None:
    batch = _batch()
    batch["predictions"] = np.full_like(batch["labels"], constant)
    told, _ = process.submit(_on_two_devices, batch, "ccc").result()
    assert told[0] == told[1] == {"total": 1, "valence": 1, "arousal": 1}


def test_equal_constants_over_all_replicas_give_nan(process: ProcessPoolExecutor) -> None:
    batch = _batch()
    batch["labels"] = batch["predictions"] = np.full_like(batch["labels"], 0.1)
    told, _ = process.submit(_on_two_devices, batch, "ccc").result()
    assert np.isnan(told[0]["total"]) and np.isnan(told[1]["total"])


def test_constants_that_differ_between_replicas_are_no_constant(process: ProcessPoolExecutor) -> None:
    batch = _batch()
    batch["predictions"] = np.broadcast_to([[[0.1]], [[0.1]], [[0.3]], [[0.3]]], batch["labels"].shape).astype("f")
    told, _ = process.submit(_on_two_devices, batch, "ccc").result()
    expected = affect_loss(batch["labels"], batch["predictions"], batch["weights"])
    assert told[0]["total"] == pytest.approx(float(expected["total"]), rel=1e-5)


def test_heads_on_two_devices_are_one_devices_where_labels_are_in_one_half_only(process: ProcessPoolExecutor) -> None:
    rng = np.random.default_rng(1)
    classes = np.eye(2)[rng.integers(0, 2, (4, 40))]
    labels = np.concatenate([rng.uniform(-1, 1, (4, 40, 1)), rng.random((4, 40, 2)), classes], axis=-1).astype("f")
    labels[rng.random((4, 40)) < 0.3, 0] = np.nan
    labels[2:, :, 1] = np.nan
    labels[:2, :, 3:] = np.nan
    batch = _batch() | {"labels": labels, "predictions": rng.normal(0, 2, labels.shape).astype("f")}
    told, gradient = process.submit(_on_two_devices, batch, "heads").result()
    expected, expected_gradient = _loss_and_gradient(batch, "heads")
    for losses in told:
        assert losses == pytest.approx({name: float(value) for name, value in expected.items()}, rel=1e-5)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-5 * np.abs(expected_gradient).max())
    assert not gradient[np.isnan(labels)].any()
