"""The recurrent block: a stack of cells, with or without attention, run over the frames of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from affwildnet.cells.attention import AttentionCell
from affwildnet.cells.stack import stack_cells
from affwildnet.keras_check import require_keras_2


class RecurrentBlock(tf.keras.layers.Layer):
    """Features of a sequence -> one output vector a frame (SPEC.md, "Model": 2 layers of 128 units, window 30).

    Attributes: `stack` (the `CellStack`), `cell` (the `AttentionCell` around it, or the stack itself where
    `attention_length` is 0), `state_size` (widths of the state's tensors, in the golden files' order).
    """

    def __init__(
        self, cell: str = "gru", layers: int = 2, units: int = 128, attention_length: int = 30, **keras_options: Any
    ) -> None:
        require_keras_2()
        super().__init__(**keras_options)
        self._config = {"cell": cell, "layers": layers, "units": units, "attention_length": attention_length}
        # The policy, not the dtype: under mixed precision inner cells must compute in 16 bits and keep float32 weights.
        policy = self._dtype_policy
        self.stack = stack_cells(cell, layers, units, dtype=policy)
        self.cell = self.stack
        if attention_length:
            self.cell = AttentionCell(self.stack, attention_length, name="attention", dtype=policy)
        self.state_size: list[int] = list(self.cell.state_size)
        self.output_size: int = self.cell.output_size
        self.rnn = tf.keras.layers.RNN(self.cell, return_sequences=True, return_state=True, name="rnn", dtype=policy)

    def zero_state(self, batch: int | tf.Tensor) -> list[tf.Tensor]:
        """The state at the start of a sequence: zeros, (batch, width) a tensor, in the compute dtype."""
        return [tf.zeros([batch, width], self.compute_dtype) for width in self.state_size]

    def call(
        self, inputs: tf.Tensor, initial_state: Sequence[tf.Tensor] | None = None, mask: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Runs the frames in order. A sequence run in pieces, each from the state before it, equals one run.

        Args:
          inputs: (B, T, D) float features.
          initial_state: as `zero_state` returns it; None is that.
          mask: (B, T) bool or None. A frame where it is False leaves the state as it is; its output repeats the one
            before (zeros if none).

        Returns:
          outputs (B, T, units) in the compute dtype, and the state after the last frame.
        """
        if initial_state is None:
            initial_state = self.zero_state(tf.shape(inputs)[0])
        states = [tf.cast(state, self.compute_dtype) for state in initial_state]
        outputs, *final_state = self.rnn(inputs, initial_state=states, mask=mask)
        return outputs, final_state

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._config}
