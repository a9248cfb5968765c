"""A small CNN for the demo and for tests, which trains from scratch on two cores; it is no network of the thesis."""

from __future__ import annotations

import tensorflow as tf


def small_cnn(input_size: int = 96) -> tf.keras.Model:
    """Four strided convolutions and a fully connected layer: (N, S, S, 3) float -> (N, 64), non-negative.

    Flattened, not pooled: on aligned faces it matters where the mouth's corners are. Without batch norm, so that a
    frozen backbone gives the same features in training and evaluation.
    """
    layers = tf.keras.layers
    faces = tf.keras.Input((input_size, input_size, 3), name="faces")
    x = faces
    for number, (filters, kernel) in enumerate([(16, 5), (32, 3), (64, 3), (96, 3)], start=1):
        x = layers.Conv2D(
            filters,
            kernel,
            strides=2,
            padding="same",
            activation="relu",
            kernel_initializer="he_uniform",
            name=f"conv{number}",
        )(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", kernel_initializer="he_uniform", name="features")(x)
    return tf.keras.Model(faces, x, name="small_cnn")
