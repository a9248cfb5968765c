"""The fused form of `LSTMCell`, with peepholes or without."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from affwildnet.cells.fused.cell import CellWeights, transposed_product
from affwildnet.cells.lstm import FORGET_BIAS, LSTMCell


class FusedLSTM:
    """projected is [i, j, f, o], 4 U wide, the forget bias included."""

    def __init__(self, cell: LSTMCell) -> None:
        self.cell = cell
        self.units = cell.units
        self.state_widths = [self.units, self.units]
        self.saved_widths = [self.units] * 7

    def variables(self) -> list[tf.Variable]:
        cell = self.cell
        own = [cell.kernel, cell.bias]
        return [*own, cell.input_peephole, cell.forget_peephole, cell.output_peephole] if cell.peepholes else own

    def sort_weights(self, weights: Sequence[tf.Tensor]) -> CellWeights:
        kernel, bias, *peepholes = weights
        inputs = kernel.shape[0] - self.units
        forget = tf.concat([tf.zeros(2 * self.units), tf.fill([self.units], FORGET_BIAS), tf.zeros(self.units)], axis=0)
        return CellWeights(kernel[:inputs], bias + forget, [kernel[inputs:], *peepholes])

    def join_gradients(self, gradients: CellWeights, weights: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        recurrent, *peepholes = gradients.recurrent
        return [tf.concat([gradients.input_kernel, recurrent], axis=0), gradients.bias, *peepholes]

    def step(
        self, projected: tf.Tensor, states: Sequence[tf.Tensor], recurrent: Sequence[tf.Tensor]
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        old, hidden = states
        kernel, *peepholes = recurrent
        gates = tf.split(projected + tf.matmul(hidden, kernel), 4, axis=1)
        if peepholes:
            gates[0] += peepholes[0] * old
            gates[2] += peepholes[1] * old
        entry, candidate, forget = tf.sigmoid(gates[0]), tf.tanh(gates[1]), tf.sigmoid(gates[2])
        carry = forget * old + entry * candidate
        if peepholes:
            gates[3] += peepholes[2] * carry
        exit_ = tf.sigmoid(gates[3])
        return [carry, exit_ * tf.tanh(carry)], [old, hidden, entry, candidate, forget, exit_, carry]

    def step_gradient(
        self, state_gradients: Sequence[tf.Tensor], saved: Sequence[tf.Tensor], transposed: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        d_carry, d_hidden = state_gradients
        old, _, entry, candidate, forget, exit_, carry = saved
        kernel, *peepholes = transposed
        tanh = tf.tanh(carry)
        d_exit = d_hidden * tanh * exit_ * (1 - exit_)
        d_carry += d_hidden * exit_ * (1 - tanh * tanh)
        if peepholes:
            d_carry += d_exit * peepholes[2]
        d_entry = d_carry * candidate * entry * (1 - entry)
        d_candidate = d_carry * entry * (1 - candidate * candidate)
        d_forget = d_carry * old * forget * (1 - forget)
        d_old = d_carry * forget
        if peepholes:
            d_old += d_entry * peepholes[0] + d_forget * peepholes[1]
        d_projected = tf.concat([d_entry, d_candidate, d_forget, d_exit], axis=1)
        return d_projected, [d_old, tf.matmul(d_projected, kernel)]

    def recurrent_gradients(self, saved: Sequence[tf.Tensor], projected_gradient: tf.Tensor) -> list[tf.Tensor]:
        old, hidden, _, _, _, _, carry = saved
        kernel = transposed_product(hidden, projected_gradient)
        if not self.cell.peepholes:
            return [kernel]
        d_entry, _, d_forget, d_exit = tf.split(projected_gradient, 4, axis=1)
        pairs = [(old, d_entry), (old, d_forget), (carry, d_exit)]
        return [kernel, *(tf.reduce_sum(read * gradient, axis=0) for read, gradient in pairs)]
