"""The LSTM cells' initial values, and addons' weights in TensorFlow 1's form."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet import compat
from affwildnet.cells import lstm_addons
from affwildnet.cells.lstm import LSTMCell
from affwildnet.cells.lstm_addons import AddonsLSTMCell
from affwildnet.recurrent import RecurrentBlock


def addons_cell(units: int) -> AddonsLSTMCell:
    if compat.import_addons()[0] is None:
        pytest.skip("tensorflow-addons is not installed")
    return AddonsLSTMCell(units)


@pytest.mark.parametrize("make", [LSTMCell, addons_cell], ids=["lstm", "lstm_addons"])
def test_kernel_and_peepholes_start_glorot_uniform_and_biases_at_0(make: type) -> None:
    tf.keras.utils.set_random_seed(1)
    cell = make(60)
    cell.build((None, 70))
    weights = {name: weight.numpy() for name, weight in cell.tf1_weights().items()}
    np.testing.assert_array_equal(weights.pop("bias"), np.zeros(240))
    kernel = weights.pop("kernel")
    for part in (kernel[:70], kernel[70:]):
        assert 0.98 * np.sqrt(6 / (130 + 240)) < np.abs(part).max() <= np.sqrt(6 / (130 + 240))
    assert set(weights) == {"w_i_diag", "w_f_diag", "w_o_diag"}
    for peephole in weights.values():
        assert 0.9 * np.sqrt(6 / 120) < np.abs(peephole).max() <= np.sqrt(6 / 120)
    assert len({values.tobytes() for values in weights.values()}) == 3


def test_cell_with_zero_weights_forgets_by_the_bias_of_1() -> None:
    cell = LSTMCell(1)
    cell.build((None, 1))
    cell.set_weights([np.zeros(weight.shape) for weight in cell.weights])
    _, (carry, _) = cell(tf.zeros([1, 1]), [tf.ones([1, 1]), tf.zeros([1, 1])])
    np.testing.assert_allclose(carry, [[1 / (1 + np.exp(-1))]], rtol=1e-6)


def test_plain_cell_has_no_peepholes() -> None:
    cell = LSTMCell(3, peepholes=False)
    cell.build((None, 2))
    assert set(cell.tf1_weights()) == {"kernel", "bias"} and len(cell.weights) == 2


def test_addons_keeps_its_own_order_of_gates_with_the_forget_bias_in_the_bias() -> None:
    cell = addons_cell(1)
    cell.build((None, 2))
    named = cell.tf1_weights()
    kernel, bias = np.arange(12, dtype=np.float32).reshape(3, 4), np.array([10, 20, 30, 40], np.float32)
    named["kernel"].assign(kernel)
    named["bias"].assign(bias)
    np.testing.assert_array_equal(cell.cell.kernel, [[0, 2, 1, 3], [4, 6, 5, 7]])
    np.testing.assert_array_equal(cell.cell.recurrent_kernel, [[8, 10, 9, 11]])
    np.testing.assert_array_equal(cell.cell.bias, [10, 31, 20, 40])
    np.testing.assert_array_equal(named["kernel"].numpy(), kernel)
    np.testing.assert_array_equal(named["bias"].numpy(), bias)


def test_without_addons_its_cell_is_refused_in_a_sentence_and_the_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lstm_addons, "import_addons", lambda: (None, "tensorflow-addons is not installed"))
    with pytest.raises(ValueError, match="'lstm_addons' cannot be built: tensorflow-addons is not installed; the cell"):
        RecurrentBlock("lstm_addons")
    RecurrentBlock("lstm")
