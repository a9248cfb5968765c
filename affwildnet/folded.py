"""A recurrent block for weights that stay as they are: evaluation and export."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from affwildnet.recurrent import RecurrentBlock


class FoldedBlock(tf.Module):
    """A fused block with the product of the features' kernels kept: (4608, 384) in place of (4736, 4608) numbers.

    `attention_trials.md`: forward at B = 2, T = 80 takes 5-6 ms in place of 24. Called as the block is; `refold` takes
    over the block's weights after they have changed.
    """

    def __init__(self, block: RecurrentBlock) -> None:
        super().__init__(name="folded_block")
        if block.projection is not None:
            raise ValueError("a block with a layer before its cells cannot be folded")
        self._fused = block.fused_attention()
        self.zero_state = block.zero_state
        folded = self._fused.fold()
        self._pack = lambda values: tf.nest.pack_sequence_as(folded, values)
        self._weights = [tf.Variable(tensor, trainable=False) for tensor in tf.nest.flatten(folded)]

    def refold(self) -> None:
        """Takes the block's weights as they are now."""
        for variable, tensor in zip(self._weights, tf.nest.flatten(self._fused.fold()), strict=True):
            variable.assign(tensor)

    def __call__(
        self, inputs: tf.Tensor, initial_state: Sequence[tf.Tensor] | None = None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """inputs (B, T, D) -> outputs (B, T, units), final state; equal to the block's to float32 rounding."""
        if initial_state is None:
            initial_state = self.zero_state(tf.shape(inputs)[0])
        values = [tf.convert_to_tensor(variable) for variable in self._weights]
        return self._fused.run_folded(inputs, initial_state, self._pack(values))


def fold(block: RecurrentBlock) -> FoldedBlock:
    """The built block with its weights folded as they are now; ValueError where it has no fused form."""
    return FoldedBlock(block)
