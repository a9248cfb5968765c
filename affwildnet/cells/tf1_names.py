"""TensorFlow 1's variable names of a recurrent block: the golden files' and the original checkpoints'.

The names here begin below the scope that a checkpoint puts around them (``attention-layer/rnn/``, ``rnn_1/rnn/``, …).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from affwildnet.cells.attention import AttentionCell

if TYPE_CHECKING:
    from affwildnet.recurrent import RecurrentBlock


def tf1_weights(block: RecurrentBlock) -> dict[str, tf.Variable]:
    """TensorFlow 1's name of each weight of a built `block`, e.g. ``multi_rnn_cell/cell_0/gru_cell/gates/kernel``.

    A value is a variable, or where the weights are kept in another form (`lstm_addons`) something with a variable's
    `shape`, `numpy` and `assign`. The linear layer before wrapped cells is not among them: the original kept it in
    another scope, ``fc-highway/fully_connected/{weights,biases}``; here it is `block.projection`.
    """
    named: dict[str, tf.Variable] = {}
    scope = ""
    if isinstance(block.cell, AttentionCell):
        scope = "attention_cell_wrapper/"
        named.update({scope + name: weight for name, weight in block.cell.tf1_weights().items()})
    for layer, cell in enumerate(block.stack.cells):
        inner = f"{scope}multi_rnn_cell/cell_{layer}/"
        # A wrapper has no scope of its own.
        if cell.tf1_name:
            inner += f"{cell.tf1_name}/"
        named.update({inner + name: weight for name, weight in cell.tf1_weights().items()})
    return named


def assign_tf1(block: RecurrentBlock, arrays: Mapping[str, np.ndarray]) -> None:
    """Sets all weights of a built `block` from arrays under TensorFlow 1's names; on an error none is set.

    Raises:
      ValueError: a weight of the block is missing in `arrays`, an array is left over, or a shape differs; the message
        names the variable.
    """
    weights = tf1_weights(block)
    for name in weights:
        if name not in arrays:
            raise ValueError(f"the variable {name!r} is missing")
    for name, array in arrays.items():
        if name not in weights:
            raise ValueError(f"the variable {name!r} has no place in this block")
        expected = tuple(weights[name].shape)
        if np.shape(array) != expected:
            raise ValueError(f"the variable {name!r} has shape {np.shape(array)}, but this block takes {expected}")
    for name, weight in weights.items():
        weight.assign(arrays[name])
