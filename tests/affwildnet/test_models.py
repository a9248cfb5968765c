"""The whole network: input, batching, state, parts, checkpoints and export."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.input_spec import InputSpec
from affwildnet.models import AffWildNet, ModelOptions, build_model, normalise

SPEC = InputSpec(size=32)


def small_model(seed: int = 1, **options: object) -> AffWildNet:
    tf.keras.utils.set_random_seed(seed)
    return build_model(ModelOptions(**{"units": 8, "attention_length": 4, **options}), SPEC)


def random_faces(batch: int = 2, frames: int = 6) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (batch, frames, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def model() -> AffWildNet:
    return small_model()


@pytest.fixture(scope="module")
def cnn_only() -> AffWildNet:
    return small_model(cell="none")


def test_network_sees_bgr_in_minus_1_to_1() -> None:
    face = np.array([0, 128, 255], np.uint8)
    np.testing.assert_array_equal(normalise(face, InputSpec()), [127 / 128, 0, -1])
    np.testing.assert_array_equal(normalise(face, InputSpec(colour_order="rgb")), [-1, 0, 127 / 128])


def test_backbone_gets_normalised_bgr_faces(model: AffWildNet) -> None:
    faces = random_faces()
    bgr = (faces[..., ::-1].astype(np.float32) - 128) / 128
    expected = model.backbone(bgr.reshape(-1, 32, 32, 3))
    np.testing.assert_allclose(model.features(faces), tf.reshape(expected, [2, 6, -1]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", ["none", "gru"])
def test_predictions_do_not_depend_on_batching(cell: str) -> None:
    model, faces = small_model(cell=cell), random_faces(batch=3)
    together = model(faces)
    assert together.shape == (3, 6, 2) and together.dtype == tf.float32
    apart = tf.concat([model(faces[i : i + 1]) for i in range(3)], axis=0)
    np.testing.assert_allclose(apart, together, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", ["none", "gru"])
def test_pieces_with_state_equal_one_run_in_a_graph_of_unknown_sizes(cell: str) -> None:
    model, faces = small_model(cell=cell), random_faces()
    states = [tf.TensorSpec([None, part.shape[1]]) for part in model.zero_state(1)]
    step = tf.function(model.run, input_signature=[tf.TensorSpec([None, None, 32, 32, 3], tf.uint8), states])
    first, state = step(faces[:, :2], model.zero_state(2))
    second, _ = step(faces[:, 2:], state)
    np.testing.assert_allclose(tf.concat([first, second], axis=1), model(faces), rtol=1e-4, atol=1e-5)


def test_cnn_only_reads_its_features_directly(cnn_only: AffWildNet) -> None:
    faces = random_faces()
    kernel, bias = cnn_only.head.get_weights()
    assert cnn_only.block is None and cnn_only.zero_state(2) == []
    np.testing.assert_allclose(cnn_only(faces), cnn_only.features(faces) @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_head_starts_glorot_uniform_with_bias_0(model: AffWildNet) -> None:
    kernel, bias = model.head.get_weights()
    limit = np.sqrt(6 / (8 + 2))
    assert kernel.shape == (8, 2) and not bias.any()
    assert 0.5 * limit < np.abs(kernel).max() <= limit


def test_default_network_has_the_thesis_block() -> None:
    model = build_model(ModelOptions(), InputSpec())
    assert model.block.state_size == [128, 128, 128, 30 * 128]
    assert model.head.kernel.shape == (128, 2)


def test_frozen_backbone_leaves_block_and_head_trainable() -> None:
    model = small_model()
    model.backbone.trainable = False
    trained = {weight.ref() for weight in model.trainable_variables}
    assert trained == {weight.ref() for weight in [*model.block.weights, *model.head.weights]}


def test_every_weight_gets_a_gradient() -> None:
    model = small_model()
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.square(model(random_faces(), training=True)))
    gradients = tape.gradient(total, model.trainable_variables)
    assert all(gradient is not None for gradient in gradients)


def test_backbone_alone_is_restored_from_a_checkpoint_of_another_network(cnn_only: AffWildNet, tmp_path: Path) -> None:
    path = tf.train.Checkpoint(model=cnn_only).write(str(tmp_path / "cnn"))
    model = small_model(seed=2)
    head = model.head.get_weights()
    restored = tf.train.Checkpoint(model=tf.train.Checkpoint(backbone=model.backbone)).read(path)
    restored.assert_existing_objects_matched().expect_partial()
    for ours, theirs in zip(model.backbone.get_weights(), cnn_only.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(model.head.get_weights()[0], head[0])


def test_checkpoint_restores_the_whole_network(model: AffWildNet, tmp_path: Path) -> None:
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / "model"))
    again = small_model(seed=2)
    tf.train.Checkpoint(model=again).read(path).assert_consumed()
    np.testing.assert_array_equal(again(random_faces()), model(random_faces()))


def test_mixed_precision_predicts_in_float32() -> None:
    faces = random_faces()
    exact = small_model()(faces)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = small_model()
        predictions = model(faces)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    assert predictions.dtype == tf.float32 and {weight.dtype for weight in model.weights} == {tf.float32}
    assert model.features(faces).dtype == tf.bfloat16
    np.testing.assert_allclose(predictions, exact, atol=0.1)


def test_unknown_backbone_names_the_backbones_there_are() -> None:
    with pytest.raises(ValueError, match=r"there is no backbone 'vgg'; choose from .*small_cnn"):
        build_model(ModelOptions(backbone="vgg"), SPEC)


LOAD_ELSEWHERE = """
import json, sys
import numpy as np
import tensorflow as tf
network = tf.saved_model.load(sys.argv[1])
faces = np.load(sys.argv[2])
whole = network.sequences(faces)
first, state = network.step(faces[:, :2], network.zero_state(len(faces)))
second, _ = network.step(faces[:, 2:], state)
assert not any(name.split(".")[0] in ("affwildnet", "tfrecords") for name in sys.modules)
print(json.dumps([whole.numpy().tolist(), np.concatenate([first, second], 1).tolist()]))
"""


class Exported(tf.Module):
    """Whole sequences of any size, and pieces with explicit state."""

    def __init__(self, model: AffWildNet) -> None:
        super().__init__()
        # The variables alone: tracking the model would make TensorFlow save its Keras classes, too.
        self.weights = list(model.variables)
        faces = tf.TensorSpec([None, None, 32, 32, 3], tf.uint8)
        states = [tf.TensorSpec([None, part.shape[1]]) for part in model.zero_state(1)]
        self.sequences = tf.function(lambda faces: model(faces), input_signature=[faces])
        self.step = tf.function(lambda faces, state: model.run(faces, state), input_signature=[faces, states])
        self.zero_state = tf.function(model.zero_state, input_signature=[tf.TensorSpec([], tf.int32)])


@pytest.mark.slow
def test_exported_module_runs_in_a_process_without_our_code(model: AffWildNet, tmp_path: Path) -> None:
    tf.saved_model.save(Exported(model), str(tmp_path / "export"))
    faces = random_faces(batch=3, frames=5)
    np.save(tmp_path / "faces.npy", faces)
    command = [sys.executable, "-I", "-c", LOAD_ELSEWHERE, str(tmp_path / "export"), str(tmp_path / "faces.npy")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for predictions in json.loads(result.stdout.splitlines()[-1]):
        np.testing.assert_allclose(predictions, model(faces), rtol=1e-4, atol=1e-5)
