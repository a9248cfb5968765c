"""The two loops of the fused attention block, over frames forward and back; they touch tensors P wide at most.

Shapes: batch B, frames T, window L, output width A, first cell's projection P. Everything is frames first. The loops
are written for XLA, which makes one program of each: as TensorFlow loops the step costs 82 ms in place of 67, and with
the large products in XLA too 98 (`attention_trials.md`, training step at B = 2, T = 80).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from affwildnet.cells.fused.cell import FusedCell


class LoopWeights(NamedTuple):
    """What a step multiplies. `recurrent` has an entry a cell; `input_kernels`, `biases` one a cell above the first."""

    attention_kernel: tf.Tensor  # (A, P), the attention vector's way into the first cell
    input_kernels: list[tf.Tensor]
    biases: list[tf.Tensor]
    recurrent: list[list[tf.Tensor]]
    query_kernel: tf.Tensor  # (all state widths, A)
    query_bias: tf.Tensor  # (A,)
    window_kernel: tf.Tensor  # (A, A), k
    score: tf.Tensor  # (A,), v
    output_kernel: tf.Tensor  # (2 A, A)
    output_bias: tf.Tensor  # (A,)


class Trace(NamedTuple):
    """Every step's values, for outputs, final state and the backward loop."""

    record: tf.Tensor  # (T, B, ·): each cell's saved values, new states, attention vector, query, softmax weights
    outputs: tf.Tensor  # (L + T, B, A): the first window, then the outputs
    keys: tf.Tensor  # (L + T, B, A): the same times k


class LoopGradients(NamedTuple):
    """What the backward loop leaves, for products over all steps at once."""

    rows: tf.Tensor  # (T, B, ·): gradients of each cell's projection, of query, output, key
    states: list[tf.Tensor]  # of the initial states, (B, ·)
    attention: tf.Tensor  # of the initial attention vector, (B, A)
    window: tf.Tensor  # of the initial window (L, B, A), but for what went through its keys
    keys: tf.Tensor  # of the initial window's keys (L, B, A)
    score: tf.Tensor  # (A,)


