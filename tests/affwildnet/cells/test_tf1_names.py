"""Loading arrays under TensorFlow 1's names: what does not fit is named, and then nothing is set."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.cells.tf1_names import assign_tf1, tf1_weights
from affwildnet.recurrent import RecurrentBlock

GATES = "attention_cell_wrapper/multi_rnn_cell/cell_1/gru_cell/gates/kernel"


@pytest.fixture
def block() -> RecurrentBlock:
    block = RecurrentBlock("gru", 2, 6, 5)
    block(tf.zeros([1, 1, 7]))
    return block


@pytest.fixture
def arrays(block: RecurrentBlock) -> dict[str, np.ndarray]:
    return {name: np.full(weight.shape, 0.5, np.float32) for name, weight in tf1_weights(block).items()}


def test_every_weight_has_a_name(block: RecurrentBlock) -> None:
    assert {id(weight) for weight in tf1_weights(block).values()} == {id(weight) for weight in block.weights}


def test_all_weights_are_set(block: RecurrentBlock, arrays: dict[str, np.ndarray]) -> None:
    assign_tf1(block, arrays)
    assert all((weight == 0.5).all() for weight in block.get_weights())


def unchanged_after(block: RecurrentBlock, arrays: dict[str, np.ndarray], message: str) -> None:
    before = block.get_weights()
    with pytest.raises(ValueError, match=message):
        assign_tf1(block, arrays)
    for old, new in zip(before, block.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_missing_variable_is_named(block: RecurrentBlock, arrays: dict[str, np.ndarray]) -> None:
    del arrays[GATES]
    unchanged_after(block, arrays, f"'{GATES}' is missing")


def test_variable_without_a_place_is_named(block: RecurrentBlock, arrays: dict[str, np.ndarray]) -> None:
    unchanged_after(block, {**arrays, "beta1_power": np.zeros(())}, "'beta1_power' has no place")


def test_variable_of_another_shape_is_named(block: RecurrentBlock, arrays: dict[str, np.ndarray]) -> None:
    unchanged_after(block, {**arrays, GATES: np.zeros((13, 12))}, rf"'{GATES}' has shape \(13, 12\).*\(12, 12\)")
