"""DenseNets in the layout of pudae/tensorflow-densenet, written with slim: the thesis's (SPEC.md)."""

from __future__ import annotations

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Shape:
    """Growth rate, filters of the first convolution, and convolution blocks of each dense block."""

    growth: int
    first: int
    blocks: tuple[int, int, int, int]


SHAPES = {
    "densenet121": Shape(32, 64, (6, 12, 24, 16)),
    "densenet161": Shape(48, 96, (6, 12, 36, 24)),
    "densenet169": Shape(32, 64, (6, 12, 32, 32)),
}


def densenet121(input_size: int = 96) -> tf.keras.Model:
    """(N, S, S, 3) -> the global average pool, (N, 1024)."""
    return _densenet("densenet121", input_size)


def densenet161(input_size: int = 96) -> tf.keras.Model:
    """(N, S, S, 3) -> the global average pool, (N, 2208)."""
    return _densenet("densenet161", input_size)


def densenet169(input_size: int = 96) -> tf.keras.Model:
    """(N, S, S, 3) -> the global average pool, (N, 1664)."""
    return _densenet("densenet169", input_size)


def _densenet(name: str, input_size: int) -> tf.keras.Model:
    """The network `name`; its first convolution and pool are padded `SAME`, which is lop-sided at 96 pixels."""
    layers, shape = tf.keras.layers, SHAPES[name]
    faces = tf.keras.Input((input_size, input_size, 3), name="faces")
    x = _convolution(faces, shape.first, 7, 2, f"{name}/conv1")
    x = _norm_relu(x, name)
    x = layers.MaxPool2D(3, 2, padding="same", name=f"{name}/pool1")(x)
    for block, count in enumerate(shape.blocks, start=1):
        for k in range(1, count + 1):
            x = _convolution_block(x, shape.growth, f"{name}/dense_block{block}/conv_block{k}")
        if block < len(shape.blocks):
            x = _transition(x, f"{name}/transition_block{block}/blk")
    x = _norm_relu(x, f"{name}/final_block")
    return tf.keras.Model(faces, layers.GlobalAveragePooling2D(name="features")(x), name=name)


def _convolution_block(inputs: tf.Tensor, growth: int, name: str) -> tf.Tensor:
    """Norm, ReLU, 1x1 to four times the growth, norm, ReLU, 3x3 to the growth; joined behind the inputs' channels."""
    x = _convolution(_norm_relu(inputs, f"{name}/x1"), 4 * growth, 1, 1, f"{name}/x1/Conv")
    x = _convolution(_norm_relu(x, f"{name}/x2"), growth, 3, 1, f"{name}/x2/Conv")
    return tf.keras.layers.Concatenate(name=f"{name}/concat")([inputs, x])


def _transition(inputs: tf.Tensor, name: str) -> tf.Tensor:
    """Norm, ReLU, 1x1 to half the channels, average pool 2x2."""
    x = _convolution(_norm_relu(inputs, name), inputs.shape[-1] // 2, 1, 1, f"{name}/Conv")
    return tf.keras.layers.AveragePooling2D(2, 2, name=f"{name}/pool")(x)


def _norm_relu(inputs: tf.Tensor, name: str) -> tf.Tensor:
    x = tf.keras.layers.BatchNormalization(momentum=0.99, epsilon=1.1e-5, name=f"{name}/BatchNorm")(inputs)
    return tf.keras.layers.ReLU(name=f"{name}/relu")(x)


def _convolution(inputs: tf.Tensor, filters: int, kernel: int, stride: int, name: str) -> tf.Tensor:
    layer = tf.keras.layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=name)
    return layer(inputs)
