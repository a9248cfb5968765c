"""TensorFlow 1's variable names of a backbone: the golden files' and the checkpoints', slim's and the author's."""

from __future__ import annotations

import tensorflow as tf


def tf1_weights(backbone: tf.keras.Model) -> dict[str, tf.Variable]:
    """TensorFlow 1's name of each weight, e.g. ``conv_1/weights`` or ``resnet_v1_50/conv1/BatchNorm/gamma``.

    Layers of the backbones in TensorFlow 1's layout (`vggface`, `resnet50`, `densenet…`) carry the variable scope as
    their name, so the variables' names follow.
    """
    named: dict[str, tf.Variable] = {}
    for layer in backbone.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            for part in ("gamma", "beta", "moving_mean", "moving_variance"):
                named[f"{layer.name}/{part}"] = getattr(layer, part)
        elif isinstance(layer, (tf.keras.layers.Conv2D, tf.keras.layers.Dense)):
            named[f"{layer.name}/weights"] = layer.kernel
            if layer.use_bias:
                named[f"{layer.name}/biases"] = layer.bias
    return named
