"""The fused form of `GRUCell`."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from affwildnet.cells.fused.cell import CellWeights, transposed_product
from affwildnet.cells.gru import GRUCell


class FusedGRU:
    """`GRUCell`: projected is [r, u, c], 3 U wide; its candidate reads [x, r*h], so x enters all three linearly."""

    def __init__(self, cell: GRUCell) -> None:
        self.cell = cell
        self.units = cell.units
        self.state_widths = [self.units]
        self.saved_widths = [self.units] * 4

    def variables(self) -> list[tf.Variable]:
        cell = self.cell
        return [cell.gates_kernel, cell.gates_bias, cell.candidate_kernel, cell.candidate_bias]

    def sort_weights(self, weights: Sequence[tf.Tensor]) -> CellWeights:
        gates_kernel, gates_bias, candidate_kernel, candidate_bias = weights
        inputs = gates_kernel.shape[0] - self.units
        return CellWeights(
            tf.concat([gates_kernel[:inputs], candidate_kernel[:inputs]], axis=1),
            tf.concat([gates_bias, candidate_bias], axis=0),
            [gates_kernel[inputs:], candidate_kernel[inputs:]],
        )

    def join_gradients(self, gradients: CellWeights, weights: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        gates, candidate = gradients.recurrent
        wide = 2 * self.units
        return [
            tf.concat([gradients.input_kernel[:, :wide], gates], axis=0),
            gradients.bias[:wide],
            tf.concat([gradients.input_kernel[:, wide:], candidate], axis=0),
            gradients.bias[wide:],
        ]

    def step(
        self, projected: tf.Tensor, states: Sequence[tf.Tensor], recurrent: Sequence[tf.Tensor]
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        (hidden,) = states
        gates_kernel, candidate_kernel = recurrent
        wide = 2 * self.units
        gates = tf.sigmoid(projected[:, :wide] + tf.matmul(hidden, gates_kernel))
        reset, update = tf.split(gates, 2, axis=1)
        candidate = tf.tanh(projected[:, wide:] + tf.matmul(reset * hidden, candidate_kernel))
        return [update * hidden + (1 - update) * candidate], [hidden, reset, update, candidate]

    def step_gradient(
        self, state_gradients: Sequence[tf.Tensor], saved: Sequence[tf.Tensor], transposed: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        (d_new,) = state_gradients
        hidden, reset, update, candidate = saved
        gates_kernel, candidate_kernel = transposed
        d_candidate = d_new * (1 - update) * (1 - candidate * candidate)
        d_update = d_new * (hidden - candidate) * update * (1 - update)
        d_kept = tf.matmul(d_candidate, candidate_kernel)  # the gradient of reset * hidden
        d_reset = d_kept * hidden * reset * (1 - reset)
        d_gates = tf.concat([d_reset, d_update], axis=1)
        d_hidden = d_new * update + d_kept * reset + tf.matmul(d_gates, gates_kernel)
        return tf.concat([d_gates, d_candidate], axis=1), [d_hidden]

    def recurrent_gradients(self, saved: Sequence[tf.Tensor], projected_gradient: tf.Tensor) -> list[tf.Tensor]:
        hidden, reset, _, _ = saved
        wide = 2 * self.units
        return [
            transposed_product(hidden, projected_gradient[:, :wide]),
            transposed_product(reset * hidden, projected_gradient[:, wide:]),
        ]
