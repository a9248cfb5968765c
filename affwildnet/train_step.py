"""One step of training: the loss of a batch, its gradient, and the weights moved by Adam."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from affwildnet.adam import FusedAdam
from affwildnet.backbones import BACKBONES
from affwildnet.backbones.backbone import weight_decay_loss
from affwildnet.cases import Case, backbone_in_training_mode
from affwildnet.losses import affect_loss
from affwildnet.models import AffWildNet
from tfrecords.loader import Batch

TrainStep = Callable[[Batch], dict[str, tf.Tensor]]


def make_optimizer(learning_rate: float, variables: Sequence[tf.Variable]) -> FusedAdam:
    """The thesis's Adam (β 0.9 and 0.999, ε 1e-8, constant rate), built for `variables`."""
    optimizer = FusedAdam(learning_rate)
    optimizer.build(variables)
    return optimizer


def make_train_step(
    model: AffWildNet,
    variables: Sequence[tf.Variable],
    optimizer: FusedAdam,
    loss: str,
    case: Case,
    original_batch_norm: bool = False,
) -> TrainStep:
    """A compiled step: batch -> losses float32 scalars (``total``, then one for each output), weights updated.

    A batch holds ``faces``, normalised ``images``, or a frozen backbone's cached ``features``. The gradient is that of
    ``total`` and the backbone's weight decay, which covers frozen kernels too but only moves those among `variables`.
    """
    training_mode = backbone_in_training_mode(case, original_batch_norm)
    entry = BACKBONES[model.options.backbone]

    def compute_features(batch: Batch) -> tf.Tensor:
        normalised = "images" in batch
        faces = batch["images" if normalised else "faces"]
        return model.features(faces, training_mode, batch.get("landmarks_68"), normalised)

    def predict(batch: Batch) -> tf.Tensor:
        features = batch["features"] if "features" in batch else compute_features(batch)
        if case.backbone == "nothing":
            features = tf.stop_gradient(features)
        state = model.zero_state(tf.shape(features)[0])
        return model.predict_features(features, state, training=True)[0]

    @tf.function
    def train_step(batch: Batch) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            losses = affect_loss(batch["labels"], predict(batch), batch["weights"], loss, model.options.outputs)
            decayed = losses["total"]
            if case.backbone != "nothing" and entry.weight_decay:
                decayed += weight_decay_loss(entry, model.backbone)
        gradients = tape.gradient(decayed, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return losses

    return train_step
