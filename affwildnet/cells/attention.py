"""Attention over the last outputs of a stack of cells, as TensorFlow 1's AttentionCellWrapper computes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def project(parts: Sequence[tf.Tensor], kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """``[parts] kernel + bias``: the parts (B, ·) joined along their last axis -> (B, width of the bias)."""
    return tf.matmul(tf.concat(list(parts), axis=1), kernel) + bias


def weigh(window: tf.Tensor, query: tf.Tensor, window_kernel: tf.Tensor, score: tf.Tensor) -> tf.Tensor:
    """``softmax(e)`` with ``e_i = Σ v * tanh(k w_i + q)``: how much each remembered output counts.

    Args:
      window: (B, L, A), the remembered outputs w; zeros where there is none yet, and they take part in the softmax.
      query: (B, A), q.
      window_kernel: (A, A), k.
      score: (A,), v.

    Returns:
      (B, L), the attention weights, which sum to 1.
    """
    keys = tf.einsum("bla,ac->blc", window, window_kernel)
    return tf.nn.softmax(tf.reduce_sum(score * tf.tanh(keys + query[:, tf.newaxis, :]), axis=2))


def attend(window: tf.Tensor, query: tf.Tensor, window_kernel: tf.Tensor, score: tf.Tensor) -> tf.Tensor:
    """``Σ softmax(e)_i w_i``, the attention vector (B, A), from what `weigh` takes."""
    weights = weigh(window, query, window_kernel, score)
    return tf.reduce_sum(weights[:, :, tf.newaxis] * window, axis=1)


def remember(window: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    """The window (B, L, A) without its oldest entry and with `output` (B, A) as its newest, last."""
    return tf.concat([window[:, 1:], output[:, tf.newaxis, :]], axis=1)


@tf.keras.utils.register_keras_serializable(package="affwildnet")
class AttentionCell(tf.keras.layers.Layer):
    """A cell (here always a `CellStack`) that also sees a weighted mean of its last `attn_length` outputs.

    SPEC.md, "Cell semantics". With A the output width and L the window in frames (the thesis: 30 = one second, 15 and 3
    tried), the state is the inner cell's states, then the attention vector (B, A), then the flattened window
    (B, L * A), oldest output first.
    """

    def __init__(self, cell: tf.keras.layers.Layer, attn_length: int, **keras_options: Any) -> None:
        super().__init__(**keras_options)
        if attn_length < 1:
            raise ValueError(f"the attention window needs at least 1 frame, not {attn_length}")
        self.cell = cell
        self.attn_length = attn_length
        self.output_size = cell.output_size
        self.state_size = [*cell.state_size, self.output_size, attn_length * self.output_size]

    def build(self, input_shape: Any) -> None:
        inputs, outputs = tf.TensorShape(input_shape)[-1], self.output_size
        with tf.name_scope(self.cell.name):
            self.cell.build((None, inputs))

        def kernel(name: str, *shape: int) -> tf.Variable:
            return self.add_weight(name=name, shape=shape, initializer="glorot_uniform")

        def bias(name: str, width: int) -> tf.Variable:
            return self.add_weight(name=name, shape=(width,), initializer="zeros")

        self.input_kernel = kernel("input_projection/kernel", inputs + outputs, inputs)
        self.input_bias = bias("input_projection/bias", inputs)
        self.query_kernel = kernel("query/kernel", sum(self.cell.state_size), outputs)
        self.query_bias = bias("query/bias", outputs)
        # TensorFlow 1 wrote this product as a 1x1 convolution; its shape is kept, so that a checkpoint fits as it is.
        self.window_kernel = kernel("window/kernel", 1, 1, outputs, outputs)
        self.score = kernel("score", outputs)
        self.output_kernel = kernel("output_projection/kernel", 2 * outputs, outputs)
        self.output_bias = bias("output_projection/bias", outputs)
        super().build(input_shape)

    def call(
        self, inputs: tf.Tensor, states: Sequence[tf.Tensor], kept: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One frame: inputs (B, D), states as `state_size` says -> (outputs (B, A), new states).

        `kept`: see `CellStack.call`.
        """
        *cell_states, attention, flat_window = states
        window = tf.reshape(flat_window, [-1, self.attn_length, self.output_size])

        attended = project([inputs, attention], self.input_kernel, self.input_bias)
        # Only a stack has a place for it.
        cell_output, cell_states = self.cell(attended, cell_states, **({} if kept is None else {"kept": kept}))
        query = project(cell_states, self.query_kernel, self.query_bias)
        attention = attend(window, query, tf.convert_to_tensor(self.window_kernel)[0, 0], self.score)
        output = project([cell_output, attention], self.output_kernel, self.output_bias)

        window = remember(window, output)
        flat_window = tf.reshape(window, [-1, self.attn_length * self.output_size])
        return output, [*cell_states, attention, flat_window]

    def attention_weights(self, states: Sequence[tf.Tensor], new_states: Sequence[tf.Tensor]) -> tf.Tensor:
        """The weights (B, L), oldest output first, with which `call` went from `states` to `new_states`."""
        window = tf.reshape(states[-1], [-1, self.attn_length, self.output_size])
        query = project(new_states[:-2], self.query_kernel, self.query_bias)
        return weigh(window, query, tf.convert_to_tensor(self.window_kernel)[0, 0], self.score)

    def tf1_weights(self) -> dict[str, tf.Variable]:
        """TensorFlow 1's names of the weights, within the wrapper's scope and without the inner cell's."""
        return {
            "kernel": self.input_kernel,
            "bias": self.input_bias,
            "attention/kernel": self.query_kernel,
            "attention/bias": self.query_bias,
            "attention/attn_w": self.window_kernel,
            "attention/attn_v": self.score,
            "attn_output_projection/kernel": self.output_kernel,
            "attn_output_projection/bias": self.output_bias,
        }

    def get_config(self) -> dict[str, Any]:
        inner = tf.keras.layers.serialize(self.cell)
        return {**super().get_config(), "cell": inner, "attn_length": self.attn_length}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AttentionCell:
        return cls(**{**config, "cell": tf.keras.layers.deserialize(config["cell"])})


class AttentionWeightsCell:
    """A built `AttentionCell` whose output is its attention weights (B, L) in place of y, for plots; same states.

    Not a layer: it has no weights of its own, and must not become a part of the network that it looks at.
    """

    def __init__(self, cell: AttentionCell) -> None:
        self.cell = cell
        self.state_size = cell.state_size
        self.output_size = cell.attn_length

    def call(self, inputs: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One frame: inputs (B, D), states as `state_size` says -> (attention weights (B, L), new states)."""
        _, new_states = self.cell(inputs, states)
        return self.cell.attention_weights(states, new_states), new_states
