"""Cells stacked so that each reads the one below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from affwildnet.cells import CELLS


@tf.keras.utils.register_keras_serializable(package="affwildnet")
class CellStack(tf.keras.layers.Layer):
    """Several cells as one; its state is the flat list of theirs, lowest first (GRU: h0, h1; LSTM: c0, h0, c1, h1).

    `tf.keras.layers.StackedRNNCells` nests the states by cell; flat ones are what the attention cell, an exported
    network's signature and the golden files have.
    """

    def __init__(self, cells: Sequence[tf.keras.layers.Layer], **keras_options: Any) -> None:
        super().__init__(**keras_options)
        self.cells = list(cells)
        self.state_size = [width for cell in cells for width in cell.state_size]
        self.output_size = cells[-1].output_size

    def build(self, input_shape: Any) -> None:
        width = tf.TensorShape(input_shape)[-1]
        for cell in self.cells:
            with tf.name_scope(cell.name):
                cell.build((None, width))
            width = cell.output_size
        super().build(input_shape)

    def call(
        self, inputs: tf.Tensor, states: Sequence[tf.Tensor], kept: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One frame: inputs (B, D), states as `state_size` says -> (the top cell's output, new states).

        `kept` multiplies what each cell gives the next, dropout's masks in training: (B, the sum of the widths of all
        outputs but the top's).
        """
        outputs = inputs
        new_states: list[tf.Tensor] = []
        masks = tf.split(kept, [cell.output_size for cell in self.cells[:-1]], axis=1) if kept is not None else []
        for number, cell in enumerate(self.cells):
            if number and masks:
                outputs *= masks[number - 1]
            first = len(new_states)
            outputs, cell_states = cell(outputs, list(states[first : first + len(cell.state_size)]))
            new_states.extend(cell_states)
        return outputs, new_states

    def get_config(self) -> dict[str, Any]:
        cells = [tf.keras.layers.serialize(cell) for cell in self.cells]
        return {**super().get_config(), "cells": cells}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CellStack:
        return cls(**{**config, "cells": [tf.keras.layers.deserialize(cell) for cell in config["cells"]]})


def stack_cells(cell: str, layers: int, units: int, frames: int = 80, dtype: Any = None) -> CellStack:
    """`layers` cells of the kind `cell` (a name in `CELLS`), each of `units` units.

    `frames` is the length of the training sequences, by which IndRNN bounds its recurrent weights. `dtype` is a Keras
    dtype or policy, handed to every cell. Raises ValueError where the name is unknown.
    """
    if cell not in CELLS:
        raise ValueError(f"there is no cell {cell!r}; the cells are {', '.join(sorted(CELLS))}")
    if layers < 1 or units < 1:
        raise ValueError(f"a stack needs at least one layer and one unit, not {layers} layers of {units} units")
    cells = [CELLS[cell](units, layer, layers, frames, name=f"cell_{layer}", dtype=dtype) for layer in range(layers)]
    return CellStack(cells, name="stack", dtype=dtype)
