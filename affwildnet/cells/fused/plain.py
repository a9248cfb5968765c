"""The fused forms of the cells without gates: `RNNCell` and `IndRNNCell`."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from affwildnet.cells.fused.cell import CellWeights, transposed_product
from affwildnet.cells.indrnn import IndRNNCell
from affwildnet.cells.rnn import RNNCell


class FusedRNN:
    """projected is what tanh takes, U wide."""

    def __init__(self, cell: RNNCell) -> None:
        self.cell = cell
        self.units = cell.units
        self.state_widths = [self.units]
        self.saved_widths = [self.units] * 2

    def variables(self) -> list[tf.Variable]:
        return [self.cell.kernel, self.cell.bias]

    def sort_weights(self, weights: Sequence[tf.Tensor]) -> CellWeights:
        kernel, bias = weights
        inputs = kernel.shape[0] - self.units
        return CellWeights(kernel[:inputs], bias, [kernel[inputs:]])

    def join_gradients(self, gradients: CellWeights, weights: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        return [tf.concat([gradients.input_kernel, *gradients.recurrent], axis=0), gradients.bias]

    def step(
        self, projected: tf.Tensor, states: Sequence[tf.Tensor], recurrent: Sequence[tf.Tensor]
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        (hidden,), (kernel,) = states, recurrent
        new = tf.tanh(projected + tf.matmul(hidden, kernel))
        return [new], [hidden, new]

    def step_gradient(
        self, state_gradients: Sequence[tf.Tensor], saved: Sequence[tf.Tensor], transposed: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        (d_new,), (_, new), (kernel,) = state_gradients, saved, transposed
        d_projected = d_new * (1 - new * new)
        return d_projected, [tf.matmul(d_projected, kernel)]

    def recurrent_gradients(self, saved: Sequence[tf.Tensor], projected_gradient: tf.Tensor) -> list[tf.Tensor]:
        return [transposed_product(saved[0], projected_gradient)]


class FusedIndRNN:
    """projected is what relu takes, U wide; u is clipped once a call, and a clipped u gets no gradient."""

    def __init__(self, cell: IndRNNCell) -> None:
        self.cell = cell
        self.units = cell.units
        self.state_widths = [self.units]
        self.saved_widths = [self.units] * 2

    def variables(self) -> list[tf.Variable]:
        return [self.cell.input_kernel, self.cell.recurrent_kernel, self.cell.bias]

    def sort_weights(self, weights: Sequence[tf.Tensor]) -> CellWeights:
        kernel, recurrent, bias = weights
        return CellWeights(kernel, bias, [tf.clip_by_value(recurrent, -self.cell.limit, self.cell.limit)])

    def join_gradients(self, gradients: CellWeights, weights: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        inside = tf.cast(tf.abs(weights[1]) <= self.cell.limit, tf.float32)
        return [gradients.input_kernel, gradients.recurrent[0] * inside, gradients.bias]

    def step(
        self, projected: tf.Tensor, states: Sequence[tf.Tensor], recurrent: Sequence[tf.Tensor]
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        (hidden,), (scale,) = states, recurrent
        new = tf.nn.relu(projected + scale * hidden)
        return [new], [hidden, new]

    def step_gradient(
        self, state_gradients: Sequence[tf.Tensor], saved: Sequence[tf.Tensor], transposed: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        (d_new,), (_, new), (scale,) = state_gradients, saved, transposed
        d_projected = tf.where(new > 0, d_new, tf.zeros_like(d_new))
        return d_projected, [d_projected * scale]

    def recurrent_gradients(self, saved: Sequence[tf.Tensor], projected_gradient: tf.Tensor) -> list[tf.Tensor]:
        return [tf.reduce_sum(saved[0] * projected_gradient, axis=0)]
