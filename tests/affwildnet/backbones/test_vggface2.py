"""keras-vggface's networks with its traps put right."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.compat import import_vggface


@pytest.mark.parametrize("name", ["resnet50_vggface2_ft", "senet50_vggface2_ft"])
def test_batch_norm_has_the_epsilon_of_the_weights_and_pool1_rounds_up(name: str) -> None:
    backbone = BACKBONES[name].build(96)
    norms = [layer for layer in backbone.layers if isinstance(layer, tf.keras.layers.BatchNormalization)]
    assert len(norms) == 53 and {norm.epsilon for norm in norms} == {1e-5}
    pools = [layer for layer in backbone.layers if isinstance(layer, tf.keras.layers.MaxPooling2D)]
    assert [pool.output_shape[1] for pool in pools] == [24]
    assert backbone.layers[-2].output_shape[1:] == (3, 3, 2048)


def test_published_names_and_shapes_are_kept_so_that_the_published_file_fits() -> None:
    published = import_vggface().VGGFace(include_top=False, model="resnet50", weights=None, input_shape=(224, 224, 3))
    ours = {
        layer.name: [w.shape for w in layer.weights] for layer in BACKBONES["resnet50_vggface2_ft"].build(96).layers
    }
    for layer in published.layers:
        if layer.weights:
            assert ours[layer.name] == [weight.shape for weight in layer.weights]


def test_at_224_it_differs_from_the_published_layout_by_epsilon_and_pool1_alone() -> None:
    """With both put back, its map before the pool is keras-vggface's to rounding."""
    published = import_vggface().VGGFace(include_top=False, model="resnet50", weights=None, input_shape=(224, 224, 3))
    backbone = BACKBONES["resnet50_vggface2_ft"].build(224)
    for layer in published.layers:
        if layer.weights:
            backbone.get_layer(layer.name).set_weights(layer.get_weights())
    face = np.random.default_rng(1).uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32)
    for layer in published.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.epsilon = 1e-5
        if isinstance(layer, tf.keras.layers.MaxPooling2D):
            layer.padding = "same"
    cut = tf.keras.Model(published.input, published.get_layer("avg_pool").input)
    rebuilt = tf.keras.models.clone_model(cut)
    rebuilt.set_weights(cut.get_weights())
    expected = rebuilt(face).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(backbone(face), expected, rtol=1e-4, atol=1e-5)
