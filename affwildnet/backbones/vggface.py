"""VGG-16's convolutions as the thesis built them for VGGFace, under the names of its checkpoints."""

from __future__ import annotations

import tensorflow as tf

# Filters of the convolutions between two pools.
STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def vggface(input_size: int = 96) -> tf.keras.Model:
    """13 convolutions 3x3 with ReLU and 5 pools 2x2, all `SAME` -> the last pool flattened, (N, 4608) at 96 pixels.

    Row, column, channel is the order of the flattened values, TensorFlow's; the thesis's RNN and `linear_1` read it so.
    """
    layers = tf.keras.layers
    faces = x = tf.keras.Input((input_size, input_size, 3), name="faces")
    number = 0
    for stage, widths in enumerate(STAGES, start=1):
        for filters in widths:
            number += 1
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv_{number}")(x)
        x = layers.MaxPool2D(2, padding="same", name=f"pool_{stage}")(x)
    return tf.keras.Model(faces, layers.Flatten(name="features")(x), name="vggface")
