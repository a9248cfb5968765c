"""Every registered cell, with and without attention, against its restatement in NumPy, in float64."""

import importlib.util

import numpy as np
import pytest
import tensorflow as tf
from numpy_cells import run_block

from affwildnet.cells import CELLS
from affwildnet.cells.tf1_names import tf1_weights
from affwildnet.recurrent import RecurrentBlock

NO_ADDONS = pytest.mark.skipif(importlib.util.find_spec("tensorflow_addons") is None, reason="no tensorflow-addons")
BLOCKS = [
    pytest.param(cell, window, marks=NO_ADDONS if cell == "lstm_addons" else ())
    for cell in sorted(CELLS)
    for window in (0, 3)
]
FRAMES = 6  # for IndRNN's bound


class Case:
    """A block of three layers with random weights and, from a random state, random inputs; and its NumPy likeness."""

    def __init__(self, cell: str, window: int) -> None:
        rng = np.random.default_rng(11)
        self.cell, self.window = cell, window
        self.block = RecurrentBlock(cell, 3, 4, window, recurrent_limit_frames=FRAMES, dtype="float64")
        self.inputs = rng.standard_normal((2, 5, 3))
        self.direction = rng.standard_normal(self.inputs.shape)
        self.block(tf.zeros([1, 1, 3], tf.float64))
        for weight in tf1_weights(self.block).values():
            weight.assign(rng.standard_normal(weight.shape))
        self.states = [rng.standard_normal((2, width)) for width in self.block.state_size]

    def in_numpy(self, inputs: np.ndarray) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
        weights = {name: weight.numpy() for name, weight in tf1_weights(self.block).items()}
        if self.cell in ("gru_highway", "gru_residual"):
            kernel, bias = self.block.projection.get_weights()
            inputs = inputs @ kernel + bias
        return run_block(self.cell, weights, inputs, self.states, self.window, FRAMES)


@pytest.mark.parametrize(("cell", "window"), BLOCKS)
def test_outputs_states_and_attention_weights_equal_the_formulas(cell: str, window: int) -> None:
    case = Case(cell, window)
    outputs, states, weights = case.in_numpy(case.inputs)
    got, got_states = case.block(tf.constant(case.inputs), initial_state=case.states)
    np.testing.assert_allclose(got, outputs, rtol=1e-9, atol=1e-12)
    for tensor, expected in zip(got_states, states, strict=True):
        np.testing.assert_allclose(tensor, expected, rtol=1e-9, atol=1e-12)
    if window:
        got_weights = case.block.attention_weights(tf.constant(case.inputs), case.states)
        np.testing.assert_allclose(got_weights, weights, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("cell", "window"), BLOCKS)
def test_input_gradients_equal_the_formulas_finite_differences(cell: str, window: int) -> None:
    case = Case(cell, window)
    inputs = tf.constant(case.inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(tf.square(case.block(inputs, initial_state=case.states)[0]))
    slope = np.sum(tape.gradient(total, inputs) * case.direction)
    above, below = (np.sum(case.in_numpy(case.inputs + d * case.direction)[0] ** 2) for d in (1e-6, -1e-6))
    np.testing.assert_allclose(slope, (above - below) / 2e-6, rtol=1e-5)