class FrameLoops:
    """Both loops for one stack of cells."""

    def __init__(self, cells: Sequence[FusedCell], attn_length: int, output_size: int) -> None:
        self.cells = list(cells)
        self.attn_length = attn_length
        self.output_size = output_size
        self.state_widths = [width for cell in cells for width in cell.state_widths]
        self.saved_widths = [width for cell in cells for width in cell.saved_widths]
        self.record_widths = [*self.saved_widths, *self.state_widths, output_size, output_size, attn_length]

    def split_record(self, record: tf.Tensor) -> tuple[list[list[tf.Tensor]], list[tf.Tensor], list[tf.Tensor]]:
        """Rows of `Trace.record` -> saved values by cell, new states, [attention vector, query, softmax weights]."""
        parts = tf.split(record, self.record_widths, axis=-1)
        saved = self._by_cell(parts, [len(cell.saved_widths) for cell in self.cells])
        rest = parts[len(self.saved_widths) :]
        return saved, rest[: len(self.state_widths)], rest[len(self.state_widths) :]

    def split_states(self, states: Sequence[tf.Tensor]) -> list[list[tf.Tensor]]:
        """The flat list of states by cell."""
        return self._by_cell(states, [len(cell.state_widths) for cell in self.cells])

    @staticmethod
    def _by_cell(tensors: Sequence[tf.Tensor], counts: Sequence[int]) -> list[list[tf.Tensor]]:
        ends = [sum(counts[: i + 1]) for i in range(len(counts))]
        return [list(tensors[end - count : end]) for end, count in zip(ends, counts, strict=True)]

    def forward(
        self,
        projected: tf.Tensor,
        states: list[tf.Tensor],
        attention: tf.Tensor,
        window: tf.Tensor,
        weights: LoopWeights,
    ) -> Trace:
        """projected (T, B, P), states each (B, ·), attention (B, A), window (L, B, A) -> every step's values."""
        shape = tf.shape(projected)
        frames, batch = shape[0], shape[1]
        empty = tf.zeros([frames, batch, self.output_size])
        initial_keys = tf.einsum("lba,ac->lbc", window, weights.window_kernel)
        # One buffer for the past and what comes: a step reads L entries of it and writes the next, in place under XLA.
        outputs = _array(tf.concat([window, empty], axis=0))
        keys = _array(tf.concat([initial_keys, empty], axis=0))
        record = _array(tf.zeros([frames, batch, sum(self.record_widths)]))
        output_kernel = _with_keys(weights.output_kernel, weights.window_kernel)
        bias_key = tf.linalg.matvec(weights.window_kernel, weights.output_bias, transpose_a=True)
        output_bias = tf.concat([weights.output_bias, bias_key], axis=0)

        def step(t, states, attention, outputs, keys, record):  # type: ignore[no-untyped-def]
            pre = projected[t] + tf.matmul(attention, weights.attention_kernel)
            saved, states = self._stack(pre, states, weights)
            query = tf.matmul(tf.concat(states, axis=1), weights.query_kernel) + weights.query_bias
            window_keys = self._window(keys, t)
            scores = tf.einsum("lba,a->lb", tf.tanh(window_keys + query), weights.score)
            shares = tf.nn.softmax(scores, axis=0)
            attention = tf.reduce_sum(shares[:, :, tf.newaxis] * self._window(outputs, t), axis=0)
            both = tf.matmul(tf.concat([states[-1], attention], axis=1), output_kernel) + output_bias
            row = tf.concat([*saved, *states, attention, query, tf.transpose(shares)], axis=1)
            outputs = outputs.write(t + self.attn_length, both[:, : self.output_size])
            keys = keys.write(t + self.attn_length, both[:, self.output_size :])
            return t + 1, states, attention, outputs, keys, record.write(t, row)

        start = (tf.constant(0), states, attention, outputs, keys, record)
        *_, outputs, keys, record = tf.while_loop(lambda t, *_: t < frames, step, start)
        return Trace(record.stack(), outputs.stack(), keys.stack())

    def _stack(
        self, projected: tf.Tensor, states: list[tf.Tensor], weights: LoopWeights
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """One frame through the cells: -> what their gradients need, new states, both as flat lists."""
        saved: list[tf.Tensor] = []
        new_states: list[tf.Tensor] = []
        for i, (cell, old) in enumerate(zip(self.cells, self.split_states(states), strict=True)):
            if i:
                projected = tf.matmul(new_states[-1], weights.input_kernels[i - 1]) + weights.biases[i - 1]
            new, kept = cell.step(projected, old, weights.recurrent[i])
            new_states += new
            saved += kept
        return saved, new_states

    def _window(self, array: tf.TensorArray, t: tf.Tensor) -> tf.Tensor:
        """The L entries that frame t sees, (L, B, A). Under XLA `stack` is the array itself, without a copy."""
        stacked = array.stack()
        return tf.slice(stacked, [t, 0, 0], [self.attn_length, tf.shape(stacked)[1], self.output_size])

    def backward(
        self,
        trace: Trace,
        d_outputs: tf.Tensor,
        d_states: list[tf.Tensor],
        d_attention: tf.Tensor,
        weights: LoopWeights,
    ) -> LoopGradients:
        """The gradient of `forward`.

        Args:
          trace: what `forward` returned.
          d_outputs: (T, B, A), gradients of the outputs, those of the final window's entries included.
          d_states, d_attention: gradients of the final states, each (B, ·), and of the final attention vector.
          weights: as `forward` had them.
        """
        turned = _transpose(weights)
        frames, length = tf.shape(trace.record)[0], self.attn_length
        rows = _array(tf.zeros([frames, tf.shape(trace.record)[1], sum(self.gradient_widths(weights))]))

        def step(t, d_states, d_attention, d_window, d_keys, d_score, rows):  # type: ignore[no-untyped-def]
            # No earlier frame reads frame t's output, the window's newest entry here: its gradient is complete.
            d_output, d_key = d_outputs[t] + d_window[-1], d_keys[-1]
            saved, _, (_, query, shares) = self.split_record(trace.record[t])
            shares = tf.transpose(shares)[:, :, tf.newaxis]
            d_both = tf.matmul(tf.concat([d_output, d_key], axis=1), turned.output_kernel)
            d_attention += d_both[:, self.output_size :]

            tanh = tf.tanh(trace.keys[t : t + length] + query)
            d_shares = tf.reduce_sum(trace.outputs[t : t + length] * d_attention, axis=2, keepdims=True)
            d_scores = shares * (d_shares - tf.reduce_sum(shares * d_shares, axis=0, keepdims=True))
            d_tanh = d_scores * weights.score * (1 - tanh * tanh)
            d_query = tf.reduce_sum(d_tanh, axis=0)
            d_window = _enter_oldest(d_window) + shares * d_attention
            d_keys = _enter_oldest(d_keys) + d_tanh
            d_score += tf.reduce_sum(d_scores * tanh, axis=[0, 1])

            d_read = tf.split(tf.matmul(d_query, turned.query_kernel), self.state_widths, axis=1)
            d_states = [a + b for a, b in zip(d_states, d_read, strict=True)]
            d_projected, d_states = self._stack_gradient(d_both[:, : self.output_size], d_states, saved, turned)
            rows = rows.write(t, tf.concat([*d_projected, d_query, d_output, d_key], axis=1))
            d_attention = tf.matmul(d_projected[0], turned.attention_kernel)
            return t - 1, d_states, d_attention, d_window, d_keys, d_score, rows

        nothing = tf.zeros_like(trace.outputs[:length])
        start = (frames - 1, d_states, d_attention, nothing, nothing, tf.zeros_like(weights.score), rows)
        _, *rest, rows = tf.while_loop(lambda t, *_: t >= 0, step, start)
        return LoopGradients(rows.stack(), *rest)

    def gradient_widths(self, weights: LoopWeights) -> list[int]:
        """The parts of `LoopGradients.rows`."""
        projected = [weights.attention_kernel.shape[1], *(kernel.shape[1] for kernel in weights.input_kernels)]
        return [*projected, self.output_size, self.output_size, self.output_size]

    def _stack_gradient(
        self, d_output: tf.Tensor, d_states: list[tf.Tensor], saved: list[list[tf.Tensor]], turned: LoopWeights
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """One frame back through the cells: gradient of each projection and of each old state, lowest cell first."""
        d_projected: list[tf.Tensor] = []
        d_old: list[tf.Tensor] = []
        by_cell = self.split_states(d_states)
        for i in reversed(range(len(self.cells))):
            *others, last = by_cell[i]
            d_cell, d_cell_states = self.cells[i].step_gradient(
                [*others, last + d_output], saved[i], turned.recurrent[i]
            )
            d_projected.insert(0, d_cell)
            d_old = [*d_cell_states, *d_old]
            if i:
                d_output = tf.matmul(d_cell, turned.input_kernels[i - 1])
        return d_projected, d_old


def _array(tensor: tf.Tensor) -> tf.TensorArray:
    """`tensor` as an array that a loop writes row by row; filled, so that XLA knows its shape."""
    array = tf.TensorArray(tf.float32, size=tf.shape(tensor)[0], element_shape=tensor.shape[1:], clear_after_read=False)
    return array.unstack(tensor)


def _with_keys(output_kernel: tf.Tensor, window_kernel: tf.Tensor) -> tf.Tensor:
    """The kernel (2 A, 2 A) that gives an output y and its key ``k y`` in one product."""
    return tf.concat([output_kernel, tf.matmul(output_kernel, window_kernel)], axis=1)


def _transpose(weights: LoopWeights) -> LoopWeights:
    """The kernels that the backward loop multiplies by, transposed once before it."""
    return weights._replace(
        attention_kernel=tf.transpose(weights.attention_kernel),
        input_kernels=[tf.transpose(kernel) for kernel in weights.input_kernels],
        recurrent=[[tf.transpose(w) if w.shape.rank == 2 else w for w in ws] for ws in weights.recurrent],
        query_kernel=tf.transpose(weights.query_kernel),
        output_kernel=tf.transpose(_with_keys(weights.output_kernel, weights.window_kernel)),
    )


def _enter_oldest(window: tf.Tensor) -> tf.Tensor:
    """The window's gradient (L, B, A) one frame earlier: the newest entry leaves, an oldest joins with none yet."""
    return tf.concat([tf.zeros_like(window[:1]), window[:-1]], axis=0)
