"""Every registered cell, with and without attention, passes the same checks; golden files pin the numbers."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.cells import CELLS
from affwildnet.cells.tf1_names import assign_tf1
from affwildnet.recurrent import RecurrentBlock

GOLDEN = {"rtol": 1e-4, "atol": 1e-5}
BLOCKS = [(cell, attention_length) for cell in sorted(CELLS) for attention_length in (0, 5)]


def random_block(cell: str, attention_length: int, **options: object) -> RecurrentBlock:
    tf.keras.utils.set_random_seed(3)
    return RecurrentBlock(cell, 2, 6, attention_length, **options)


def random_inputs(frames: int, batch: int = 3) -> tf.Tensor:
    return tf.constant(np.random.default_rng(5).standard_normal((batch, frames, 7)), tf.float32)


def load_golden(file: Path) -> tuple[RecurrentBlock, dict[str, np.ndarray]]:
    cell = file.stem.split("_")[0]
    if cell not in CELLS:
        pytest.skip(f"the cell {cell!r} is not built yet")
    with np.load(file) as stored:
        golden = dict(stored)
    block = RecurrentBlock(cell, 2, golden["outputs"].shape[-1], int(golden["attn_length"]))
    block(tf.zeros(golden["inputs"].shape))
    assign_tf1(block, {key[4:]: value for key, value in golden.items() if key.startswith("var:")})
    return block, golden


def test_block_gives_the_original_outputs_states_and_gradients(golden_cell_file: Path) -> None:
    block, golden = load_golden(golden_cell_file)
    inputs = tf.constant(golden["inputs"])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs, state = block(inputs)
        total = tf.reduce_sum(tf.square(outputs))
    np.testing.assert_allclose(outputs, golden["outputs"], **GOLDEN)
    assert len(state) == sum(bool(re.fullmatch(r"final_state:\d+", key)) for key in golden)
    for i, tensor in enumerate(state):
        np.testing.assert_allclose(tensor, golden[f"final_state:{i}"], **GOLDEN)
    np.testing.assert_allclose(tape.gradient(total, inputs), golden["grad_inputs_of_sum_squared_outputs"], **GOLDEN)


def test_golden_folder_holds_a_file_of_every_registered_cell(golden_dir: Path) -> None:
    for cell in CELLS:
        assert list(golden_dir.glob(f"{cell}_T*_attn*.npz")), cell


@pytest.mark.parametrize(("cell", "attention_length"), BLOCKS)
def test_pieces_with_returned_state_equal_one_run(cell: str, attention_length: int) -> None:
    block, inputs = random_block(cell, attention_length), random_inputs(12)
    whole, whole_state = block(inputs)
    pieces, state = [], block.zero_state(3)
    for start, end in [(0, 1), (1, 4), (4, 12)]:
        outputs, state = block(inputs[:, start:end], initial_state=state)
        pieces.append(outputs)
    np.testing.assert_allclose(tf.concat(pieces, axis=1), whole, rtol=1e-5, atol=1e-6)
    for part, full in zip(state, whole_state, strict=True):
        np.testing.assert_allclose(part, full, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("cell", "attention_length"), BLOCKS)
def test_graph_with_unknown_batch_and_length_equals_eager(cell: str, attention_length: int) -> None:
    block = random_block(cell, attention_length)
    graph = tf.function(block, input_signature=[tf.TensorSpec([None, None, 7])])
    for frames, batch in [(4, 3), (7, 1)]:
        inputs = random_inputs(frames, batch)
        np.testing.assert_allclose(graph(inputs)[0], block(inputs)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("cell", "attention_length"), BLOCKS)
def test_masked_frames_leave_the_state_as_it_was(cell: str, attention_length: int) -> None:
    block, inputs = random_block(cell, attention_length), random_inputs(6)
    short, short_state = block(inputs[:, :4])
    mask = tf.constant([[True] * 4 + [False] * 2] * 3)
    outputs, state = block(inputs, mask=mask)
    np.testing.assert_allclose(outputs[:, :4], short, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(outputs[:, 5], outputs[:, 3])
    for part, full in zip(state, short_state, strict=True):
        np.testing.assert_allclose(part, full, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("cell", "attention_length"), BLOCKS)
def test_mixed_precision_keeps_float32_weights_and_16_bit_states(cell: str, attention_length: int) -> None:
    exact, inputs = random_block(cell, attention_length), random_inputs(6)
    expected = exact(inputs)[0]
    block = random_block(cell, attention_length, dtype=tf.keras.mixed_precision.Policy("mixed_bfloat16"))
    outputs, state = block(inputs)
    assert {weight.dtype for weight in block.weights} == {tf.float32}
    assert {tensor.dtype for tensor in [outputs, *state, *block.zero_state(1)]} == {tf.bfloat16}
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected, atol=0.05)


@pytest.mark.parametrize(("cell", "attention_length"), BLOCKS)
def test_block_rebuilt_from_its_config_has_the_same_weights(cell: str, attention_length: int) -> None:
    block, inputs = random_block(cell, attention_length), random_inputs(4)
    expected = block(inputs)[0]
    again = RecurrentBlock.from_config(block.get_config())
    again(inputs)
    again.set_weights(block.get_weights())
    np.testing.assert_array_equal(again(inputs)[0], expected)


def test_unknown_cell_names_the_cells_there_are() -> None:
    with pytest.raises(ValueError, match=r"there is no cell 'gro'; the cells are .*gru"):
        RecurrentBlock("gro")
