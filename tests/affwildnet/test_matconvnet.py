"""Files as MatConvNet publishes them fill CNN-M; a wrong one names the first layer that does not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import tensorflow as tf

from affwildnet.backbone_weights import load_backbone_weights
from affwildnet.input_spec import InputSpec
from affwildnet.matconvnet import read_matconvnet_layers
from affwildnet.models import AffWildNet, ModelOptions, build_model
from tfrecords.errors import InputError

# imagenet-vgg-m.mat; its fully connected layers are convolutions too, with fewer channels here.
KERNELS = {
    "conv1": (7, 7, 3, 96),
    "conv2": (5, 5, 96, 256),
    "conv3": (3, 3, 256, 512),
    "conv4": (3, 3, 512, 512),
    "conv5": (3, 3, 512, 512),
    "fc6": (6, 6, 512, 2),
    "fc7": (1, 1, 2, 3),
    "fc8": (1, 1, 3, 4),
}


def network(backbone: str) -> AffWildNet:
    tf.keras.utils.set_random_seed(1)
    return build_model(ModelOptions(backbone=backbone, cell="none"), InputSpec())


def arrays(kernels: dict[str, tuple[int, ...]]) -> dict[str, list[np.ndarray]]:
    rng = np.random.default_rng(2)
    return {
        name: [rng.standard_normal(shape, np.float32), rng.standard_normal(shape[-1], np.float32)]
        for name, shape in kernels.items()
    }


def publish(path: Path, weights: dict[str, list[np.ndarray]], older: bool = False) -> Path:
    """`weights` as a file of a simple network: a cell array of structures, rows of biases, layers without weights."""
    layers: list[dict[str, Any]] = []
    for name, (kernel, bias) in weights.items():
        layer: dict[str, Any] = {"name": name, "type": "conv", "stride": [[1.0, 1.0]], "pad": [[0.0] * 4]}
        if older:
            layer |= {"filters": kernel, "biases": bias[np.newaxis]}
        else:
            layer["weights"] = np.empty((1, 2), object)
            layer["weights"][0, 0], layer["weights"][0, 1] = kernel, bias[np.newaxis]
        layers += [layer, {"name": f"relu_{name}", "type": "relu", **({} if older else {"weights": np.empty((0, 0))})}]
    cells = np.empty((1, len(layers)), object)
    cells[0, :] = layers
    meta = {"normalization": {"averageImage": np.full((1, 1, 3), 120.0, np.float32)}}
    scipy.io.savemat(path, {"layers": cells, "meta": meta})
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[np.ndarray]]]:
    weights = arrays(KERNELS)
    return publish(tmp_path_factory.mktemp("published") / "imagenet-vgg-m.mat", weights), weights


@pytest.mark.parametrize("older", [False, True])
def test_convolutions_of_either_form_are_read_with_their_names_and_axes(older: bool, tmp_path: Path) -> None:
    # One filter, one channel and one bias: axes of 1 stay.
    weights = arrays({"conv1": (5, 3, 1, 4), "fc": (1, 1, 4, 1)})
    read = read_matconvnet_layers(publish(tmp_path / "net.mat", weights, older))
    assert list(read) == list(weights)
    for name, expected in weights.items():
        for array, other in zip(read[name], expected, strict=True):
            assert array.dtype == np.float32
            np.testing.assert_array_equal(array, other)


def test_cnn_m_is_filled_layer_by_layer_and_the_classifier_is_left(
    published: tuple[Path, dict[str, list[np.ndarray]]],
) -> None:
    path, weights = published
    model = network("cnn_m")
    assert load_backbone_weights(model, str(path)) == f"cnn_m from {path}; not used: fc6, fc7, fc8"
    filled = {layer.name: layer.get_weights() for layer in model.backbone.layers if layer.weights}
    assert list(filled) == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    for name, ours in filled.items():
        for one, other in zip(ours, weights[name], strict=True):
            np.testing.assert_array_equal(one, other)


def test_batch_norms_that_the_file_lacks_stay_as_they_start_and_are_named(
    published: tuple[Path, dict[str, list[np.ndarray]]],
) -> None:
    path, weights = published
    model = network("cnn_m_batch_norm")
    message = load_backbone_weights(model, str(path))
    assert message.endswith("; not used: fc6, fc7, fc8; not in it, so as they start: norm1, norm2")
    np.testing.assert_array_equal(model.backbone.get_layer("conv2").kernel, weights["conv2"][0])
    for value, start in zip(model.backbone.get_layer("norm1").get_weights(), (1, 0, 0, 1), strict=True):
        np.testing.assert_array_equal(value, np.full(96, start))


def test_fetched_file_is_found_by_its_name(published: tuple[Path, dict[str, list[np.ndarray]]], tmp_path: Path) -> None:
    (tmp_path / "imagenet-vgg-m.mat").symlink_to(published[0])
    model = network("cnn_m")
    load_backbone_weights(model, "cnn_m", tmp_path)
    np.testing.assert_array_equal(model.backbone.get_layer("conv5").bias, published[1]["conv5"][1])


def test_wrong_file_names_the_first_layer_that_does_not_fit_and_nothing_is_loaded(tmp_path: Path) -> None:
    # VGG-F's third convolution is the first of another shape, where the first two are CNN-M's.
    shapes = {**KERNELS, "conv3": (3, 3, 256, 256), "conv4": (3, 3, 256, 256)}
    model = network("cnn_m")
    before = model.backbone.get_weights()
    message = r"f.mat: its layer 'conv3' has shapes \[\(3, 3, 256, 256\), \(256,\)\], but 'conv3' of cnn_m takes"
    with pytest.raises(InputError, match=message):
        load_backbone_weights(model, str(publish(tmp_path / "f.mat", arrays(shapes))))
    short = {name: shape for name, shape in KERNELS.items() if name in ("conv1", "conv2", "conv3")}
    with pytest.raises(InputError, match=r"short.mat: the layer 'conv4' of cnn_m is not in it"):
        load_backbone_weights(model, str(publish(tmp_path / "short.mat", arrays(short))))
    for old, new in zip(before, model.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_is_no_network_of_matconvnet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mat").write_text("this is a text, and no file of MATLAB. " * 10)
    (tmp_path / "empty.mat").write_bytes(b"")
    whole = publish(tmp_path / "whole.mat", arrays({"conv1": (7, 7, 3, 96)})).read_bytes()
    (tmp_path / "cut.mat").write_bytes(whole[: len(whole) // 2])
    scipy.io.savemat(tmp_path / "other.mat", {"x": np.zeros(3)})
    # What MATLAB writes by save(…, '-v7.3') starts so; the rest is HDF5.
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + b"\x00\x02IM"
    (tmp_path / "new.mat").write_bytes(header + bytes(384))
    for file, message in [
        ("gone.mat", "the file is missing"),
        ("text.mat", "this is no file of MATLAB"),
        ("empty.mat", "this is no file of MATLAB"),
        ("cut.mat", "this is no file of MATLAB"),
        ("other.mat", "it has no variable 'layers'"),
        ("new.mat", "it is a file of MATLAB's version 7.3"),
    ]:
        with pytest.raises(InputError, match=f"{file}: {message}"):
            read_matconvnet_layers(tmp_path / file)
