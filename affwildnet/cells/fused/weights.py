"""An attention cell's weights by the part of the fused block that reads them, and their gradients put back in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from affwildnet.cells.attention import AttentionCell
from affwildnet.cells.fused.cell import CellWeights, FusedCell, transposed_product
from affwildnet.cells.fused.input import InputWeights
from affwildnet.cells.fused.loops import FrameLoops, LoopGradients, LoopWeights, Trace


class Weights(NamedTuple):
    """The cell's weights, sorted."""

    input: InputWeights
    cells: list[CellWeights]  # lowest first
    loop: LoopWeights  # `attention_kernel` is still W1a (A, D), not folded


def variables_of(cell: AttentionCell, cells: Sequence[FusedCell]) -> list[tf.Variable]:
    """All variables, in the order that `sort_weights` takes and `weight_gradients` gives."""
    own = [
        cell.input_kernel,
        cell.input_bias,
        cell.query_kernel,
        cell.query_bias,
        cell.window_kernel,
        cell.score,
        cell.output_kernel,
        cell.output_bias,
    ]
    return own + [variable for inner in cells for variable in inner.variables()]


def sort_weights(values: Sequence[tf.Tensor], cells: Sequence[FusedCell]) -> Weights:
    """The values of `variables_of` by their use."""
    kernel, bias, query_kernel, query_bias, window_kernel, score, output_kernel, output_bias = values[:8]
    sorted_cells = [cell.sort_weights(own) for cell, own in zip(cells, _values_by_cell(values[8:], cells), strict=True)]
    first, *upper = sorted_cells
    loop = LoopWeights(
        attention_kernel=kernel[kernel.shape[1] :],
        input_kernels=[cell.input_kernel for cell in upper],
        biases=[cell.bias for cell in upper],
        recurrent=[cell.recurrent for cell in sorted_cells],
        query_kernel=query_kernel,
        query_bias=query_bias,
        window_kernel=window_kernel[0, 0],
        score=score,
        output_kernel=output_kernel,
        output_bias=output_bias,
    )
    return Weights(InputWeights(kernel, bias, first.input_kernel, first.bias), sorted_cells, loop)


def weight_gradients(
    loops: FrameLoops,
    trace: Trace,
    found: LoopGradients,
    input_gradients: InputWeights,
    loop: LoopWeights,
    values: Sequence[tf.Tensor],
) -> list[tf.Tensor]:
    """Gradients of `variables_of`, in its order: one product over all frames for each weight.

    Args:
      loops: the loops that gave `trace` and `found`.
      input_gradients: those of W1, b1 and the first cell's input kernel and bias.
      loop: the weights of the loops.
      values: the values of `variables_of`.
    """
    saved, states, (attention, _, _) = loops.split_record(flatten_frames(trace.record))
    *d_projected, d_query, d_output, d_key = tf.split(flatten_frames(found.rows), loops.gradient_widths(loop), axis=1)
    d_output += tf.matmul(d_key, loop.window_kernel, transpose_b=True)
    all_keys = tf.concat([flatten_frames(found.keys), d_key], axis=0)
    own = [
        input_gradients.kernel,
        input_gradients.bias,
        transposed_product(tf.concat(states, axis=1), d_query),
        tf.reduce_sum(d_query, axis=0),
        transposed_product(flatten_frames(trace.outputs), all_keys)[tf.newaxis, tf.newaxis],
        found.score,
        transposed_product(tf.concat([states[-1], attention], axis=1), d_output),
        tf.reduce_sum(d_output, axis=0),
    ]
    below = [cell_states[-1] for cell_states in loops.split_states(states)]
    for i, (cell, own_values) in enumerate(zip(loops.cells, _values_by_cell(values[8:], loops.cells), strict=True)):
        recurrent = cell.recurrent_gradients(saved[i], d_projected[i])
        gradients = CellWeights(input_gradients.cell_kernel, input_gradients.cell_bias, recurrent)
        if i:
            kernel = transposed_product(below[i - 1], d_projected[i])
            gradients = CellWeights(kernel, tf.reduce_sum(d_projected[i], axis=0), recurrent)
        own += cell.join_gradients(gradients, own_values)
    return own


def flatten_frames(tensor: tf.Tensor) -> tf.Tensor:
    """(T, B, ·) -> (T * B, ·), and (B, T, ·) likewise."""
    return tf.reshape(tensor, [-1, tensor.shape[-1]])


def _values_by_cell(values: Sequence[tf.Tensor], cells: Sequence[FusedCell]) -> list[Sequence[tf.Tensor]]:
    counts = [len(cell.variables()) for cell in cells]
    return [values[sum(counts[:i]) : sum(counts[: i + 1])] for i in range(len(counts))]
