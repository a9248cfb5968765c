"""A model whose answers are known: it counts the faces of a person since the last reset."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from affwildnet.input_spec import InputSpec


class CountingModel:
    """Valence: the face's number since the zero state; arousal: the mean of its red channel. It notes its calls."""

    spec = InputSpec(size=8)
    outputs = ("valence", "arousal")
    state_width = 1
    landmarks_68 = False
    synthetic = False

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def step(self, faces: tf.Tensor, state: tf.Tensor, landmarks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        batch, length = faces.shape[:2]
        self.calls.append((batch, length))
        counts = state.numpy() + np.arange(1, length + 1)
        red = faces.numpy()[..., 0].mean(axis=(2, 3))
        return tf.constant(np.stack([counts, red], axis=2), tf.float32), tf.constant(counts[:, -1:], tf.float32)
