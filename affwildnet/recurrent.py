"""The recurrent block: a stack of cells, with or without attention, run over the frames of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from affwildnet.cells.attention import AttentionCell, AttentionWeightsCell
from affwildnet.cells.fused_attention import FusedAttention, fusible
from affwildnet.cells.stack import stack_cells
from affwildnet.dropout import kept_masks, random_seed
from affwildnet.keras_check import require_keras_2


@tf.keras.utils.register_keras_serializable(package="affwildnet")
class RecurrentBlock(tf.keras.layers.Layer):
    """Features of a sequence -> one output vector a frame (SPEC.md, "Model": 2 layers of 128 units, window 30).

    Attributes: `stack` (the `CellStack`), `cell` (the `AttentionCell` around it, or the stack itself where
    `attention_length` is 0), `state_size` (widths of the state's tensors, in the golden files' order), `projection`
    (the linear layer to `units` that comes before Highway and Residual cells, else None).

    `recurrent_limit_frames` is the T of IndRNN's bound 2^(1/T), the length of the training sequences; others ignore it.

    In training a part `dropout` of what each layer gives the next is dropped, anew in every frame; what the top layer
    gives is left to whoever reads it. Dropout has no fused form.

    With `fused` the attention cell runs in its fused form where it has one (`fusible`) and there is no mask: the same
    weights and results to float32 rounding, but faster; without, as it is written.
    """

    def __init__(
        self,
        cell: str = "gru",
        layers: int = 2,
        units: int = 128,
        attention_length: int = 30,
        recurrent_limit_frames: int = 80,
        fused: bool = True,
        dropout: float = 0.0,
        **keras_options: Any,
    ) -> None:
        require_keras_2()
        super().__init__(**keras_options)
        self._config: dict[str, Any] = {
            "cell": cell,
            "layers": layers,
            "units": units,
            "attention_length": attention_length,
            "recurrent_limit_frames": recurrent_limit_frames,
            "fused": fused,
            "dropout": dropout,
        }
        # The policy, not the dtype: under mixed precision inner cells must compute in 16 bits and keep float32 weights.
        policy = self._dtype_policy
        self.stack = stack_cells(cell, layers, units, recurrent_limit_frames, dtype=policy)
        self.projection = None
        if getattr(self.stack.cells[0], "keeps_width", False):
            self.projection = tf.keras.layers.Dense(units, name="projection", dtype=policy)
        self.cell = self.stack
        if attention_length:
            self.cell = AttentionCell(self.stack, attention_length, name="attention", dtype=policy)
        self.state_size: list[int] = list(self.cell.state_size)
        self.output_size: int = self.cell.output_size
        self.rnn = tf.keras.layers.RNN(self.cell, return_sequences=True, return_state=True, name="rnn", dtype=policy)
        self._fused: FusedAttention | None = None

    def zero_state(self, batch: int | tf.Tensor) -> list[tf.Tensor]:
        """The state at the start of a sequence: zeros, (batch, width) a tensor, in the compute dtype."""
        return [tf.zeros([batch, width], self.compute_dtype) for width in self.state_size]

    def call(
        self,
        inputs: tf.Tensor,
        initial_state: Sequence[tf.Tensor] | None = None,
        mask: tf.Tensor | None = None,
        training: bool = False,
        seed: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Runs the frames in order. A sequence run in pieces, each from the state before it, equals one run.

        Args:
          inputs: (B, T, D) float features.
          initial_state: as `zero_state` returns it; None is that.
          mask: (B, T) bool or None. A frame where it is False leaves the state as it is; its output repeats the one
            before (zeros if none).
          training: whether a part is dropped between the layers.
          seed: of what is dropped, int32 (2,); None drops something else in every call.

        Returns:
          outputs (B, T, units) in the compute dtype, and the state after the last frame.
        """
        inputs, states = self._start(inputs, initial_state)
        drops = training and self._config["dropout"] > 0 and len(self.stack.cells) > 1
        if mask is None and not drops and self._config["fused"] and fusible(self.cell):
            if not self.rnn.built:
                self.rnn(inputs[:, :1], initial_state=states)
            return self.fused_attention()(inputs, states)
        if drops:
            return self._run_dropping(inputs, states, mask, seed)
        outputs, *final_state = self.rnn(inputs, initial_state=states, mask=mask)
        return outputs, final_state

    def _run_dropping(
        self, inputs: tf.Tensor, states: list[tf.Tensor], mask: tf.Tensor | None, seed: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """`call` with dropout, whose masks of all frames are drawn before the loop, and so from the seed alone."""
        if not self.rnn.built:
            self.rnn(inputs[:, :1], initial_state=states)
        shape = tf.shape(inputs)
        width = sum(cell.output_size for cell in self.stack.cells[:-1])
        seed = random_seed() if seed is None else seed
        kept = kept_masks([shape[0], shape[1], width], self._config["dropout"], seed, self.compute_dtype)
        rnn = tf.keras.layers.RNN(
            DroppingCell(self.cell), return_sequences=True, return_state=True, dtype=self._dtype_policy
        )
        outputs, *final_state = rnn((inputs, kept), initial_state=states, mask=mask)
        return outputs, final_state

    def literal(
        self, inputs: tf.Tensor, initial_state: Sequence[tf.Tensor] | None = None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """`call` as it is written, never fused: for exports, which other runtimes run, and for pieces of any length.

        The fused form's loops are compiled by XLA anew for every batch and length, which takes a second or two.
        """
        inputs, states = self._start(inputs, initial_state)
        outputs, *final_state = self.rnn(inputs, initial_state=states)
        return outputs, final_state

    def fused_attention(self) -> FusedAttention:
        """The fused form of the built block's cell; ValueError where the block runs as it is written."""
        if not (self._config["fused"] and fusible(self.cell)):
            raise ValueError("this block has no fused form: see fused, and FUSED_CELLS for the cells that have one")
        if self._fused is None:
            self._fused = FusedAttention(self.cell)
        return self._fused

    def attention_weights(
        self, inputs: tf.Tensor, initial_state: Sequence[tf.Tensor] | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        """How much each frame looks back at each remembered output; runs the frames as `call` does, for plots.

        Args: as `call`'s.

        Returns:
          (B, T, L) in the compute dtype, each row of sum 1, oldest output first: entry [b, t, L - k] is the weight of
          frame t - k's output; outputs before the sequence are those of the initial state's window, or its zeros. A
          masked frame repeats the row before.

        Raises:
          ValueError: the block has no attention.
        """
        if not isinstance(self.cell, AttentionCell):
            raise ValueError("this block has no attention: its attention_length is 0")
        if not self.built:
            self(inputs[:, :1])
        inputs, states = self._start(inputs, initial_state)
        weights_cell = AttentionWeightsCell(self.cell)
        rnn = tf.keras.layers.RNN(weights_cell, return_sequences=True, dtype=self._dtype_policy)
        return rnn(inputs, initial_state=states, mask=mask)

    def _start(self, inputs: tf.Tensor, initial_state: Sequence[tf.Tensor] | None) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """What the first cell reads, (B, T, ·), and the state before the first frame, in the compute dtype."""
        if initial_state is None:
            initial_state = self.zero_state(tf.shape(inputs)[0])
        if self.projection is not None:
            inputs = self.projection(inputs)
        return inputs, [tf.cast(state, self.compute_dtype) for state in initial_state]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._config}


class DroppingCell:
    """A built cell of a block that reads, beside a frame's features, what its stack keeps (see `CellStack.call`).

    Not a layer: it has no weights of its own.
    """

    def __init__(self, cell: tf.keras.layers.Layer) -> None:
        self.cell = cell
        self.state_size = cell.state_size
        self.output_size = cell.output_size

    def call(
        self, inputs: tuple[tf.Tensor, tf.Tensor], states: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One frame: inputs (B, D) and masks (B, W), states of the cell -> (its outputs, new states)."""
        features, kept = inputs
        return self.cell(features, list(states), kept=kept)
