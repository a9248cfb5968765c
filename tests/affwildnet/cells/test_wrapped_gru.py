"""Highway and Residual layers: what their gate starts at, the linear layer before them, TensorFlow 1's names."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.cells.gru import GRUCell
from affwildnet.cells.highway import HighwayCell
from affwildnet.cells.residual import ResidualCell
from affwildnet.cells.tf1_names import tf1_weights
from affwildnet.recurrent import RecurrentBlock


def test_gate_starts_with_a_glorot_uniform_kernel_and_bias_1() -> None:
    tf.keras.utils.set_random_seed(1)
    cell = HighwayCell(GRUCell(60))
    cell.build((None, 60))
    np.testing.assert_array_equal(cell.carry_bias, np.ones(60))
    assert 0.98 * np.sqrt(6 / 120) < np.abs(cell.carry_kernel.numpy()).max() <= np.sqrt(6 / 120)


@pytest.mark.parametrize("cell", ["gru_highway", "gru_residual"])
def test_linear_layer_to_the_units_comes_first_and_starts_glorot_uniform(cell: str) -> None:
    tf.keras.utils.set_random_seed(1)
    block = RecurrentBlock(cell, 2, 60, 0)
    block(tf.zeros([1, 1, 200]))
    kernel, bias = block.projection.get_weights()
    assert kernel.shape == (200, 60) and not bias.any()
    assert 0.98 * np.sqrt(6 / 260) < np.abs(kernel).max() <= np.sqrt(6 / 260)


def test_other_cells_read_the_features_directly() -> None:
    assert RecurrentBlock("gru").projection is None


@pytest.mark.parametrize("wrapper", [HighwayCell, ResidualCell])
def test_inputs_of_another_width_are_refused(wrapper: type) -> None:
    with pytest.raises(ValueError, match="as wide as that, not 5"):
        wrapper(GRUCell(4)).build((None, 5))


def test_highway_variables_lie_in_the_layers_scope() -> None:
    block = RecurrentBlock("gru_highway", 1, 4, 0)
    block(tf.zeros([1, 1, 7]))
    assert set(tf1_weights(block)) == {
        "multi_rnn_cell/cell_0/carry_w",
        "multi_rnn_cell/cell_0/carry_b",
        "multi_rnn_cell/cell_0/gru_cell/gates/kernel",
        "multi_rnn_cell/cell_0/gru_cell/gates/bias",
        "multi_rnn_cell/cell_0/gru_cell/candidate/kernel",
        "multi_rnn_cell/cell_0/gru_cell/candidate/bias",
    }
