"""One step of training: the loss of a batch, its gradient, and the weights moved by Adam."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from affwildnet.adam import FusedAdam
from affwildnet.backbones import BACKBONES
from affwildnet.backbones.backbone import weight_decay_loss
from affwildnet.cases import Case, backbone_in_training_mode
from affwildnet.dropout import fold_seed, step_seed
from affwildnet.head_losses import heads_loss
from affwildnet.losses import affect_loss
from affwildnet.models import AffWildNet
from affwildnet.precision import LossScale
from affwildnet.replicas import replica_count, replica_index
from affwildnet.stages import counting_heads
from tfrecords.loader import Batch

PARTS = ("backbone", "fc", "block", "head")


class StepResult(NamedTuple):
    """What a step tells; weights and optimizer have moved, unless it was `skipped`."""

    losses: dict[str, tf.Tensor]  # float32 scalars: ``total``, then one for each output, or for each head
    gradient_norms: dict[str, tf.Tensor]  # float32 scalars: ``global``, then of each trained part; before clipping
    learning_rate: tf.Tensor  # float32 scalar
    skipped: tf.Tensor  # bool scalar: gradients overflowed under the loss's scale, which was then halved
    predictions: tf.Tensor  # values, float32 (B, T, outputs)


# (batch, number of the step from 0) -> StepResult
TrainStep = Callable[..., StepResult]


@dataclasses.dataclass(frozen=True)
class StepOptions:
    """What a step does beside the thesis's."""

    loss: str = "ccc"
    original_batch_norm: bool = False
    clip_norm: float = 0.0
    seed: int = 1  # of dropout


def make_train_step(
    model: AffWildNet,
    variables: Sequence[tf.Variable],
    optimizer: FusedAdam,
    case: Case,
    chosen: StepOptions,
    loss_scale: LossScale | None = None,
    xla: bool = False,
    strategy: tf.distribute.Strategy | None = None,
) -> TrainStep:
    """A compiled step ``(batch, step=0)``; with `xla` by XLA as a whole, anew for every shape of batch.

    A batch holds ``faces``, normalised ``images``, or a frozen backbone's cached ``features``; see `make_replica_step`.
    With a `strategy` it is this process's part of the whole batch, see `over_replicas`.
    """
    replica_step = make_replica_step(model, variables, optimizer, case, chosen, loss_scale)
    if strategy is not None:
        replica_step = over_replicas(strategy, replica_step)
    compiled = tf.function(replica_step, jit_compile=True if xla else None)

    def train_step(batch: Batch, step: int | tf.Tensor = 0) -> StepResult:
        return compiled(without_names(batch), tf.cast(step, tf.int64))

    return train_step


def without_names(batch: Batch) -> dict[str, tf.Tensor]:
    """The batch's numbers: no device but the CPU takes strings."""
    return {name: value for name, value in batch.items() if value.dtype != tf.string}


def make_replica_step(
    model: AffWildNet,
    variables: Sequence[tf.Variable],
    optimizer: FusedAdam,
    case: Case,
    chosen: StepOptions,
    loss_scale: LossScale | None = None,
) -> TrainStep:
    """One step ``(batch, step)`` as plain operations, for a `tf.function`.

    The gradient is that of ``total`` and the backbone's weight decay, which covers frozen kernels too but only moves
    those among `variables`. With a `loss_scale` a step whose gradients overflow moves nothing but the scale.

    In a replica of a strategy everything but the batch and the predictions is the same in all: loss and gradient are
    those of the whole batch, and clipped is what they sum up to. What is dropped is another in each.
    """
    training_mode = backbone_in_training_mode(case, chosen.original_batch_norm)
    entry = BACKBONES[model.options.backbone]

    def predict(batch: Batch, seed: tf.Tensor) -> tf.Tensor:
        if "features" in batch:
            features = batch["features"]
        else:
            normalised = "images" in batch
            faces = batch["images" if normalised else "faces"]
            features = model.features(faces, training_mode, batch.get("landmarks_68"), normalised)
        if case.backbone == "nothing":
            features = tf.stop_gradient(features)
        state = model.zero_state(tf.shape(features)[0])
        return model.predict_features(features, state, training=True, seed=seed)[0]

    def replica_step(batch: Batch, step: tf.Tensor) -> StepResult:
        scale = loss_scale.scale if loss_scale is not None else 1.0
        with tf.GradientTape() as tape:
            predictions = predict(batch, replica_seed(chosen.seed, step))
            losses = network_loss(model, batch, predictions, chosen.loss)
            decayed = losses["total"]
            if case.backbone != "nothing" and entry.weight_decay:
                decayed += weight_decay_loss(entry, model.backbone)
            # Gradients are summed over the replicas, each of which has the loss of all.
            scaled = decayed * scale / replica_count()
        gradients = optimizer.sum_gradients(tape.gradient(scaled, variables), variables)
        if loss_scale is not None:
            gradients = [gradient / scale for gradient in gradients]
        norms = gradient_norms(model, gradients, variables)
        if chosen.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, chosen.clip_norm, use_norm=norms["global"])
        rate = optimizer.learning_rate(optimizer.iterations)
        finite = tf.math.is_finite(norms["global"])
        if loss_scale is None:
            optimizer.apply_sums(gradients, variables)
            skipped = tf.constant(False)
        else:
            optimizer.apply_sums(gradients, variables, apply=finite)
            skipped = ~finite
            loss_scale.update(finite)
        return StepResult(losses, norms, rate, skipped, model.to_values(predictions))

    return replica_step


