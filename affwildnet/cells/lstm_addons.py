"""The peephole LSTM through tensorflow-addons' cell, with TensorFlow 1's weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from affwildnet.cells.lstm import FORGET_BIAS
from affwildnet.compat import import_addons

# Addons orders the gates i, f, j, o, TensorFlow 1 i, j, f, o: exchanging the middle two turns either into the other.
_EXCHANGED_GATES = (0, 2, 1, 3)


@tf.keras.utils.register_keras_serializable(package="affwildnet")
class AddonsLSTMCell(tf.keras.layers.Layer):
    """tensorflow-addons' ``rnn.PeepholeLSTMCell``, which computes what `LSTMCell` here does, as a check on it.

    The weights are addons' own: separate kernels for input and recurrence, other gate order, and the forget bias of 1
    part of the bias where TensorFlow 1 adds it in the cell. `tf1_weights` shows them in TensorFlow 1's form. Initial
    values are TensorFlow 1's, too, not addons' (which starts the recurrent kernel orthogonal).

    The state is [c, h] as in `LSTMCell`, not addons' [h, c].
    """

    tf1_name = "lstm_cell"

    def __init__(self, units: int, **keras_options: Any) -> None:
        super().__init__(**keras_options)
        self._addons, missing = import_addons()
        if self._addons is None:
            raise ValueError(f"the cell 'lstm_addons' cannot be built: {missing}; the cell 'lstm' computes the same")
        self.units = units
        self.state_size = [units, units]
        self.output_size = units

    def build(self, input_shape: Any) -> None:
        inputs = tf.TensorShape(input_shape)[-1]
        # Glorot's limit for the one kernel of TensorFlow 1, (inputs + units, 4 * units).
        limit = math.sqrt(6 / (inputs + 5 * self.units))

        def initial_kernel(shape: Sequence[int], dtype: Any = None, **options: Any) -> tf.Tensor:
            # Addons starts its peepholes, which have one dimension, by the input kernel's initializer. An initializer
            # is made for each weight, because an unseeded one gives the same values every time.
            if len(shape) == 1:
                return tf.keras.initializers.GlorotUniform()(shape, dtype=dtype)
            return tf.keras.initializers.RandomUniform(-limit, limit)(shape, dtype=dtype)

        assert self._addons is not None
        self.cell = self._addons.rnn.PeepholeLSTMCell(
            self.units,
            kernel_initializer=initial_kernel,
            recurrent_initializer=initial_kernel,
            name="peephole_lstm_cell",
            dtype=self._dtype_policy,
        )
        with tf.name_scope(self.cell.name):
            self.cell.build((None, inputs))
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One frame: inputs (B, D), states [c, h], each (B, units), in the compute dtype -> (h', [c', h'])."""
        carry, hidden = states
        outputs, (hidden, carry) = self.cell(inputs, [hidden, carry])
        return outputs, [carry, hidden]

    def tf1_weights(self) -> dict[str, Any]:
        """TensorFlow 1's names of the weights; kernel and bias are kept in another form, see `AddonsKernel`."""
        return {
            "kernel": AddonsKernel(self.cell),
            "bias": AddonsBias(self.cell),
            "w_i_diag": self.cell.input_gate_peephole_weights,
            "w_f_diag": self.cell.forget_gate_peephole_weights,
            "w_o_diag": self.cell.output_gate_peephole_weights,
        }

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def _exchange_gates(array: np.ndarray) -> np.ndarray:
    """An array (..., 4 * units) in the other package's order of gates."""
    gates = np.split(array, 4, axis=-1)
    return np.concatenate([gates[gate] for gate in _EXCHANGED_GATES], axis=-1)


@dataclasses.dataclass(frozen=True)
class AddonsKernel:
    """TensorFlow 1's kernel (D + units, 4 * units) kept as addons' two; read and set like a variable."""

    cell: tf.keras.layers.Layer

    @property
    def shape(self) -> tf.TensorShape:
        inputs, gates = self.cell.kernel.shape
        return tf.TensorShape([inputs + self.cell.units, gates])

    def numpy(self) -> np.ndarray:
        kernels = [self.cell.kernel.numpy(), self.cell.recurrent_kernel.numpy()]
        return _exchange_gates(np.concatenate(kernels, axis=0))

    def assign(self, array: np.ndarray) -> None:
        kernel, recurrent_kernel = np.split(_exchange_gates(np.asarray(array)), [self.cell.kernel.shape[0]], axis=0)
        self.cell.kernel.assign(kernel)
        self.cell.recurrent_kernel.assign(recurrent_kernel)


@dataclasses.dataclass(frozen=True)
class AddonsBias:
    """TensorFlow 1's bias (4 * units), without the forget bias that addons' includes; read and set like a variable."""

    cell: tf.keras.layers.Layer

    @property
    def shape(self) -> tf.TensorShape:
        return self.cell.bias.shape

    def _forget_bias(self) -> np.ndarray:
        return np.repeat([0, FORGET_BIAS, 0, 0], self.cell.units)

    def numpy(self) -> np.ndarray:
        bias = self.cell.bias.numpy()
        return _exchange_gates((bias - self._forget_bias()).astype(bias.dtype))

    def assign(self, array: np.ndarray) -> None:
        self.cell.bias.assign(_exchange_gates(np.asarray(array)) + self._forget_bias())
