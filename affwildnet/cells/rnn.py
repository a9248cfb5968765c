"""The plain recurrent network of the thesis's background chapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="affwildnet")
class RNNCell(tf.keras.layers.Layer):
    """TensorFlow 1's BasicRNNCell: ``h' = tanh([x, h] W + b)``."""

    tf1_name = "basic_rnn_cell"

    def __init__(self, units: int, **keras_options: Any) -> None:
        super().__init__(**keras_options)
        self.units = units
        self.state_size = [units]
        self.output_size = units

    def build(self, input_shape: Any) -> None:
        width = tf.TensorShape(input_shape)[-1] + self.units
        self.kernel = self.add_weight(name="kernel", shape=(width, self.units), initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One frame: inputs (B, D), states [h] (B, units), in the compute dtype -> (h', [h'])."""
        (hidden,) = states
        hidden = tf.tanh(tf.matmul(tf.concat([inputs, hidden], axis=1), self.kernel) + self.bias)
        return hidden, [hidden]

    def tf1_weights(self) -> dict[str, tf.Variable]:
        """TensorFlow 1's names of the weights, within the cell's scope."""
        return {"kernel": self.kernel, "bias": self.bias}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}
