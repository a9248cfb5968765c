"""Recurrent cells by name; a new cell is one file here and one entry in `CELLS`.

A cell is a `tf.keras.layers.Layer` that handles one frame: ``cell(inputs, states) -> (outputs, new_states)`` with
`units`, `state_size` (a list of widths, in TensorFlow 1's order), `output_size`, and for the names of the original
checkpoints `tf1_name` and `tf1_weights()` (see `tf1_names.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from affwildnet.cells.gru import GRUCell


def _gru(units: int, layer: int, layers: int, **keras_options: Any) -> tf.keras.layers.Layer:
    return GRUCell(units, **keras_options)


# name -> constructor(units, layer, layers, **keras_options): the cell of layer `layer` (from 0) of `layers`. Some cells
# start differently by their place in the stack; `keras_options` are Keras's `name` and `dtype`.
CELLS: dict[str, Callable[..., tf.keras.layers.Layer]] = {
    "gru": _gru,
}
