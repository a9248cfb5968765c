"""Every registered cell, with and without attention, passes the same checks; golden files pin the numbers."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.cells import CELLS
from affwildnet.cells.tf1_names import assign_tf1
from affwildnet.recurrent import RecurrentBlock

GOLDEN = {"rtol": 1e-4, "atol": 1e-5}
NO_ADDONS = pytest.mark.skipif(importlib.util.find_spec("tensorflow_addons") is None, reason="no tensorflow-addons")
# With attention these two share the code of the LSTM and the IndRNN, and each block is a graph that is traced anew.
SISTERS = ("lstm_plain", "rnn")


def _marks(cell: str, attention_length: int) -> list[pytest.MarkDecorator]:
    slow = [pytest.mark.slow] if cell in SISTERS and attention_length else []
    return slow + ([NO_ADDONS] if cell == "lstm_addons" else [])


NAMES = [pytest.param(cell, marks=_marks(cell, 5)) for cell in sorted(CELLS)]
BLOCKS = [
    pytest.param(cell, attention_length, marks=_marks(cell, attention_length))
    for cell in sorted(CELLS)
    for attention_length in (0, 5)
]


def random_block(
    cell: str, attention_length: int, layers: int = 2, units: int = 6, **options: object
) -> RecurrentBlock:
    block = RecurrentBlock(cell, layers, units, attention_length, **options)
    block(tf.zeros([1, 1, 7]))
    # Not the initial values: IndRNN's hardly pass anything on, and biases of 0 say nothing.
    rng = np.random.default_rng(3)
    block.set_weights([0.3 * rng.standard_normal(weight.shape) for weight in block.get_weights()])
    return block


def random_inputs(frames: int, batch: int = 3) -> tf.Tensor:
    return tf.constant(np.random.default_rng(5).standard_normal((batch, frames, 7)), tf.float32)


def load_golden(cell: str, file: Path) -> tuple[RecurrentBlock, dict[str, np.ndarray]]:
    with np.load(file) as stored:
        golden = dict(stored)
    _, frames, units = golden["outputs"].shape
    block = RecurrentBlock(cell, 2, units, int(golden["attn_length"]), recurrent_limit_frames=frames)
    block(tf.zeros(golden["inputs"].shape))
    assign_tf1(block, {key[4:]: value for key, value in golden.items() if key.startswith("var:")})
    return block, golden


def assert_equals_golden(actual: tf.Tensor, expected: np.ndarray, file: Path) -> None:
    """`GOLDEN`, but IndRNN with attention grows to 2e8 within 40 frames: there, absolutely, to float32's share of that.

    What of its gradients is small is left over from large terms; the recording itself is 81 off what float64 gives.
    """
    tolerance = dict(GOLDEN)
    if re.match(r"indrnn_T\d+_attn[1-9]", file.stem):
        tolerance["atol"] = max(GOLDEN["atol"], 1e-6 * np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, **tolerance)


def assert_block_equals_golden(cell: str, file: Path) -> None:
    block, golden = load_golden(cell, file)
    inputs = tf.constant(golden["inputs"])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs, state = block(inputs)
        total = tf.reduce_sum(tf.square(outputs))
    assert_equals_golden(outputs, golden["outputs"], file)
    assert len(state) == sum(bool(re.fullmatch(r"final_state:\d+", key)) for key in golden)
    for i, tensor in enumerate(state):
        assert_equals_golden(tensor, golden[f"final_state:{i}"], file)
    assert_equals_golden(tape.gradient(total, inputs), golden["grad_inputs_of_sum_squared_outputs"], file)


def test_block_gives_the_original_outputs_states_and_gradients(golden_cell_file: Path) -> None:
    assert_block_equals_golden(golden_cell_file.stem.split("_")[0], golden_cell_file)


@NO_ADDONS
def test_addons_lstm_gives_the_original_outputs_states_and_gradients(golden_lstm_file: Path) -> None:
    assert_block_equals_golden("lstm_addons", golden_lstm_file)


# The other registered cells were never recorded: cells/test_cells_in_numpy.py covers them, and every new one.
@pytest.mark.parametrize("cell", ["gru", "indrnn", "lstm"])
def test_golden_folder_holds_the_three_files_of_every_recorded_cell(cell: str, golden_dir: Path) -> None:
    names = {file.stem for file in golden_dir.glob(f"{cell}_T*_attn*.npz")}
    assert names >= {f"{cell}_T12_attn0", f"{cell}_T12_attn5", f"{cell}_T40_attn30"}


@pytest.mark.parametrize("cell", NAMES)
@pytest.mark.parametrize(("layers", "units"), [(1, 3), (4, 5)])
def test_any_depth_and_width_is_differentiable_in_every_weight(cell: str, layers: int, units: int) -> None:
    block, inputs = random_block(cell, 4, layers, units), random_inputs(3)
    with tf.GradientTape() as tape:
        outputs, state = block(inputs)
        total = tf.reduce_sum(tf.square(outputs))
    assert outputs.shape == (3, 3, units)
    assert [tensor.shape[1] for tensor in state] == block.state_size
    for weight, gradient in zip(block.weights, tape.gradient(total, block.weights), strict=True):
        assert gradient is not None and np.isfinite(gradient).all(), weight.name


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


@pytest.mark.parametrize(("cell", "attention_length"), BLOCKS)
def test_cell_and_block_survive_serialisation(cell: str, attention_length: int) -> None:
    block, inputs = random_block(cell, attention_length, recurrent_limit_frames=3), random_inputs(4)
    again = tf.keras.layers.deserialize(json.loads(json.dumps(tf.keras.layers.serialize(block))))
    again(inputs)
    again.set_weights(block.get_weights())
    np.testing.assert_array_equal(again(inputs)[0], block(inputs)[0])

    inner = tf.keras.layers.deserialize(json.loads(json.dumps(tf.keras.layers.serialize(block.cell))))
    assert inner.get_config() == block.cell.get_config()
    states = block.zero_state(3)
    frame = inputs[:, 0] if block.projection is None else block.projection(inputs[:, 0])
    inner(frame, states)
    inner.set_weights(block.cell.get_weights())
    np.testing.assert_array_equal(inner(frame, states)[0], block.cell(frame, states)[0])


def test_attention_weights_are_shares_of_the_window_from_zeros_on() -> None:
    block = RecurrentBlock("gru", 2, 6, 4)
    weights = block.attention_weights(random_inputs(7))
    assert weights.shape == (3, 7, 4)
    np.testing.assert_allclose(tf.reduce_sum(weights, axis=2), np.ones((3, 7)), rtol=1e-6)
    np.testing.assert_allclose(weights[:, 0], np.full((3, 4), 0.25), rtol=1e-6)
    assert (np.ptp(weights[:, 1:], axis=2) > 1e-6).all()


@pytest.mark.parametrize("cell", NAMES)
def test_attention_weights_of_pieces_in_a_graph_equal_those_of_one_run(cell: str) -> None:
    block, inputs = random_block(cell, 5), random_inputs(8)
    whole = block.attention_weights(inputs)
    first, second = inputs[:, :3], inputs[:, 3:]
    later = tf.function(block.attention_weights)(second, block(first)[1])
    pieces = tf.concat([block.attention_weights(first), later], axis=1)
    np.testing.assert_allclose(pieces, whole, rtol=1e-5, atol=1e-6)


def test_attention_weights_of_masked_frames_repeat_the_last() -> None:
    block, inputs = random_block("lstm", 5), random_inputs(4)
    weights = block.attention_weights(inputs, mask=tf.constant([[True, True, False, False]] * 3))
    np.testing.assert_array_equal(weights[:, 3], weights[:, 1])


def test_attention_weights_are_16_bit_under_mixed_precision() -> None:
    block = random_block("gru", 5, dtype=tf.keras.mixed_precision.Policy("mixed_bfloat16"))
    assert block.attention_weights(random_inputs(4)).dtype == tf.bfloat16


def test_block_without_attention_has_no_attention_weights() -> None:
    with pytest.raises(ValueError, match="no attention"):
        RecurrentBlock("gru", 2, 6, 0).attention_weights(random_inputs(4))


def test_unknown_cell_names_the_cells_there_are() -> None:
    with pytest.raises(ValueError, match=r"there is no cell 'gro'; the cells are .*gru"):
        RecurrentBlock("gro")
