"""The Residual wrapper: a cell whose input is added to its output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="affwildnet")
class ResidualCell(tf.keras.layers.Layer):
    """TensorFlow 1's ResidualWrapper around `cell`: its output plus its input, which must be as wide.

    So a linear layer goes before the first one (`RecurrentBlock.projection`). It has no weights or state of its own.
    """

    # TensorFlow 1 put the cell's scope straight into the layer's.
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
            raise ValueError(f"a Residual layer of {self.output_size} units takes inputs as wide as that, not {width}")
        with tf.name_scope(self.cell.name):
            self.cell.build((None, width))
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One frame: inputs (B, units), the cell's states -> (outputs (B, units), the cell's new states)."""
        outputs, new_states = self.cell(inputs, states)
        return inputs + outputs, new_states

    def tf1_weights(self) -> dict[str, tf.Variable]:
        """TensorFlow 1's names of the weights, within the layer's scope."""
        return {f"{self.cell.tf1_name}/{name}": weight for name, weight in self.cell.tf1_weights().items()}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cell": tf.keras.layers.serialize(self.cell)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ResidualCell:
        return cls(**{**config, "cell": tf.keras.layers.deserialize(config["cell"])})
