"""The gated recurrent unit of TensorFlow 1, which the thesis's networks used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="affwildnet")
class GRUCell(tf.keras.layers.Layer):
    """TensorFlow 1's GRU cell (SPEC.md, "Cell semantics").

    ``[r, u] = sigmoid([x, h] W_g + b_g)``, ``c = tanh([x, r*h] W_c + b_c)``, ``h' = u*h + (1 - u)*c``.

    Keras's own GRU differs: it applies r after the recurrent product or keeps separate input and recurrent kernels in
    another gate order, and the paper's formula has no b_c. The author's scripts, and so his checkpoints, have this one.
    """

    tf1_name = "gru_cell"

    def __init__(self, units: int, **keras_options: Any) -> None:
        super().__init__(**keras_options)
        self.units = units
        self.state_size = [units]
        self.output_size = units

    def build(self, input_shape: Any) -> None:
        width = tf.TensorShape(input_shape)[-1] + self.units
        self.gates_kernel = self.add_weight(
            name="gates/kernel", shape=(width, 2 * self.units), initializer="glorot_uniform"
        )
        # Gates start half way to open, so that a new cell remembers rather than overwrites.
        self.gates_bias = self.add_weight(name="gates/bias", shape=(2 * self.units,), initializer="ones")
        self.candidate_kernel = self.add_weight(
            name="candidate/kernel", shape=(width, self.units), initializer="glorot_uniform"
        )
        self.candidate_bias = self.add_weight(name="candidate/bias", shape=(self.units,), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One frame.

        Args:
          inputs: (B, D) in the compute dtype.
          states: [h], (B, units) in the compute dtype.

        Returns:
          (h', [h']), (B, units).
        """
        (hidden,) = states
        gates = tf.sigmoid(tf.matmul(tf.concat([inputs, hidden], axis=1), self.gates_kernel) + self.gates_bias)
        reset, update = tf.split(gates, 2, axis=1)
        joined = tf.concat([inputs, reset * hidden], axis=1)
        candidate = tf.tanh(tf.matmul(joined, self.candidate_kernel) + self.candidate_bias)
        hidden = update * hidden + (1 - update) * candidate
        return hidden, [hidden]

    def tf1_weights(self) -> dict[str, tf.Variable]:
        """TensorFlow 1's names of the weights, within the cell's scope."""
        return {
            "gates/kernel": self.gates_kernel,
            "gates/bias": self.gates_bias,
            "candidate/kernel": self.candidate_kernel,
            "candidate/bias": self.candidate_bias,
        }

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}