def network_loss(model: AffWildNet, batch: Batch, raw: tf.Tensor, kind: str) -> dict[str, tf.Tensor]:
    """The batch's loss of the raw outputs (B, T, K): `heads_loss`, or without heads `affect_loss`."""
    labels, weights = batch["labels"], batch["weights"]
    if model.heads:
        return heads_loss(labels, raw, counting_heads(model), weights, kind)
    return affect_loss(labels, raw, weights, kind, model.options.outputs)


def replica_seed(seed: int, step: int | tf.Tensor) -> tf.Tensor:
    """The seed of one step, int32 (2,), another in every replica: the same mask in all would drop too alike."""
    of_all = step_seed(seed, step)
    return fold_seed(of_all, replica_index()) if replica_count() > 1 else of_all


def over_replicas(strategy: tf.distribute.Strategy, replica_step: TrainStep) -> TrainStep:
    """A step of all replicas, for a `tf.function`; this process's replicas share its batch in equal parts.

    What it tells is alike in all of them, but the predictions, which are joined in the order of the batch.
    """
    local_replicas = len(strategy.extended.worker_devices)

    def part_of(value: tf.Tensor) -> tf.Tensor:
        size = value.shape[0] // local_replicas
        first = replica_index() % local_replicas * size
        return tf.slice(value, [first] + [0] * (value.shape.rank - 1), [size, *value.shape[1:]])

    def part_step(batch: Batch, step: tf.Tensor) -> StepResult:
        # On the host, so that a device gets no more than its part.
        with tf.device("/cpu:0"):
            part = {name: part_of(value) for name, value in batch.items()}
        return replica_step(part, step)

    def step_of_all(batch: Batch, step: tf.Tensor) -> StepResult:
        result = strategy.run(part_step, args=(batch, step))
        predictions = tf.concat(strategy.experimental_local_results(result.predictions), axis=0)
        first = tf.nest.map_structure(lambda value: strategy.experimental_local_results(value)[0], result)
        return first._replace(predictions=predictions)

    return step_of_all


def gradient_norms(
    model: AffWildNet, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]
) -> dict[str, tf.Tensor]:
    """Euclidean lengths, float32 scalars: ``global``, and of each part in `PARTS` that has gradients."""
    squares = {variable.ref(): _sum_of_squares(g) for g, variable in zip(gradients, variables, strict=True)}
    norms = {"global": _root(list(squares.values()))}
    for name in PARTS:
        part = getattr(model, name)
        owned = {variable.ref() for variable in part.trainable_variables} if part is not None else set()
        found = [square for reference, square in squares.items() if reference in owned]
        if found:
            norms[name] = _root(found)
    return norms


def _sum_of_squares(values: tf.Tensor) -> tf.Tensor:
    """A float64 scalar, rows first: a sum of all at once in float32 depends on how threads happened to share it.

    Clipping would carry its last bit into every weight, and resuming would not be exact.
    """
    rows = tf.reduce_sum(tf.reshape(tf.square(values), [-1, values.shape[-1] if values.shape.rank else 1]), axis=1)
    return tf.reduce_sum(tf.cast(rows, tf.float64))


def _root(squares: list[tf.Tensor]) -> tf.Tensor:
    return tf.cast(tf.sqrt(tf.add_n(squares)), tf.float32)
