"""ResNet-50 version 1 in TensorFlow-slim's layout, the thesis's; it differs from Keras's (SPEC.md)."""

from __future__ import annotations

import tensorflow as tf

SCOPE = "resnet_v1_50"
# Block: width of the 3x3 convolution, units, stride of the last unit.
BLOCKS = ((64, 3, 2), (128, 4, 2), (256, 6, 2), (512, 3, 1))


def resnet50(input_size: int = 96) -> tf.keras.Model:
    """slim's `resnet_v1_50` without logits: (N, S, S, 3) -> the global average pool, (N, 2048).

    The stride of blocks 1 to 3 stands in the 3x3 convolution of the last unit, so at 96 pixels the blocks end at 12, 6,
    3 and 3. Layers carry slim's names, from which `tf1_weights` makes the variables'.
    """
    layers = tf.keras.layers
    faces = x = tf.keras.Input((input_size, input_size, 3), name="faces")
    x = _convolution(x, 64, 7, 2, f"{SCOPE}/conv1")
    x = layers.ReLU(name=f"{SCOPE}/conv1/relu")(x)
    x = layers.MaxPool2D(3, 2, padding="same", name=f"{SCOPE}/pool1")(x)
    for block, (width, units, last_stride) in enumerate(BLOCKS, start=1):
        for unit in range(1, units + 1):
            stride = last_stride if unit == units else 1
            x = _bottleneck(x, width, stride, f"{SCOPE}/block{block}/unit_{unit}/bottleneck_v1")
    return tf.keras.Model(faces, layers.GlobalAveragePooling2D(name="features")(x), name="resnet50")


def _bottleneck(inputs: tf.Tensor, width: int, stride: int, name: str) -> tf.Tensor:
    """1x1, 3x3 with the stride, 1x1 to four times the width; (N, S, S, C) -> (N, S / stride, S / stride, 4 width)."""
    layers = tf.keras.layers
    shortcut = inputs
    if inputs.shape[-1] != 4 * width:
        shortcut = _convolution(inputs, 4 * width, 1, stride, f"{name}/shortcut")
    elif stride > 1:
        # A 1x1 max-pool is slim's way to take every stride-th pixel.
        shortcut = layers.MaxPool2D(1, stride, name=f"{name}/shortcut")(inputs)
    x = layers.ReLU(name=f"{name}/conv1/relu")(_convolution(inputs, width, 1, 1, f"{name}/conv1"))
    x = layers.ReLU(name=f"{name}/conv2/relu")(_convolution(x, width, 3, stride, f"{name}/conv2"))
    x = _convolution(x, 4 * width, 1, 1, f"{name}/conv3")
    return layers.ReLU(name=f"{name}/relu")(layers.Add(name=f"{name}/add")([shortcut, x]))


def _convolution(inputs: tf.Tensor, filters: int, kernel: int, stride: int, name: str) -> tf.Tensor:
    """Convolution without bias, padded as slim's `conv2d_same` does, and batch norm; no activation."""
    layers = tf.keras.layers
    padding = "same"
    if stride > 1 and kernel > 1:
        # SAME would pad by the input's size; slim pads k - 1 in all, the smaller half first, whatever the size.
        before = (kernel - 1) // 2
        after = kernel - 1 - before
        inputs = layers.ZeroPadding2D(((before, after), (before, after)), name=f"{name}/pad")(inputs)
        padding = "valid"
    initializer = tf.keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")
    x = layers.Conv2D(
        filters, kernel, stride, padding=padding, use_bias=False, kernel_initializer=initializer, name=name
    )(inputs)
    return layers.BatchNormalization(momentum=0.997, epsilon=1e-5, name=f"{name}/BatchNorm")(x)
