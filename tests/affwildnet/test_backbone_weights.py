"""Weight files in the publishers' formats fill the backbones; a wrong one names the first layer that does not fit."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorflow as tf

from affwildnet.backbone_weights import load_backbone_weights
from affwildnet.backbones.tf1_names import tf1_weights
from affwildnet.compat import import_vggface
from affwildnet.input_spec import InputSpec
from affwildnet.models import AffWildNet, ModelOptions, build_model
from tfrecords.errors import InputError

Write = Callable[[Path, dict[str, np.ndarray]], Path]


def network(backbone: str) -> AffWildNet:
    tf.keras.utils.set_random_seed(1)
    return build_model(ModelOptions(backbone=backbone, cell="none"), InputSpec())


def publish(model: tf.keras.Model, path: Path) -> Path:
    """Random weights of `model` in `path`, as `save_weights` of its publisher wrote them."""
    rng = np.random.default_rng(2)
    model.set_weights([(0.05 * rng.standard_normal(w.shape)).astype(np.float32) for w in model.get_weights()])
    model.save_weights(path)
    return path


def keras_vggface(architecture: str, size: int) -> tf.keras.Model:
    vggface = import_vggface().VGGFace
    return vggface(include_top=False, model=architecture, weights=None, input_shape=(size, size, 3))


def assert_filled_by_names(model: AffWildNet, published: tf.keras.Model) -> None:
    """Every layer of the backbone has the weights of the published one of its name, and none is left over."""
    theirs = {layer.name: layer for layer in published.layers if layer.weights}
    assert {layer.name for layer in model.backbone.layers if layer.weights} == set(theirs)
    for name, layer in theirs.items():
        for one, other in zip(model.backbone.get_layer(name).weights, layer.weights, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def vggface_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[np.ndarray]]:
    published = keras_vggface("vgg16", 96)
    path = publish(published, tmp_path_factory.mktemp("published") / "rcmalli_vggface_tf_notop_vgg16.h5")
    return path, published.get_weights()


def test_vggface_reads_keras_vggfaces_file_layer_by_layer(vggface_file: tuple[Path, list[np.ndarray]]) -> None:
    path, weights = vggface_file
    model = network("vggface")
    assert load_backbone_weights(model, str(path)) == f"vggface from {path}"
    for ours, theirs in zip(model.backbone.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_file_with_the_classifier_gives_its_convolutions_and_names_what_is_left(
    vggface_file: tuple[Path, list[np.ndarray]], tmp_path: Path
) -> None:
    path = tmp_path / "rcmalli_vggface_tf_vgg16.h5"
    path.write_bytes(vggface_file[0].read_bytes())
    with h5py.File(path, "a") as file:
        group = file.create_group("fc6")
        group["fc6/kernel:0"], group["fc6/bias:0"] = np.zeros((4, 3)), np.zeros(3)
        group.attrs["weight_names"] = [b"fc6/kernel:0", b"fc6/bias:0"]
        file.attrs["layer_names"] = [*file.attrs["layer_names"], "fc6"]
    model = network("vggface")
    assert load_backbone_weights(model, str(path)).endswith("; not used: fc6")
    np.testing.assert_array_equal(model.backbone.get_weights()[0], vggface_file[1][0])


def test_resnet_of_vggface2_reads_keras_vggfaces_file_by_names(tmp_path: Path) -> None:
    published = keras_vggface("resnet50", 224)
    path = publish(published, tmp_path / "resnet50.h5")
    model = network("resnet50_vggface2_scratch")
    load_backbone_weights(model, str(path))
    assert_filled_by_names(model, published)
    with pytest.raises(
        InputError, match=r"resnet50.h5: the layer 'conv2_1_1x1_down' of senet50_vggface2_ft is not in it"
    ):
        load_backbone_weights(network("senet50_vggface2_ft"), str(path))


@pytest.mark.slow
def test_senet_of_vggface2_reads_keras_vggfaces_file_by_names(tmp_path: Path) -> None:
    published = keras_vggface("senet50", 224)
    path = publish(published, tmp_path / "rcmalli_vggface_tf_notop_senet50.h5")
    model = network("senet50_vggface2_ft")
    assert load_backbone_weights(model, str(path)) == f"senet50_vggface2_ft from {path}"
    assert_filled_by_names(model, published)


@pytest.mark.parametrize(
    ("backbone", "application"),
    [
        ("vgg16", "VGG16"),
        pytest.param("resnet50_keras", "ResNet50", marks=pytest.mark.slow),
        pytest.param("densenet121_keras", "DenseNet121", marks=pytest.mark.slow),
    ],
)
def test_keras_applications_file_fills_its_backbone(backbone: str, application: str, tmp_path: Path) -> None:
    builder = getattr(tf.keras.applications, application)
    published = builder(include_top=False, weights=None, input_shape=(96, 96, 3))
    path = publish(published, tmp_path / "notop.h5")
    model = network(backbone)
    assert load_backbone_weights(model, str(path)) == f"{backbone} from {path}"
    assert_filled_by_names(model, published)


def test_slims_checkpoint_fills_resnet_and_its_classifier_and_step_are_left(
    golden_network: Callable[[str], Any], write_tf1_checkpoint: Write, tmp_path: Path
) -> None:
    released = golden_network("released_resnet_gru").variables()
    variables = {name: value for name, value in released.items() if name.startswith("resnet_v1_50/")}
    logits = {
        "resnet_v1_50/logits/weights": np.zeros((1, 1, 2048, 1000), np.float32),
        "resnet_v1_50/logits/biases": np.zeros(1000, np.float32),
    }
    rest = {"resnet_v1_50/mean_rgb": np.zeros(3, np.float32), "global_step": np.array(500, np.int64)}
    path = write_tf1_checkpoint(tmp_path / "resnet_v1_50.ckpt", {**variables, **logits, **rest})
    model = network("resnet50")
    left = ["global_step", "resnet_v1_50/logits/biases", "resnet_v1_50/logits/weights", "resnet_v1_50/mean_rgb"]
    assert load_backbone_weights(model, str(path)) == f"resnet50 from {path}; not used: {', '.join(left)}"
    named = tf1_weights(model.backbone)
    assert set(named) == set(variables)
    for name, weight in named.items():
        np.testing.assert_array_equal(weight, variables[name])


def test_pudaes_checkpoint_fills_densenet_and_its_classifier_is_left(
    golden_network: Callable[[str], Any], write_tf1_checkpoint: Write, tmp_path: Path
) -> None:
    variables = golden_network("thesis_densenet121").variables()
    logits = {"densenet121/logits/weights": np.zeros((1, 1, 1024, 1000), np.float32)}
    path = write_tf1_checkpoint(tmp_path / "tf-densenet121.ckpt", {**variables, **logits})
    model = network("densenet121")
    assert load_backbone_weights(model, str(path)).endswith("; not used: densenet121/logits/weights")
    for name, weight in tf1_weights(model.backbone).items():
        np.testing.assert_array_equal(weight, variables[name])


def test_layer_of_another_shape_is_named_and_nothing_is_loaded(tmp_path: Path) -> None:
    other = tf.keras.Sequential([tf.keras.Input((32, 32, 3)), tf.keras.layers.Conv2D(16, 3, name="conv1_1")])
    path = publish(other, tmp_path / "other.h5")
    model = network("small_cnn")
    before = model.backbone.get_weights()
    message = r"other.h5: its layer 'conv1_1' has shapes .*\(3, 3, 3, 16\).*, but 'conv1' of small_cnn takes \[\(5, 5"
    with pytest.raises(InputError, match=message):
        load_backbone_weights(model, str(path))
    for old, new in zip(before, model.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_file_that_ends_early_names_the_layer_that_is_missing(tmp_path: Path) -> None:
    first = tf.keras.Sequential([tf.keras.Input((32, 32, 3)), tf.keras.layers.Conv2D(16, 5, name="stem")])
    path = publish(first, tmp_path / "short.h5")
    with pytest.raises(InputError, match="it ends before the layer 'conv2' of small_cnn"):
        load_backbone_weights(network("small_cnn"), str(path))


def test_checkpoint_of_another_network_names_the_variable(write_tf1_checkpoint: Write, tmp_path: Path) -> None:
    path = write_tf1_checkpoint(tmp_path / "x.ckpt", {"conv1/weights": np.zeros((5, 5, 3, 8), np.float32)})
    with pytest.raises(
        InputError, match=r"x.ckpt: the variable 'conv1/weights' has shape \(5, 5, 3, 8\), but the back"
    ):
        load_backbone_weights(network("small_cnn"), str(path))


def test_none_loads_nothing_and_names_belong_to_their_backbones(tmp_path: Path) -> None:
    model = network("small_cnn")
    before = model.backbone.get_weights()
    assert load_backbone_weights(model, "none") == "the backbone starts at random"
    np.testing.assert_array_equal(before[0], model.backbone.get_weights()[0])
    with pytest.raises(InputError, match="'vggface' is not of the backbone small_cnn; its published file is none"):
        load_backbone_weights(model, "vggface")


def test_what_is_no_weights_file_is_refused(tmp_path: Path) -> None:
    model = network("small_cnn")
    (tmp_path / "text.h5").write_text("text")
    for path, message in [("gone.h5", "the file is missing"), ("text.h5", "this is no weights file of Keras")]:
        with pytest.raises(InputError, match=message):
            load_backbone_weights(model, str(tmp_path / path))
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(InputError, match="this is no weights file of Keras"):
        load_backbone_weights(model, str(tmp_path / "empty.h5"))


def test_theanos_mirrored_kernels_are_refused(tmp_path: Path) -> None:
    path = publish(network("small_cnn").backbone, tmp_path / "theano.h5")
    with h5py.File(path, "a") as file:
        file.attrs["backend"] = "theano"
    with pytest.raises(InputError, match="its kernels are Theano's, mirrored"):
        load_backbone_weights(network("small_cnn"), str(path))


def test_name_that_was_not_fetched_says_how(tmp_path: Path) -> None:
    model = network("small_cnn")
    # Only the name is looked at before the file is found to be missing; VGG-16 itself need not be built.
    model.options = dataclasses.replace(model.options, backbone="vgg16")
    with pytest.raises(InputError) as caught:
        load_backbone_weights(model, "vgg16", tmp_path)
    message = str(caught.value)
    assert f"the weights 'vgg16' are not in the folder {tmp_path.resolve()}" in message
    assert f"run python -m affwildnet.fetch_weights --weights=vgg16 --folder={tmp_path} where" in message
    assert "--weights_folder" in message
