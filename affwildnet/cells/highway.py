"""The Highway wrapper: a cell whose output may be its input instead, as a gate decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="affwildnet")
class HighwayCell(tf.keras.layers.Layer):
    """TensorFlow 1's HighwayWrapper around `cell`: ``g = sigmoid(W x + b)``, output ``g*x + (1 - g)*out``.

    x is the cell's input, out its output, both of its width, so a linear layer goes before the first one
    (`RecurrentBlock.projection`). b starts at 1: a new layer mostly hands its input on (Srivastava et al., 2015).
    The state is the cell's own; the gate has no part in it.
    """

    # TensorFlow 1 put the gate's variables straight into the layer's scope, beside the cell's.
    tf1_name = ""
    keeps_width = True

    def __init__(self, cell: tf.keras.layers.Layer, **keras_options: Any) -> None:
        super().__init__(**keras_options)
        self.cell = cell
        self.units = cell.units
        self.state_size = cell.state_size
        self.output_size = cell.output_size

    def build(self, input_shape: Any) -> None:
        width = tf.TensorShape(input_shape)[-1]
        if width != self.output_size:
            raise ValueError(f"a Highway layer of {self.output_size} units takes inputs as wide as that, not {width}")
        with tf.name_scope(self.cell.name):
            self.cell.build((None, width))
        self.carry_kernel = self.add_weight(name="carry/kernel", shape=(width, width), initializer="glorot_uniform")
        self.carry_bias = self.add_weight(name="carry/bias", shape=(width,), initializer="ones")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One frame: inputs (B, units), the cell's states -> (outputs (B, units), the cell's new states)."""
        outputs, new_states = self.cell(inputs, states)
        carry = tf.sigmoid(tf.matmul(inputs, self.carry_kernel) + self.carry_bias)
        return carry * inputs + (1 - carry) * outputs, new_states

    def tf1_weights(self) -> dict[str, tf.Variable]:
        """TensorFlow 1's names of the weights, within the layer's scope."""
        named = {f"{self.cell.tf1_name}/{name}": weight for name, weight in self.cell.tf1_weights().items()}
        return {**named, "carry_w": self.carry_kernel, "carry_b": self.carry_bias}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cell": tf.keras.layers.serialize(self.cell)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> HighwayCell:
        return cls(**{**config, "cell": tf.keras.layers.deserialize(config["cell"])})
