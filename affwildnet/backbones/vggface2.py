"""ResNet-50 and SE-ResNet-50 of VGGFace2, as keras-vggface lays them out, with what it gets wrong put right.

| keras-vggface | here |
| --- | --- |
| ends in a 7x7 pool, so refuses faces below 197 pixels | built at 224, cut before that pool, rebuilt at any size |
| batch norm's epsilon 1e-3 (ResNet) and 1e-4 (SENet) | 1e-5, with which the weights were trained |
| `valid` padding of the first pool | `same`: Caffe rounds pools up, so the weights saw the last row and column |

Its first convolution is padded `same`, Caffe's evenly: at even sizes that moves the picture by one pixel, and is kept.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

EPSILON = 1e-5


def vggface2(architecture: str) -> Callable[[int], tf.keras.Model]:
    """A builder of keras-vggface's `architecture` (``resnet50`` or ``senet50``): the global average pool, (N, 2048)."""

    def build(input_size: int = 96) -> tf.keras.Model:
        # Imported here: keras-vggface comes with aliases of Keras's modules that other networks do not need.
        from affwildnet.compat import import_vggface

        # The classifier is no part of it, so nothing but the pool depends on the size.
        published = import_vggface().VGGFace(
            include_top=False, model=architecture, weights=None, input_shape=(224, 224, 3)
        )
        before_pool = published.get_layer("avg_pool").input
        cut = tf.keras.Model(published.input, before_pool)
        faces = tf.keras.Input((input_size, input_size, 3), name="faces")
        corrected = tf.keras.models.clone_model(cut, input_tensors=faces, clone_function=_correct)
        pool = tf.keras.layers.GlobalAveragePooling2D(name="features")
        return tf.keras.Model(faces, pool(corrected.output), name=f"{architecture}_vggface2")

    return build


def _correct(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
    """A new layer with the same weights' shapes and the values of the table above."""
    config = layer.get_config()
    if isinstance(layer, tf.keras.layers.BatchNormalization):
        config["epsilon"] = EPSILON
    if isinstance(layer, tf.keras.layers.MaxPooling2D):
        config["padding"] = "same"
    return type(layer).from_config(config)
