"""The independently recurrent network: each unit sees only its own past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="affwildnet")
class IndRNNCell(tf.keras.layers.Layer):
    """``h' = relu(x W + u*h + b)`` with |u| <= 2^(1/T) (SPEC.md, "Cell semantics"; Li et al., CVPR 2018).

    T, `frames`, is the length of the training sequences: within the bound no unit more than doubles over one. u is
    clipped as it is used, not as it is stored, and where it is clipped it gets no gradient, as in the original.

    Initial values: W uniform in ±0.001, b 0, u uniform in [0, 2^(1/T)]; in the last layer, whose units are to hold
    what they saw until the end, in [0.5^(1/T), 2^(1/T)].
    """

    tf1_name = "ind_rnn_cell"

    def __init__(self, units: int, frames: int = 80, last_layer: bool = True, **keras_options: Any) -> None:
        super().__init__(**keras_options)
        if frames < 1:
            raise ValueError(f"IndRNN's bound 2^(1/T) needs sequences of at least 1 frame, not {frames}")
        self.units = units
        self.frames = frames
        self.last_layer = last_layer
        self.limit: float = 2 ** (1 / frames)
        self.state_size = [units]
        self.output_size = units

    def build(self, input_shape: Any) -> None:
        width = tf.TensorShape(input_shape)[-1]
        smallest = 0.5 ** (1 / self.frames) if self.last_layer else 0.0
        self.input_kernel = self.add_weight(
            name="input_kernel",
            shape=(width, self.units),
            initializer=tf.keras.initializers.RandomUniform(-0.001, 0.001),
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units,),
            initializer=tf.keras.initializers.RandomUniform(smallest, self.limit),
        )
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One frame: inputs (B, D), states [h] (B, units), in the compute dtype -> (h', [h'])."""
        (hidden,) = states
        recurrent = tf.clip_by_value(self.recurrent_kernel, -self.limit, self.limit)
        hidden = tf.nn.relu(tf.matmul(inputs, self.input_kernel) + recurrent * hidden + self.bias)
        return hidden, [hidden]

    def tf1_weights(self) -> dict[str, tf.Variable]:
        """TensorFlow 1's names of the weights, within the cell's scope."""
        return {
            "input_kernel": self.input_kernel,
            "recurrent_kernel": self.recurrent_kernel,
            "bias": self.bias,
        }

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "frames": self.frames, "last_layer": self.last_layer}
        return {**super().get_config(), **own}
