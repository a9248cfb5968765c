"""The plain cell's initial values."""

import numpy as np
import tensorflow as tf

from affwildnet.cells.rnn import RNNCell


def test_plain_rnn_starts_glorot_uniform_with_bias_0() -> None:
    tf.keras.utils.set_random_seed(1)
    cell = RNNCell(60)
    cell.build((None, 70))
    np.testing.assert_array_equal(cell.bias, np.zeros(60))
    assert 0.98 * np.sqrt(6 / 190) < np.abs(cell.kernel.numpy()).max() <= np.sqrt(6 / 190)
