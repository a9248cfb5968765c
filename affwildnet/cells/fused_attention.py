"""The recurrent block with attention in fused form: the literal cell's weights and numbers, many times as fast.

As `AttentionCell` is written, every frame multiplies ``[x, attention]`` by a (4608 + 128, 4608) matrix. But x' is read
by nothing except the first cell's input kernel G, linearly (the GRU's candidate, too, reads [x', r*h]), so
``x' G = x (W1x G) + attention (W1a G) + b1 G``: the part of x goes ahead of the loop for all frames, the part of the
attention vector is one small matrix, and the loop touches tensors of 128 to 384 columns. The window is kept projected.
The gradient of the whole block is written by hand: automatic differentiation pads and adds W1's gradient in pieces of
87 MB. Only the two loops are compiled by XLA.

`attention_trials.md` (two GRUs of 128, window 30, D = 4608, B = 2, T = 80): training step 1157 -> 67 ms, forward
274 -> 24 ms, 5-6 ms with the weights' products kept (`FusedAttention.fold`); outputs agree to 8e-7, gradients to 4e-6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from affwildnet.cells.attention import AttentionCell
from affwildnet.cells.fused import FUSED_CELLS
from affwildnet.cells.fused.cell import FusedCell
from affwildnet.cells.fused.input import fold_attention, input_gradient, input_weight_gradients, project_input
from affwildnet.cells.fused.loops import FrameLoops, LoopWeights, Trace
from affwildnet.cells.fused.weights import flatten_frames, sort_weights, variables_of, weight_gradients
from affwildnet.cells.stack import CellStack


def fusible(cell: tf.keras.layers.Layer) -> bool:
    """Whether `FusedAttention` can run `cell`: attention over a stack of cells it knows, in float32, with XLA."""
    return (
        type(cell) is AttentionCell
        and type(cell.cell) is CellStack
        and all(type(inner) in FUSED_CELLS for inner in cell.cell.cells)
        and cell.compute_dtype == cell.variable_dtype == "float32"
        and tf.test.is_built_with_xla()
    )


class FoldedWeights(NamedTuple):
    """What is left of the weights where they are fixed: the large kernel is D x P in place of (D + A) x D."""

    kernel: tf.Tensor  # W1x G (D, P)
    bias: tf.Tensor  # b1 G + b (P,)
    loop: LoopWeights


class FusedAttention:
    """Runs a built `AttentionCell` over whole sequences; `fusible` says whether it can.

    States are the cell's own: those of the stack, the attention vector (B, A), the flat window (B, L * A). XLA compiles
    every new pair of batch and length once, for 1-2 s. There is no second derivative.
    """

    def __init__(self, cell: AttentionCell) -> None:
        self.cells: list[FusedCell] = [FUSED_CELLS[type(inner)](inner) for inner in cell.cell.cells]
        self.variables = variables_of(cell, self.cells)
        self.loops = FrameLoops(self.cells, cell.attn_length, cell.output_size)
        self._forward = tf.function(self.loops.forward, jit_compile=True)
        self._backward = tf.function(self.loops.backward, jit_compile=True)

    def __call__(self, inputs: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """inputs (B, T, D) and the initial state -> outputs (B, T, A), the state after the last frame."""
        count = len(states)

        @tf.custom_gradient
        def run(*tensors: tf.Tensor) -> Any:
            # Else a tape would have XLA keep every step's values a second time, for an automatic gradient.
            inputs, *rest = (tf.stop_gradient(tensor) for tensor in tensors)
            return self._run(inputs, rest[:count], rest[count:])

        outputs, *final = run(inputs, *states, *self._values())
        return outputs, final

    def fold(self) -> FoldedWeights:
        """The weights as they are now, for `run_folded`. 16 GFLOP at the thesis's sizes: where many calls follow."""
        weights = sort_weights(self._values(), self.cells)
        attention_kernel, bias = fold_attention(weights.input)
        kernel = tf.matmul(weights.input.kernel[: weights.input.width], weights.input.cell_kernel)
        return FoldedWeights(kernel, bias, weights.loop._replace(attention_kernel=attention_kernel))

    def run_folded(
        self, inputs: tf.Tensor, states: Sequence[tf.Tensor], folded: FoldedWeights
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """As a call, with weights that are folded already; without a gradient."""
        projected = tf.matmul(flatten_frames(inputs), folded.kernel) + folded.bias
        trace = self._forward(_frames_first(projected, inputs), *self._loop_state(states), folded.loop)
        outputs, *final = self._results(trace)
        return outputs, final

    def _values(self) -> list[tf.Tensor]:
        return [tf.convert_to_tensor(variable) for variable in self.variables]

    def _run(self, inputs: tf.Tensor, states: Sequence[tf.Tensor], values: Sequence[tf.Tensor]) -> Any:
        """-> [outputs, *final states], and the function of their gradients."""
        weights = sort_weights(values, self.cells)
        attention_kernel, bias = fold_attention(weights.input)
        loop = weights.loop._replace(attention_kernel=attention_kernel)
        rows = flatten_frames(inputs)
        projected, projection = project_input(rows, weights.input)
        trace = self._forward(_frames_first(projected + bias, inputs), *self._loop_state(states), loop)

        def gradient(d_outputs: tf.Tensor, *d_final: tf.Tensor) -> list[tf.Tensor]:
            *d_states, d_attention, d_window = d_final
            # Of first window and outputs, (L + T, B, A): what asks for the final window asks for its newest L entries.
            d_all = tf.pad(_swap(d_outputs), [[self.loops.attn_length, 0], [0, 0], [0, 0]])
            d_all += tf.pad(self._window(d_window), [[tf.shape(inputs)[1], 0], [0, 0], [0, 0]])
            d_first, d_outputs = d_all[: self.loops.attn_length], d_all[self.loops.attn_length :]
            found = self._backward(trace, d_outputs, d_states, d_attention, loop)

            width = loop.attention_kernel.shape[1]
            d_projected = flatten_frames(_swap(found.rows[:, :, :width]))
            attention = flatten_frames(_swap(self._attention_before(trace, states[-2])))
            d_input = input_weight_gradients(d_projected, rows, attention, weights.input, projection)
            d_first += found.window + tf.matmul(found.keys, loop.window_kernel, transpose_b=True)
            return [
                tf.reshape(input_gradient(d_projected, rows, weights.input, projection), tf.shape(inputs)),
                *found.states,
                found.attention,
                tf.reshape(_swap(d_first), tf.shape(d_window)),
                *weight_gradients(self.loops, trace, found, d_input, loop, values),
            ]

        return self._results(trace), gradient

    def _loop_state(self, states: Sequence[tf.Tensor]) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """The cell's state as the loops take it: states of the stack, attention vector, window (L, B, A)."""
        *stack, attention, flat_window = states
        return list(stack), attention, self._window(flat_window)

    def _window(self, flat: tf.Tensor) -> tf.Tensor:
        """(B, L * A) -> (L, B, A)."""
        return _swap(tf.reshape(flat, [-1, self.loops.attn_length, self.loops.output_size]))

    def _attention_before(self, trace: Trace, initial: tf.Tensor) -> tf.Tensor:
        """The attention vector that each frame read, (T, B, A): the frame before's."""
        _, _, (attention, _, _) = self.loops.split_record(trace.record)
        return tf.concat([initial[tf.newaxis], attention[:-1]], axis=0)

    def _results(self, trace: Trace) -> list[tf.Tensor]:
        """[outputs (B, T, A), *final states]."""
        length, size = self.loops.attn_length, self.loops.output_size
        _, states, (attention, _, _) = self.loops.split_record(trace.record[-1])
        window = tf.reshape(_swap(trace.outputs[-length:]), [-1, length * size])
        return [_swap(trace.outputs[length:]), *states, attention, window]


def _swap(tensor: tf.Tensor) -> tf.Tensor:
    """(B, T, ·) <-> (T, B, ·)."""
    return tf.transpose(tensor, [1, 0, 2])


def _frames_first(rows: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
    """Rows (B * T, P) of the frames of inputs (B, T, D) -> (T, B, P)."""
    shape = tf.shape(inputs)
    return _swap(tf.reshape(rows, [shape[0], shape[1], rows.shape[-1]]))
