"""Dropout as a pure function of a seed, so that a training that was broken off goes on to the same weights.

`tf.keras.layers.Dropout` and `tf.nn.dropout` draw from the process's own generator, whose position no checkpoint holds.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def step_seed(seed: int, step: int | tf.Tensor) -> tf.Tensor:
    """The seed int32 (2,) of one training step, for `drop`."""
    return tf.stack([tf.constant(seed & 0x7FFFFFFF, tf.int32), tf.cast(step, tf.int32)])


def random_seed() -> tf.Tensor:
    """A seed from the process's generator, where nobody gave one: every call another."""
    return tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32)


def fold_seed(seed: tf.Tensor, place: int) -> tf.Tensor:
    """Another seed for each `place` in the network that drops."""
    return tf.random.experimental.stateless_fold_in(seed, place)


def drop(values: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """`values` with a part `rate` set to 0 and the others divided by ``1 - rate``.

    The same on CPU and GPU; within a function that XLA compiles whole, others.
    """
    return tf.nn.experimental.stateless_dropout(values, rate, seed, rng_alg="philox")


def kept_masks(shape: Sequence[int | tf.Tensor], rate: float, seed: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """What to multiply values of `shape` with, so that a part `rate` is dropped: 0 or ``1 / (1 - rate)``."""
    return drop(tf.ones(shape, dtype), rate, seed)
