"""The fused form against the literal one: same weights, outputs, states and gradients, for every cell that has one."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.cells.fused_attention import fusible
from affwildnet.folded import fold
from affwildnet.recurrent import RecurrentBlock

FUSED = ["gru", "indrnn", "lstm", "lstm_plain", "rnn"]
WIDTH, UNITS, WINDOW = 7, 6, 5


def pair(cell: str, layers: int = 2, width: int = WIDTH) -> tuple[RecurrentBlock, RecurrentBlock]:
    """The same block twice, literal and fused, with weights away from their initial zeros and ones."""
    tf.keras.utils.set_random_seed(3)
    blocks = [RecurrentBlock(cell, layers, UNITS, WINDOW, fused=fused) for fused in (False, True)]
    for block in blocks:
        block(tf.zeros([1, 1, width]))
    for weight in blocks[0].weights:
        weight.assign_add(0.3 * tf.random.normal(weight.shape))
    blocks[1].set_weights(blocks[0].get_weights())
    return blocks[0], blocks[1]


def random(*shape: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(sum(shape)).standard_normal(shape), tf.float32)


def random_state(block: RecurrentBlock, batch: int) -> list[tf.Tensor]:
    return [random(batch, width) for width in block.state_size]


def results(
    block: RecurrentBlock, inputs: tf.Tensor, state: Sequence[tf.Tensor], call: Callable | None = None
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """[outputs, *final state] and gradients of a sum that reads all of them, to inputs, initial state and weights."""
    with tf.GradientTape() as tape:
        tape.watch([inputs, *state])
        outputs, final = (call or block)(inputs, state)
        total = tf.add_n([tf.reduce_sum(tf.sin((i + 1) * t)) for i, t in enumerate([outputs, *final])])
    return [outputs, *final], tape.gradient(total, [inputs, *state, *block.trainable_weights])


def assert_same(fused: Sequence[tf.Tensor], literal: Sequence[tf.Tensor], tolerance: float) -> None:
    """Equal to `tolerance` of the largest value, tensor by tensor."""
    for one, other in zip(fused, literal, strict=True):
        scale = max(float(tf.reduce_max(tf.abs(other))), 1.0 if tolerance < 1e-4 else 1e-6)
        np.testing.assert_allclose(one / scale, other / scale, rtol=0, atol=tolerance)


@pytest.mark.parametrize("cell", FUSED)
def test_fused_form_gives_the_literal_outputs_states_and_gradients(cell: str) -> None:
    literal, fused = pair(cell)
    state = random_state(literal, 3)
    values, gradients = results(literal, random(3, 8, WIDTH), state)
    fused_values, fused_gradients = results(fused, random(3, 8, WIDTH), state)
    assert_same(fused_values, values, 1e-5)
    assert_same(fused_gradients, gradients, 1e-4)


@pytest.mark.parametrize(("batch", "frames"), [(1, 1), (2, 3), (4, 5)])
def test_any_batch_and_length_agree(batch: int, frames: int) -> None:
    literal, fused = pair("gru")
    state = random_state(literal, batch)
    values, gradients = results(literal, random(batch, frames, WIDTH), state)
    fused_values, fused_gradients = results(fused, random(batch, frames, WIDTH), state)
    assert_same(fused_values, values, 1e-5)
    assert_same(fused_gradients, gradients, 1e-4)


@pytest.mark.parametrize("layers", [1, 3])
def test_any_depth_agrees(layers: int) -> None:
    literal, fused = pair("lstm", layers)
    state = random_state(literal, 2)
    values, gradients = results(literal, random(2, 4, WIDTH), state)
    fused_values, fused_gradients = results(fused, random(2, 4, WIDTH), state)
    assert_same(fused_values, values, 1e-5)
    assert_same(fused_gradients, gradients, 1e-4)


# A GRU of 6 units projects to 18 columns; the order of the products turns at 18 and at 36 rows.
@pytest.mark.parametrize(
    ("frames", "known"),
    [
        (8, True),
        (9, True),
        *(pytest.param(n, k, marks=pytest.mark.slow) for n, k in ((18, True), (8, False))),
        (17, False),
        (18, False),
    ],
)
def test_every_order_of_the_products_agrees(frames: int, known: bool) -> None:
    literal, fused = pair("gru")
    inputs, state = random(2, frames, WIDTH), random_state(literal, 2)
    shape = [2, frames] if known else [None, None]

    @tf.function(input_signature=[tf.TensorSpec([*shape, WIDTH]), [tf.TensorSpec(s.shape) for s in state]])
    def gradients_of_fused(inputs: tf.Tensor, state: list[tf.Tensor]) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        return results(fused, inputs, state)

    values, gradients = results(literal, inputs, state)
    fused_values, fused_gradients = gradients_of_fused(inputs, state)
    assert_same(fused_values, values, 1e-5)
    assert_same(fused_gradients, gradients, 1e-4)


def test_indrnn_weight_beyond_its_limit_gets_no_gradient() -> None:
    literal, fused = pair("indrnn")
    for block in (literal, fused):
        recurrent = block.stack.cells[0].recurrent_kernel
        recurrent.assign([0.5, 3.0, -3.0, 0.1, -0.5, 1.0])
    state = random_state(literal, 2)
    _, gradients = results(literal, random(2, 6, WIDTH), state)
    _, fused_gradients = results(fused, random(2, 6, WIDTH), state)
    assert_same(fused_gradients, gradients, 1e-4)
    names = [weight.name for weight in fused.trainable_weights]
    found = fused_gradients[1 + len(state) + next(i for i, name in enumerate(names) if "recurrent_kernel" in name)]
    assert found.numpy()[1] == found.numpy()[2] == 0


def test_graph_that_does_not_ask_for_the_inputs_gradient_does_not_compute_it() -> None:
    _, fused = pair("gru")

    def products(first: int) -> int:
        @tf.function(input_signature=[tf.TensorSpec([2, 4, WIDTH])])
        def step(inputs: tf.Tensor) -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                total = tf.reduce_sum(fused(inputs)[0])
            return tape.gradient(total, [inputs, *fused.trainable_weights])[first:]

        # What the function's results need, which is what runs.
        operations, waiting = set(), [tensor.op for tensor in step.get_concrete_function().outputs]
        while waiting:
            operation = waiting.pop()
            if operation.name not in operations:
                operations.add(operation.name)
                waiting += [tensor.op for tensor in operation.inputs]
        graph = step.get_concrete_function().graph
        return sum(graph.get_operation_by_name(name).type == "MatMul" for name in operations)

    assert products(first=0) == products(first=1) + 2


def test_folded_block_gives_the_blocks_values_until_its_weights_change_and_after_refolding() -> None:
    _, block = pair("gru")
    inputs, state = random(2, 6, WIDTH), random_state(block, 2)
    folded = fold(block)
    assert_same(
        [folded(inputs, state)[0], *folded(inputs, state)[1]], [block(inputs, state)[0], *block(inputs, state)[1]], 1e-5
    )
    assert_same([folded(inputs)[0]], [block(inputs)[0]], 1e-5)
    for weight in block.weights:
        weight.assign(1.5 * weight)
    assert np.abs(folded(inputs)[0] - block(inputs)[0]).max() > 1e-2
    folded.refold()
    assert_same([folded(inputs)[0]], [block(inputs)[0]], 1e-5)


def test_folded_block_is_saved_without_the_large_kernel(tmp_path) -> None:
    _, block = pair("gru", width=50)
    folded = fold(block)
    folded.run = tf.function(lambda inputs: folded(inputs)[0], input_signature=[tf.TensorSpec([None, None, 50])])
    tf.saved_model.save(folded, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    inputs = random(2, 4, 50)
    np.testing.assert_allclose(loaded.run(inputs), block(inputs)[0], atol=1e-5)
    stored = tf.train.list_variables(str(tmp_path / "variables" / "variables"))
    assert max(int(np.prod(shape)) for _, shape in stored) == 50 * 3 * UNITS


@pytest.mark.parametrize(
    ("cell", "attention_length", "options"),
    [
        ("gru", 0, {}),
        ("gru", 5, {"fused": False}),
        ("gru", 5, {"dtype": tf.keras.mixed_precision.Policy("mixed_bfloat16")}),
        ("gru_residual", 5, {}),
    ],
)
def test_block_without_a_fused_form_runs_as_written_and_says_that_it_cannot_be_folded(cell, attention_length, options):
    block = RecurrentBlock(cell, 2, UNITS, attention_length, **options)
    assert block(random(2, 3, WIDTH))[0].shape == (2, 3, UNITS)
    with pytest.raises(ValueError, match=r"no fused form|cannot be folded"):
        fold(block)


@pytest.mark.parametrize("cell", FUSED)
def test_cells_with_a_fused_form_use_it_by_default(cell: str) -> None:
    assert fusible(RecurrentBlock(cell, 2, UNITS, WINDOW).cell)
