"""Mixed precision: layers compute in 16 bits over float32 weights, the head and the loss stay float32.

bfloat16 has float32's range. float16 has not: small gradients become 0 unless the loss is scaled up before
differentiating, and a scale too large makes them infinite (Micikevicius et al. 2018, "Mixed Precision Training").
Checkpoints hold float32 weights in every case, so evaluation and export restore them into a float32 model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")

START_SCALE = 2.0**15
# Steps without an overflow after which the scale is doubled: TensorFlow's own.
GROWTH_STEPS = 2000


@contextlib.contextmanager
def building_with(precision: str) -> Iterator[None]:
    """Layers made inside compute in `precision`, one of `PRECISIONS`; others, made before or after, do not."""
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(precision)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)


class LossScale(tf.Module):
    """What the loss is multiplied with: halved when gradients overflow, doubled after `GROWTH_STEPS` that did not.

    `scale` and `good_steps` are what a `tf.train.Checkpoint` of it holds. It never falls below 1: gradients that are
    not finite there are not the scale's fault.
    """

    def __init__(self) -> None:
        super().__init__(name="loss_scale")
        # Every replica has seen the same sums, so one's word is as good as another's.
        alike = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.scale = tf.Variable(START_SCALE, trainable=False, name="scale", aggregation=alike)
        self.good_steps = tf.Variable(0, dtype=tf.int64, trainable=False, name="good_steps", aggregation=alike)

    def update(self, finite: tf.Tensor) -> None:
        """After a step: whether its gradients were finite (bool scalar)."""
        grows = finite & (self.good_steps + 1 >= GROWTH_STEPS)
        factor = tf.where(finite, tf.where(grows, 2.0, 1.0), 0.5)
        self.good_steps.assign(tf.where(finite & ~grows, self.good_steps + 1, tf.zeros_like(self.good_steps)))
        self.scale.assign(tf.maximum(self.scale * factor, 1.0))
