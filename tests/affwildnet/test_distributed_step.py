"""Steps on two devices with half of the batch each against one device with all of it, compiled as in training."""

from __future__ import annotations

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
from affwildnet.strategies import check_strategy
from affwildnet.train_step import StepOptions, make_train_step, replica_seed
from tfrecords.errors import InputError

STEPS = 3
# Weight decay; a gradient that is clipped in every step; and padding that falls to one of the two.
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


def _steps(mirrored: bool, model_options: ModelOptions, precision: str = "float32") -> Told:
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


@pytest.mark.parametrize(
    "options",
    [
        ModelOptions(cell="none"),
        # The fused attention block, whose loops have gradients of their own; of one step CI's conformance test knows.
        pytest.param(ModelOptions(units=8, layers=2, attention_length=3), marks=pytest.mark.slow),
        pytest.param(ModelOptions(cell="lstm", layers=1, units=8, attention_length=3), marks=pytest.mark.slow),
        pytest.param(ModelOptions(cell="gru", layers=2, units=8, attention_length=0), marks=pytest.mark.slow),
    ],
    ids=["cnn", "gru_attention", "lstm_attention", "gru"],
)
def test_steps_on_two_devices_equal_those_on_one(options: ModelOptions, process: ProcessPoolExecutor) -> None:
    two, one = (process.submit(_steps, mirrored, options).result() for mirrored in (True, False))
    np.testing.assert_allclose(two.losses, one.losses, rtol=1e-4)
    np.testing.assert_allclose(two.norms, one.norms, rtol=1e-3)
    assert (one.norms > OPTIMIZING.clip_norm).all()
    np.testing.assert_allclose(two.predictions, one.predictions, atol=1e-4)
    for weights, expected in zip(two.weights, one.weights, strict=True):
        np.testing.assert_allclose(weights, expected, atol=1e-4)


@pytest.mark.slow
def test_float16_on_two_devices_scales_its_loss_as_on_one(process: ProcessPoolExecutor) -> None:
    two, one = (
        process.submit(_steps, mirrored, ModelOptions(cell="none"), "mixed_float16").result()
        for mirrored in (True, False)
    )
    assert two.scale == one.scale > 0
    np.testing.assert_allclose(two.losses, one.losses, rtol=1e-2)
    for weights, expected in zip(two.weights, one.weights, strict=True):
        np.testing.assert_allclose(weights, expected, atol=1e-2)


def _refusals() -> list[str]:
    strategy = two_devices.mirrored_strategy()
    told = []
    for batch, xla in ((3, False), (4, True)):
        try:
            check_strategy(strategy, batch, xla)
        except InputError as error:
            told.append(str(error))
    check_strategy(strategy, 4, xla=False)
    return told


def test_batch_that_cannot_be_dealt_out_and_xla_are_refused(process: ProcessPoolExecutor) -> None:
    assert process.submit(_refusals).result() == [
        "--batch: a batch of 3 cannot be dealt out to 2 devices evenly; give a multiple of 2.",
        "--xla: XLA compiles no sums over devices; leave it out, or use --strategy=none.",
    ]


def _kept_by_two_devices() -> list[np.ndarray]:
    """What each of two replicas keeps of ones under one step's seed, and what one device does."""
    strategy = two_devices.mirrored_strategy()
    kept = lambda: drop(tf.ones([64]), 0.5, replica_seed(1, 7))  # noqa: E731
    return [value.numpy() for value in strategy.experimental_local_results(strategy.run(kept))] + [kept().numpy()]


def test_replicas_drop_differently(process: ProcessPoolExecutor) -> None:
    first, second, alone = process.submit(_kept_by_two_devices).result()
    assert (first != second).any() and (first != alone).any()


def _averages(model: tf.keras.Model) -> np.ndarray:
    return np.concatenate([variable.numpy() for variable in model.non_trainable_variables])


def _batch_norm(shape: tuple[int, ...]) -> tf.keras.Model:
    return tf.keras.Sequential([tf.keras.layers.BatchNormalization(input_shape=shape)])


def _normalised_on_two_devices(faces: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """A synchronised batch norm's outputs in training for every other face each, and its averages after that."""
    strategy = two_devices.mirrored_strategy()
    with strategy.scope():
        model = _batch_norm(faces.shape[1:])
    assert synchronise_batch_norm(model) == 1
    halves = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(faces[context.replica_id_in_sync_group :: 2])
    )
    told = tf.function(lambda: strategy.run(lambda part: model(part, training=True), args=(halves,)))()
    return [value.numpy() for value in strategy.experimental_local_results(told)], _averages(model)


def test_batch_norm_takes_the_statistics_of_all_replicas(process: ProcessPoolExecutor) -> None:
    faces = np.random.default_rng(0).normal(3, [1, 2, 3], (8, 4, 4, 3)).astype(np.float32)
    (first, second), averages = process.submit(_normalised_on_two_devices, faces).result()
    model = _batch_norm(faces.shape[1:])
    alone = model(faces, training=True).numpy()
    np.testing.assert_allclose(first, alone[::2], atol=1e-4)
    np.testing.assert_allclose(second, alone[1::2], atol=1e-4)
    # The fused kernel of one device takes the unbiased variance for its averages.
    np.testing.assert_allclose(averages, _averages(model), rtol=1e-3)
