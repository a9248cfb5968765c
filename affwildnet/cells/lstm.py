"""Long short-term memory as TensorFlow 1 computes it, with peepholes (the thesis's networks) or without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

# TensorFlow 1 adds it in the cell, so that a new cell remembers although all its biases are 0.
FORGET_BIAS = 1.0


@tf.keras.utils.register_keras_serializable(package="affwildnet")
class LSTMCell(tf.keras.layers.Layer):
    """TensorFlow 1's ``LSTMCell(use_peepholes=peepholes)`` (SPEC.md, "Cell semantics").

    ``[i, j, f, o] = [x, h] W + b``, ``c' = sigmoid(f + 1 + w_f*c)*c + sigmoid(i + w_i*c)*tanh(j)``,
    ``h' = sigmoid(o + w_o*c')*tanh(c')``. Without peepholes w_i, w_f and w_o are 0 and no weights.

    The state is [c, h], in this order: the attention cell's query kernel depends on it.
    """

    tf1_name = "lstm_cell"

    def __init__(self, units: int, peepholes: bool = True, **keras_options: Any) -> None:
        super().__init__(**keras_options)
        self.units = units
        self.peepholes = peepholes
        self.state_size = [units, units]
        self.output_size = units

    def build(self, input_shape: Any) -> None:
        width = tf.TensorShape(input_shape)[-1] + self.units
        self.kernel = self.add_weight(name="kernel", shape=(width, 4 * self.units), initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(4 * self.units,), initializer="zeros")
        if self.peepholes:
            self.input_peephole, self.forget_peephole, self.output_peephole = (
                self.add_weight(name=name, shape=(self.units,), initializer="glorot_uniform")
                for name in ("w_i_diag", "w_f_diag", "w_o_diag")
            )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One frame.

        Args:
          inputs: (B, D) in the compute dtype.
          states: [c, h], each (B, units) in the compute dtype.

        Returns:
          (h', [c', h']), (B, units).
        """
        carry, hidden = states
        gates = tf.matmul(tf.concat([inputs, hidden], axis=1), self.kernel) + self.bias
        input_gate, candidate, forget_gate, output_gate = tf.split(gates, 4, axis=1)
        if self.peepholes:
            input_gate += self.input_peephole * carry
            forget_gate += self.forget_peephole * carry
        carry = tf.sigmoid(forget_gate + FORGET_BIAS) * carry + tf.sigmoid(input_gate) * tf.tanh(candidate)
        if self.peepholes:
            output_gate += self.output_peephole * carry
        hidden = tf.sigmoid(output_gate) * tf.tanh(carry)
        return hidden, [carry, hidden]

    def tf1_weights(self) -> dict[str, tf.Variable]:
        """TensorFlow 1's names of the weights, within the cell's scope."""
        named = {"kernel": self.kernel, "bias": self.bias}
        if self.peepholes:
            named["w_i_diag"] = self.input_peephole
            named["w_f_diag"] = self.forget_peephole
            named["w_o_diag"] = self.output_peephole
        return named

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "peepholes": self.peepholes}
