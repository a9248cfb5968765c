"""IndRNN's bound on its recurrent weights, and its initial values by layer."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.cells.indrnn import IndRNNCell
from affwildnet.input_spec import InputSpec
from affwildnet.models import ModelOptions, build_model
from affwildnet.recurrent import RecurrentBlock


def test_recurrent_weights_count_only_up_to_the_bound() -> None:
    cell = IndRNNCell(4, frames=2)
    cell.build((None, 1))
    cell.set_weights([np.zeros((1, 4)), np.array([-3.0, 0.5, 1.25, 3.0]), np.full(4, 10.0)])
    output, _ = cell(tf.zeros([1, 1]), [tf.ones([1, 4])])
    np.testing.assert_allclose(output, [[10 - 2**0.5, 10.5, 11.25, 10 + 2**0.5]], rtol=1e-6)
    np.testing.assert_array_equal(cell.recurrent_kernel, [-3.0, 0.5, 1.25, 3.0])


def test_clipped_recurrent_weight_gets_no_gradient_and_the_others_do() -> None:
    cell = IndRNNCell(4, frames=2)
    cell.build((None, 1))
    cell.set_weights([np.zeros((1, 4)), np.array([-3.0, 0.5, 1.25, 3.0]), np.full(4, 10.0)])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(cell(tf.zeros([1, 1]), [tf.constant([[5.0, 6.0, 7.0, 8.0]])])[0])
    np.testing.assert_array_equal(tape.gradient(total, cell.recurrent_kernel), [0, 6, 7, 0])


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_recurrent_weights_start_from_0_but_in_the_last_layer_from_half_a_sequence(layers: int) -> None:
    tf.keras.utils.set_random_seed(1)
    block = RecurrentBlock("indrnn", layers, 400, 0, recurrent_limit_frames=5)
    block(tf.zeros([1, 1, 7]))
    largest = 2**0.2
    for layer, cell in enumerate(block.stack.cells):
        smallest = 0.5**0.2 if layer == layers - 1 else 0
        values = cell.recurrent_kernel.numpy()
        room = 0.03 * (largest - smallest)
        assert smallest <= values.min() < smallest + room and largest - room < values.max() <= largest


def test_input_weights_start_within_a_thousandth_and_biases_at_0() -> None:
    tf.keras.utils.set_random_seed(1)
    cell = IndRNNCell(60)
    cell.build((None, 70))
    kernel = cell.input_kernel.numpy()
    assert -0.001 <= kernel.min() < -0.00099 and 0.00099 < kernel.max() <= 0.001
    np.testing.assert_array_equal(cell.bias, np.zeros(60))


def test_bound_follows_the_model_options() -> None:
    options = ModelOptions(cell="indrnn", units=4, attention_length=3, recurrent_limit_frames=100)
    cells = build_model(options, InputSpec(size=32)).block.stack.cells
    assert [cell.limit for cell in cells] == [2**0.01] * 2
    assert [cell.last_layer for cell in cells] == [False, True]


def test_sequence_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 frame"):
        IndRNNCell(4, frames=0)
