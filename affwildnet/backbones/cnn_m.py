"""VGG's CNN-M, the challenge's baseline (SPEC.md, "Background systems")."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


class LocalResponseNormalization(tf.keras.layers.Layer):
    """Each value divided by ``(2 + 1e-4 * sum of squares over 5 channels) ** 0.75``, Caffe's numbers for CNN-M."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """(N, H, W, C) -> the same shape and dtype."""
        # The CPU's kernel knows 16-bit floats of one kind only, and squares overflow there: float32.
        normal = tf.nn.lrn(tf.cast(inputs, tf.float32), depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75)
        return tf.cast(normal, inputs.dtype)


def cnn_m(input_size: int = 96, batch_norm: bool = False) -> tf.keras.Model:
    """Five convolutions with ReLU and three pools -> the last pool flattened: (N, 2048) at 96 pixels, 18432 at 224.

    Caffe's rounding is built: a pool's last window may hang over the edge, so that none of its input is lost. With
    conv1 unpadded the sides are 45, 22, 10, 5, 2 at 96 pixels and 109, 54, 26, 13, 6 at 224. How the baseline padded at
    96 is unknown. With `batch_norm` the two normalisations over channels are batch norms, SPEC.md's variant.
    """
    layers = tf.keras.layers
    faces = tf.keras.Input((input_size, input_size, 3), name="faces")
    x = _convolution(faces, 96, 7, 2, 0, 1)
    x = _pool_rounding_up(_normalise(x, batch_norm, "norm1"), 1)
    x = _convolution(x, 256, 5, 2, 1, 2)
    x = _pool_rounding_up(_normalise(x, batch_norm, "norm2"), 2)
    for number in (3, 4, 5):
        x = _convolution(x, 512, 3, 1, 1, number)
    x = _pool_rounding_up(x, 5)
    return tf.keras.Model(faces, layers.Flatten(name="features")(x), name="cnn_m")


def _normalise(inputs: tf.Tensor, batch_norm: bool, name: str) -> tf.Tensor:
    if batch_norm:
        return tf.keras.layers.BatchNormalization(name=name)(inputs)
    return LocalResponseNormalization(name=name)(inputs)


def _convolution(inputs: tf.Tensor, filters: int, kernel: int, stride: int, pad: int, number: int) -> tf.Tensor:
    layers = tf.keras.layers
    if pad:
        inputs = layers.ZeroPadding2D(pad, name=f"pad{number}")(inputs)
    options: dict[str, Any] = {"activation": "relu", "name": f"conv{number}"}
    return layers.Conv2D(filters, kernel, stride, **options)(inputs)


def _pool_rounding_up(inputs: tf.Tensor, number: int) -> tf.Tensor:
    """Max-pool 3x3, stride 2, of ``ceil((S - 3) / 2) + 1`` outputs a side, Caffe's count."""
    layers = tf.keras.layers
    # With an odd rest the last window hangs over the edge; TensorFlow's `same` pads just there then, else not at all.
    padding = "same" if (inputs.shape[1] - 3) % 2 else "valid"
    return layers.MaxPool2D(3, 2, padding, name=f"pool{number}")(inputs)
