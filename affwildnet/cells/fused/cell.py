"""What the fused attention block needs of a cell: one step, and its gradient by hand, from inputs projected already.

The block (`affwildnet/cells/fused_attention.py`) runs a cell on ``projected = inputs input_kernel + bias``, which for
the first cell is known for all frames before the loop begins. A further cell is one class like those in `gru.py` beside
this file and one entry in `FUSED_CELLS`. Shapes: batch B, units U, width of the projection P (GRU: 3 U).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import tensorflow as tf


class CellWeights(NamedTuple):
    """A cell's weights sorted by what they multiply, or the gradients of those."""

    input_kernel: tf.Tensor  # (inputs, P)
    bias: tf.Tensor  # (P,)
    recurrent: list[tf.Tensor]  # what multiplies the state: kernels (U, ·), diagonals (U,)


class FusedCell(Protocol):
    """A cell's arithmetic without its input product. The last of the states is the cell's output."""

    state_widths: list[int]
    saved_widths: list[int]

    def __init__(self, cell: tf.keras.layers.Layer) -> None: ...

    def variables(self) -> list[tf.Variable]:
        """The cell's variables, in the order that `sort_weights` takes and `join_gradients` gives."""
        ...

    def sort_weights(self, weights: Sequence[tf.Tensor]) -> CellWeights: ...

    def join_gradients(self, gradients: CellWeights, weights: Sequence[tf.Tensor]) -> list[tf.Tensor]: ...

    def step(
        self, projected: tf.Tensor, states: Sequence[tf.Tensor], recurrent: Sequence[tf.Tensor]
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """projected (B, P), states (B, ·) -> new states, and what the gradient needs of this step (B, saved_widths)."""
        ...

    def step_gradient(
        self, state_gradients: Sequence[tf.Tensor], saved: Sequence[tf.Tensor], transposed: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Gradients of the new states -> gradient of `projected`, gradients of the old states.

        `transposed` are the recurrent weights with every kernel transposed.
        """
        ...

    def recurrent_gradients(self, saved: Sequence[tf.Tensor], projected_gradient: tf.Tensor) -> list[tf.Tensor]:
        """Gradients of the recurrent weights from all steps at once: saved (B*T, ·), projected_gradient (B*T, P)."""
        ...


def transposed_product(rows: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    """``rowsᵀ gradient``: the gradient of a kernel from its inputs (N, D) and its product's gradient (N, P)."""
    return tf.matmul(rows, gradient, transpose_a=True)
