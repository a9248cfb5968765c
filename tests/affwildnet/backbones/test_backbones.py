"""Every registered backbone with one vector of features passes the same checks; FATAUVA-Net: test_fatauva.py."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.backbones.backbone import decayed_kernels, last_convolution_variables, weight_decay_loss
from affwildnet.pretrained_files import PRETRAINED_FILES

WIDTHS = {
    "cnn_m": 2048,
    "cnn_m_batch_norm": 2048,
    "densenet121": 1024,
    "densenet121_keras": 1024,
    "densenet161": 2208,
    "densenet169": 1664,
    "densenet169_keras": 1664,
    "densenet201_keras": 1920,
    "resnet50": 2048,
    "resnet50_keras": 2048,
    "resnet50_vggface2_ft": 2048,
    "resnet50_vggface2_scratch": 2048,
    "senet50_vggface2_ft": 2048,
    "senet50_vggface2_scratch": 2048,
    "small_cnn": 64,
    "vgg16": 4608,
    "vggface": 4608,
}
# One of each family in the fast run; the others are of the same code with other numbers.
FAST = {"cnn_m", "densenet121", "resnet50", "resnet50_keras", "senet50_vggface2_ft", "small_cnn", "vgg16", "vggface"}
PLAIN = sorted(name for name, entry in BACKBONES.items() if entry.points == ("features",))
NAMES = [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in PLAIN]


@pytest.fixture(scope="module")
def built() -> dict[str, tf.keras.Model]:
    """Backbones by name, each built when a test first asks for it."""

    class Built(dict[str, tf.keras.Model]):
        def __missing__(self, name: str) -> tf.keras.Model:
            tf.keras.utils.set_random_seed(1)
            self[name] = BACKBONES[name].build(96)
            return self[name]

    return Built()


def test_every_backbone_has_its_width_here() -> None:
    assert set(WIDTHS) == set(PLAIN)


@pytest.mark.parametrize("name", NAMES)
def test_features_are_one_finite_vector_a_face_and_do_not_depend_on_batching(
    name: str, built: dict[str, tf.keras.Model]
) -> None:
    backbone = built[name]
    faces = np.random.default_rng(1).uniform(-1, 1, (3, 96, 96, 3)).astype(np.float32)
    features = backbone(faces, training=False).numpy()
    assert features.shape == (3, WIDTHS[name]) and np.isfinite(features).all()
    alone = np.concatenate([backbone(faces[i : i + 1], training=False) for i in range(3)])
    np.testing.assert_allclose(alone, features, rtol=1e-3, atol=1e-5)
    assert not np.allclose(features[0], features[1], rtol=1e-7, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_last_convolution_is_the_last_layer_with_a_kernel(name: str, built: dict[str, tf.keras.Model]) -> None:
    entry, backbone = BACKBONES[name], built[name]
    variables = last_convolution_variables(entry, backbone)
    convolutions = [layer for layer in backbone.layers if isinstance(layer, tf.keras.layers.Conv2D)]
    # An SE block's own convolutions come after the one that it weighs.
    last = [layer for layer in convolutions if "_1x1_down" not in layer.name and "_1x1_up" not in layer.name][-1]
    assert variables[0] is last.kernel
    assert all(variable.trainable for variable in variables)


@pytest.mark.parametrize("name", NAMES)
def test_weight_decay_covers_all_convolution_kernels_and_nothing_else(
    name: str, built: dict[str, tf.keras.Model]
) -> None:
    entry, backbone = BACKBONES[name], built[name]
    four_dimensional = {weight.ref() for weight in backbone.weights if len(weight.shape) == 4}
    kernels = decayed_kernels(backbone)
    assert {kernel.ref() for kernel in kernels} == four_dimensional and kernels
    expected = entry.weight_decay * sum(float(np.sum(np.square(kernel.numpy()))) / 2 for kernel in kernels)
    np.testing.assert_allclose(weight_decay_loss(entry, backbone), expected, rtol=1e-4)


def test_weight_decay_is_the_thesis_one() -> None:
    assert BACKBONES["vggface"].weight_decay == 0
    assert BACKBONES["resnet50"].weight_decay == 1e-4
    assert {BACKBONES[f"densenet{depth}"].weight_decay for depth in (121, 161, 169)} == {4e-5}


@pytest.mark.parametrize("name", NAMES)
def test_frozen_backbone_runs_batch_norm_in_inference_mode(name: str, built: dict[str, tf.keras.Model]) -> None:
    backbone = built[name]
    faces = np.random.default_rng(2).uniform(-1, 1, (2, 96, 96, 3)).astype(np.float32)
    before = backbone.get_weights()
    backbone.trainable = False
    try:
        np.testing.assert_array_equal(backbone(faces, training=True), backbone(faces, training=False))
    finally:
        backbone.trainable = True
    for old, new in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_published_weights_are_of_backbones_that_exist() -> None:
    assert {entry.weights for entry in BACKBONES.values()} - {""} == set(PRETRAINED_FILES) - {"yunet"}


def test_registry_builds_nothing_and_does_not_import_keras_vggface() -> None:
    code = "import sys, affwildnet.backbones; print('keras_vggface' in sys.modules, 'keras' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
