"""The attention cell against a restatement in NumPy, and its window."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.cells.attention import AttentionCell, attend, remember
from affwildnet.cells.gru import GRUCell
from affwildnet.recurrent import RecurrentBlock


def numpy_attention(cell: AttentionCell, inputs: np.ndarray) -> np.ndarray:
    """Outputs (B, T, A): the past outputs are a growing list, so a window longer than T needs no special case."""
    batch, frames, _ = inputs.shape
    width = cell.output_size
    w = {name: weight.numpy() for name, weight in cell.tf1_weights().items()}
    hidden, attention = np.zeros((batch, width)), np.zeros((batch, width))
    outputs = [np.zeros((batch, width))] * cell.attn_length
    for t in range(frames):
        x = np.concatenate([inputs[:, t], attention], 1) @ w["kernel"] + w["bias"]
        hidden = cell.cell(tf.constant(x), [tf.constant(hidden)])[0].numpy()
        query = hidden @ w["attention/kernel"] + w["attention/bias"]
        window = outputs[-cell.attn_length :]
        scores = [np.tanh(past @ w["attention/attn_w"][0, 0] + query) @ w["attention/attn_v"] for past in window]
        shares = np.exp(scores) / np.sum(np.exp(scores), axis=0)
        attention = sum(share[:, None] * past for share, past in zip(shares, window, strict=True))
        joined = np.concatenate([hidden, attention], 1)
        outputs = [*outputs, joined @ w["attn_output_projection/kernel"] + w["attn_output_projection/bias"]]
    return np.stack(outputs[cell.attn_length :], axis=1)


@pytest.mark.parametrize("attn_length", [1, 3, 9])
def test_sequence_equals_the_formula_with_windows_below_and_above_its_length(attn_length: int) -> None:
    rng = np.random.default_rng(attn_length)
    cell = AttentionCell(GRUCell(4, dtype="float64"), attn_length, dtype="float64")
    cell.build((None, 5))
    cell.set_weights([rng.standard_normal(weight.shape) for weight in cell.weights])
    inputs = rng.standard_normal((2, 6, 5))
    outputs = tf.keras.layers.RNN(cell, return_sequences=True, dtype="float64")(tf.constant(inputs))
    np.testing.assert_allclose(outputs, numpy_attention(cell, inputs), rtol=1e-10, atol=1e-12)


def test_state_ends_with_the_attention_vector_and_the_window_oldest_first() -> None:
    block = RecurrentBlock("gru", 2, 6, 3)
    outputs, state = block(tf.random.stateless_normal([2, 5, 7], seed=[1, 2]))
    assert block.state_size == [6, 6, 6, 18]
    np.testing.assert_allclose(tf.reshape(state[3], [2, 3, 6]), outputs[:, 2:], rtol=1e-6)


def test_empty_places_of_the_window_take_part_in_the_softmax() -> None:
    window = tf.constant([[[0.0], [0.0], [0.0], [8.0]]])
    attention = attend(window, query=tf.zeros([1, 1]), window_kernel=tf.zeros([1, 1]), score=tf.ones([1]))
    np.testing.assert_allclose(attention, [[2.0]])


def test_window_drops_its_oldest_output() -> None:
    window = remember(tf.constant([[[1.0], [2.0], [3.0]]]), tf.constant([[4.0]]))
    np.testing.assert_array_equal(window, [[[2.0], [3.0], [4.0]]])


def test_window_kernels_start_glorot_uniform_and_biases_at_0() -> None:
    tf.keras.utils.set_random_seed(1)
    cell = AttentionCell(GRUCell(60), 3)
    cell.build((None, 70))
    for name, weight in cell.tf1_weights().items():
        largest = np.abs(weight.numpy()).max()
        if name.endswith("bias"):
            assert largest == 0, name
        else:
            fans = sum(weight.shape[-2:]) if len(weight.shape) > 1 else 2 * weight.shape[0]
            assert 0.85 * np.sqrt(6 / fans) < largest <= np.sqrt(6 / fans), name


def test_window_of_no_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 frame"):
        AttentionCell(GRUCell(4), 0)
