"""The thesis's CNNs give the features that the original graphs gave."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.backbones.tf1_names import tf1_weights


def original_features(backbone: str, golden: Any, colours: slice) -> np.ndarray:
    """Features (N, D) of the golden faces by our `backbone` with the golden variables."""
    model = BACKBONES[backbone].build(96)
    weights, variables = tf1_weights(model), golden.variables()
    assert len(weights) == len(model.weights)
    for name, weight in weights.items():
        weight.assign(variables[name])
    faces = (golden.faces.reshape(-1, 96, 96, 3)[..., colours].astype(np.float32) - 128) / 128
    return model(faces, training=False).numpy()


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    """1e-3 relative; values near 0, of which ReLU and the mean leave some, relative to the largest."""
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    "name",
    [
        "densenet121",
        pytest.param("densenet161", marks=pytest.mark.slow),
        pytest.param("densenet169", marks=pytest.mark.slow),
    ],
)
def test_densenet_gives_the_thesis_features(name: str, golden_network: Callable[[str], Any]) -> None:
    golden = golden_network(f"thesis_{name}")
    assert set(tf1_weights(BACKBONES[name].build(96))) == set(golden.shapes())
    assert_close(original_features(name, golden, np.s_[::-1]), golden.stored["features"])


@pytest.mark.parametrize(
    ("backbone", "architecture"), [("resnet50", "released_resnet_gru"), ("vggface", "released_vggface_gru")]
)
def test_backbone_gives_the_released_features(
    backbone: str, architecture: str, golden_network: Callable[[str], Any]
) -> None:
    golden = golden_network(architecture)
    features = original_features(backbone, golden, np.s_[:])
    assert_close(features.mean(axis=1), golden.stored["features_mean"][0])
    assert_close(features[:, :8], golden.stored["features_first8"][0])


def test_resnet_blocks_end_at_12_6_3_3() -> None:
    model = BACKBONES["resnet50"].build(96)
    layers = [
        model.get_layer(f"resnet_v1_50/block{b}/unit_{u}/bottleneck_v1/relu") for b, u in enumerate((3, 4, 6, 3), 1)
    ]
    assert [layer.output_shape[1] for layer in layers] == [12, 6, 3, 3]


def test_names_of_the_original_variables() -> None:
    names = list(tf1_weights(BACKBONES["vggface"].build(96)))
    assert names == [f"conv_{i}/{part}" for i in range(1, 14) for part in ("weights", "biases")]


def test_batch_norm_has_the_thesis_constants() -> None:
    for backbone, momentum, epsilon in [("resnet50", 0.997, 1e-5), ("densenet121", 0.99, 1.1e-5)]:
        layers = BACKBONES[backbone].build(96).layers
        norms = [layer for layer in layers if isinstance(layer, tf.keras.layers.BatchNormalization)]
        assert norms and {(norm.momentum, norm.epsilon) for norm in norms} == {(momentum, epsilon)}
