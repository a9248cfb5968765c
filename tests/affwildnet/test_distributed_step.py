"""Steps on two devices with half of the batch each against one device with all of it, compiled as in training."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
import two_devices

from affwildnet.batch_norm import synchronise_batch_norm
from affwildnet.cases import CASES, trained_variables
from affwildnet.dropout import drop
from affwildnet.input_spec import InputSpec
from affwildnet.models import ModelOptions, build_model
from affwildnet.optimizer import OptimizerOptions, make_optimizer
from affwildnet.precision import LossScale, building_with
from affwildnet.train_step import StepOptions, make_train_step, replica_seed

STEPS = 3
# The fused attention block, whose loops have gradients of their own; both kinds of weight decay; a gradient that is
# clipped in every step; padding that falls to one of the two.
MODEL = ModelOptions(units=8, layers=1, attention_length=3)
OPTIMIZING = OptimizerOptions(clip_norm=0.05, weight_decay=0.1)


@dataclasses.dataclass(frozen=True)
class Told:
    """What some steps gave: losses and lengths of gradients (STEPS,), the last predictions, the weights after them."""

    losses: np.ndarray
    norms: np.ndarray
    predictions: np.ndarray
    weights: list[np.ndarray]
    scale: float = 0.0


@pytest.fixture(scope="module")
def process() -> Iterator[ProcessPoolExecutor]:
    with two_devices.start() as pool:
        yield pool


def _batch(step: int) -> dict[str, tf.Tensor]:
    rng = np.random.default_rng(step)
    weights = np.ones((4, 6), np.float32)
    weights[3, 2:] = 0
    return {
        "faces": tf.constant(rng.integers(0, 256, (4, 6, 96, 96, 3), np.uint8)),
        "labels": tf.constant(rng.uniform(-1, 1, (4, 6, 2)).astype(np.float32)),
        "weights": tf.constant(weights),
    }


def _steps(mirrored: bool, model_options: ModelOptions = MODEL, precision: str = "float32") -> Told:
    strategy = two_devices.mirrored_strategy() if mirrored else None
    with strategy.scope() if strategy is not None else tf.device("/cpu:0"):
        tf.keras.utils.set_random_seed(1)
        with building_with(precision):
            model = build_model(model_options, InputSpec())
        variables = trained_variables(model, CASES["2"])
        optimizer = make_optimizer(1e-3, variables, OPTIMIZING)
        scale = LossScale() if precision == "mixed_float16" else None
    chosen = StepOptions(clip_norm=OPTIMIZING.clip_norm)
    train_step = make_train_step(model, variables, optimizer, CASES["2"], chosen, scale, strategy=strategy)
    results = [train_step(_batch(step), step) for step in range(STEPS)]
    return Told(
        np.array([float(result.losses["total"]) for result in results]),
        np.array([float(result.gradient_norms["global"]) for result in results]),
        results[-1].predictions.numpy(),
        [variable.numpy() for variable in variables],
        float(scale.scale.numpy()) if scale is not None else 0.0,
    )


def test_steps_on_two_devices_equal_those_on_one(process: ProcessPoolExecutor) -> None:
    two, one = process.submit(_steps, True).result(), process.submit(_steps, False).result()
    np.testing.assert_allclose(two.losses, one.losses, rtol=1e-4)
    np.testing.assert_allclose(two.norms, one.norms, rtol=1e-3)
    assert (one.norms > OPTIMIZING.clip_norm).all()
    np.testing.assert_allclose(two.predictions, one.predictions, atol=1e-4)
    for weights, expected in zip(two.weights, one.weights, strict=True):
        np.testing.assert_allclose(weights, expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "precision"),
    [
        # Its scale is halved in the first steps, which then move nothing, on both devices.
        (ModelOptions(cell="none"), "mixed_float16"),
        (ModelOptions(cell="gru", layers=2, units=8, attention_length=0), "float32"),
        (ModelOptions(cell="lstm", layers=1, units=8, attention_length=3), "float32"),
    ],
    ids=["float16", "gru", "lstm_attention"],
)
def test_other_models_do_too(process: ProcessPoolExecutor, options: ModelOptions, precision: str) -> None:
    two, one = (process.submit(_steps, mirrored, options, precision).result() for mirrored in (True, False))
    tolerance = 1e-4 if precision == "float32" else 1e-2
    np.testing.assert_allclose(two.losses, one.losses, rtol=tolerance)
    assert two.scale == one.scale
    for weights, expected in zip(two.weights, one.weights, strict=True):
        np.testing.assert_allclose(weights, expected, atol=tolerance)


def _kept_by_two_devices() -> list[np.ndarray]:
    """What each of two replicas keeps of ones under one step's seed, and what one device does."""
    strategy = two_devices.mirrored_strategy()
    kept = lambda: drop(tf.ones([64]), 0.5, replica_seed(1, 7))  # noqa: E731
    return [value.numpy() for value in strategy.experimental_local_results(strategy.run(kept))] + [kept().numpy()]


def test_replicas_drop_differently(process: ProcessPoolExecutor) -> None:
    first, second, alone = process.submit(_kept_by_two_devices).result()
    assert (first != second).any() and (first != alone).any()


def _normalised_on_two_devices(faces: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A synchronised batch norm's outputs of both halves in training, and its averages after that; last of one device."""
    outputs, averages = [], []
    strategy = two_devices.mirrored_strategy()
    for scope, parts in ((strategy.scope(), 2), (contextlib.nullcontext(), 1)):
        with scope:
            model = tf.keras.Sequential([tf.keras.layers.BatchNormalization(input_shape=faces.shape[1:])])
        if parts == 2:
            assert synchronise_batch_norm(model) == 1
            halves = strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(faces[context.replica_id_in_sync_group :: 2])
            )
            told = tf.function(lambda: strategy.run(lambda part: model(part, training=True), args=(halves,)))()
            outputs += [value.numpy() for value in strategy.experimental_local_results(told)]
        else:
            outputs.append(model(faces, training=True).numpy())
        averages.append(np.concatenate([variable.numpy() for variable in model.non_trainable_variables]))
    return outputs, averages


def test_batch_norm_takes_the_statistics_of_all_replicas(process: ProcessPoolExecutor) -> None:
    faces = np.random.default_rng(0).normal(3, [1, 2, 3], (8, 4, 4, 3)).astype(np.float32)
    (first, second, alone), (mirrored, expected) = process.submit(_normalised_on_two_devices, faces).result()
    np.testing.assert_allclose(first, alone[::2], atol=1e-4)
    np.testing.assert_allclose(second, alone[1::2], atol=1e-4)
    # The fused kernel of one device takes the unbiased variance for its averages.
    np.testing.assert_allclose(mirrored, expected, rtol=1e-3)
