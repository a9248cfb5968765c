"""Recurrent cells by name; a new cell is one file here and one entry in `CELLS`.

A cell is a `tf.keras.layers.Layer` that handles one frame: ``cell(inputs, states) -> (outputs, new_states)`` with
`units`, `state_size` (a list of widths, in TensorFlow 1's order), `output_size`, and for the names of the original
checkpoints `tf1_name` and `tf1_weights()` (see `tf1_names.py`). A cell with `keeps_width = True` needs inputs as wide
as its outputs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from affwildnet.cells.gru import GRUCell
from affwildnet.cells.highway import HighwayCell
from affwildnet.cells.indrnn import IndRNNCell
from affwildnet.cells.lstm import LSTMCell
from affwildnet.cells.lstm_addons import AddonsLSTMCell
from affwildnet.cells.residual import ResidualCell
from affwildnet.cells.rnn import RNNCell

CellMaker = Callable[..., tf.keras.layers.Layer]


def _anywhere(make: CellMaker) -> CellMaker:
    """The maker of a cell that is the same in every layer: ``make(units, **keras_options)``."""

    def cell(units: int, layer: int, layers: int, frames: int, **keras_options: Any) -> tf.keras.layers.Layer:
        return make(units, **keras_options)

    return cell


def _indrnn(units: int, layer: int, layers: int, frames: int, **keras_options: Any) -> tf.keras.layers.Layer:
    return IndRNNCell(units, frames, last_layer=layer == layers - 1, **keras_options)


def _wrapped_gru(wrapper: CellMaker, units: int, dtype: Any = None, **keras_options: Any) -> tf.keras.layers.Layer:
    return wrapper(GRUCell(units, name="gru", dtype=dtype), dtype=dtype, **keras_options)


# name -> constructor(units, layer, layers, frames, **keras_options): the cell of layer `layer` (from 0) of `layers`,
# for training on sequences of `frames`. Some cells start differently by their place in the stack or are bounded by the
# length; `keras_options` are Keras's `name` and `dtype`.
CELLS: dict[str, CellMaker] = {
    "gru": _anywhere(GRUCell),
    "gru_highway": _anywhere(functools.partial(_wrapped_gru, HighwayCell)),
    "gru_residual": _anywhere(functools.partial(_wrapped_gru, ResidualCell)),
    "indrnn": _indrnn,
    "lstm": _anywhere(LSTMCell),
    "lstm_addons": _anywhere(AddonsLSTMCell),
    "lstm_plain": _anywhere(functools.partial(LSTMCell, peepholes=False)),
    "rnn": _anywhere(RNNCell),
}
