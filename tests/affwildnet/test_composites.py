"""The paper's and the challenge's systems: their options, and VA-CRNN and CNN-M against SPEC.md restated in NumPy."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.cells.tf1_names import tf1_weights
from affwildnet.composites import COMPOSITES
from affwildnet.input_spec import InputSpec
from affwildnet.models import FC_STARTS, ModelOptions, build_model
from affwildnet.recurrent import RecurrentBlock
from affwildnet.train import TrainOptions
from tests.affwildnet.cells.numpy_cells import gru, within

ROOT = Path(__file__).parents[2]
SPEC = InputSpec(size=32)


def composite(name, **changed):
    names = {field.name for field in dataclasses.fields(ModelOptions)}
    chosen = {option: value for option, value in COMPOSITES[name].items() if option in names}
    tf.keras.utils.set_random_seed(3)
    return build_model(ModelOptions(**{**chosen, "backbone": "small_cnn", **changed}), SPEC)


def faces(batch=2, length=5):
    return np.random.default_rng(2).integers(0, 256, (batch, length, 32, 32, 3), np.uint8)


def relu(x, layer):
    kernel, bias = layer.get_weights()
    return np.maximum(x @ kernel + bias, 0)


@pytest.mark.parametrize("name", ["va_crnn", "va_crnn_landmarks"])
def test_va_crnn_equals_its_formulas(name):
    model = composite(name, fc=("48",))
    points = np.random.default_rng(4).uniform(-1, 1, (2, 5, 136)).astype(np.float32)
    joined = name.endswith("landmarks")
    x = model.backbone((faces().reshape(-1, 32, 32, 3)[..., ::-1].astype(np.float32) - 128) / 128).numpy()
    x = x.reshape(2, 5, -1)
    if joined:
        x = np.concatenate([x, points], axis=-1)
    x = relu(x, model.fc.layers[0])
    assert model.fc.layers[0].kernel.shape[0] == model.backbone.output_shape[-1] + 136 * joined
    weights = {key: value.numpy() for key, value in tf1_weights(model.block).items()}
    states = [np.zeros((2, 128)), np.zeros((2, 128))]
    values = []
    for t in range(5):
        h = x[:, t]
        for layer in (0, 1):
            h, (states[layer],) = gru(within(f"multi_rnn_cell/cell_{layer}/", weights), h, [states[layer]], 80)
        values.append(h @ model.head.kernel.numpy() + model.head.bias.numpy())
    given = {"landmarks_68": points} if joined else {}
    np.testing.assert_allclose(model(faces(), **given), np.stack(values, axis=1), rtol=1e-4, atol=1e-5)


def test_cnn_m_composite_is_one_relu_layer_and_a_linear_one_on_every_frame():
    model = composite("cnn_m", fc=("48",))
    x = model.features(faces()).numpy()
    kernel, bias = model.head.get_weights()
    np.testing.assert_allclose(model(faces()), relu(x, model.fc.layers[0]) @ kernel + bias, rtol=1e-4, atol=1e-4)
    assert model.block is None and COMPOSITES["cnn_m"]["loss"] == "mse"


def test_cnn_m_s_layers_start_from_a_truncated_normal_of_variance_a_tenth():
    model = composite("cnn_m")
    for kernel in (model.fc.layers[0].kernel.numpy(), model.head.kernel.numpy()):
        # Cut off at two standard deviations: √0.1 · 0.88 is what is left of the spread.
        assert np.abs(kernel).max() <= 2 * 0.1**0.5 + 1e-6
        assert abs(kernel.std() / (0.1**0.5 * 0.8796) - 1) < 0.03
    assert set(FC_STARTS) == {"glorot_uniform", "truncated_normal"}


def test_dropout_falls_between_the_recurrent_layers_in_training_only():
    tf.keras.utils.set_random_seed(5)
    block = RecurrentBlock("rnn", layers=2, units=16, attention_length=0, dropout=0.5)
    inputs = tf.random.stateless_uniform([3, 7, 4], (1, 2), -1, 1)
    exact, _ = block(inputs)
    second = block.stack.cells[1]
    # The second layer shows what it is given: tanh of its input.
    second.kernel.assign(np.concatenate([np.eye(16), np.zeros((16, 16))]))
    exact, (below, _) = block(inputs)
    dropped, (same, _) = block(inputs, training=True)
    np.testing.assert_array_equal(below, same)
    given, whole = np.arctanh(dropped), np.arctanh(exact)
    kept = given != 0
    np.testing.assert_allclose(given[kept], 2 * whole[kept], rtol=1e-3, atol=1e-4)
    assert 0.35 < kept.mean() < 0.65
    assert len({row.tobytes() for row in kept[0]}) == 7, "every frame drops other units"
    np.testing.assert_array_equal(block(inputs)[0], exact)


def test_attention_block_with_dropout_trains():
    block = RecurrentBlock("gru", layers=2, units=8, attention_length=3, dropout=0.5)
    inputs = tf.random.stateless_uniform([2, 5, 4], (1, 2), -1, 1)
    with tf.GradientTape() as tape:
        outputs, _ = block(inputs, training=True)
    assert not np.allclose(outputs, block(inputs)[0])
    assert all(gradient is not None for gradient in tape.gradient(outputs, block.trainable_variables))


def test_landmarks_without_a_layer_to_join_are_refused():
    with pytest.raises(ValueError, match="give its width"):
        composite("va_crnn_landmarks", fc=())


def test_network_that_reads_landmarks_says_so_when_it_gets_none():
    with pytest.raises(ValueError, match="68 landmarks too, and got none"):
        composite("va_crnn_landmarks", fc=("8",))(faces())


@pytest.mark.parametrize("name", sorted(COMPOSITES))
def test_composite_names_options_of_training_or_model(name):
    known = {field.name: field for owner in (ModelOptions, TrainOptions) for field in dataclasses.fields(owner)}
    for option, value in COMPOSITES[name].items():
        assert isinstance(value, type(known[option].default)), option
        choices = known[option].metadata["choices"]
        assert not choices or value in choices


def test_composite_fills_flags_that_are_not_given(tmp_path):
    program = (
        "from absl import flags; from affwildnet import train; import dataclasses\n"
        "train.train = lambda folder, workspace, run, model, chosen, *others: print(model, chosen) or 1\n"
        "train.run()"
    )
    words = ["--composite=va_crnn", "--batch=3", "--workspace=w", "--model=m", "--gpu=-1"]
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]
    for text in ("backbone='vggface'", "fc=('4096',)", "dropout=0.5", "case='0'", "batch=3", "learning_rate=0.001"):
        assert text in done.stdout
