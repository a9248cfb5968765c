"""The GRU cell against a restatement in NumPy, and its initial values."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.cells.gru import GRUCell


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("seed", range(5))
def test_step_equals_the_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    batch, width, units = rng.integers(1, 9, 3)
    cell = GRUCell(int(units), dtype="float64")
    cell.build((None, int(width)))
    cell.set_weights([rng.standard_normal(weight.shape) for weight in cell.weights])
    gates_kernel, gates_bias, candidate_kernel, candidate_bias = cell.get_weights()
    x, h = rng.standard_normal((batch, width)), rng.standard_normal((batch, units))

    r, u = np.split(sigmoid(np.concatenate([x, h], 1) @ gates_kernel + gates_bias), 2, axis=1)
    c = np.tanh(np.concatenate([x, r * h], 1) @ candidate_kernel + candidate_bias)

    output, (state,) = cell(tf.constant(x), [tf.constant(h)])
    np.testing.assert_allclose(output, u * h + (1 - u) * c, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(output, state)


def test_gate_biases_start_at_1_and_candidate_biases_at_0() -> None:
    cell = GRUCell(6)
    cell.build((None, 7))
    weights = {name: weight.numpy() for name, weight in cell.tf1_weights().items()}
    np.testing.assert_array_equal(weights["gates/bias"], np.ones(12))
    np.testing.assert_array_equal(weights["candidate/bias"], np.zeros(6))


def test_kernels_start_glorot_uniform() -> None:
    tf.keras.utils.set_random_seed(1)
    cell = GRUCell(60)
    cell.build((None, 70))
    for kernel in (cell.gates_kernel, cell.candidate_kernel):
        limit = np.sqrt(6 / sum(kernel.shape))
        largest = np.abs(kernel.numpy()).max()
        assert 0.95 * limit < largest <= limit


def test_cell_rebuilt_from_its_config_has_the_same_shape() -> None:
    cell = GRUCell.from_config(GRUCell(6, name="first").get_config())
    assert (cell.units, cell.name, cell.state_size, cell.output_size) == (6, "first", [6], 6)
