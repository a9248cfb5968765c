"""Backbones by name: networks from one face to its features; a new one is a file here and an entry in `BACKBONES`.

A builder takes the side of the faces in pixels and returns a `tf.keras.Model` from float (N, S, S, 3), normalised and
in the network's colour order, to features (N, D).
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from affwildnet.backbones.small_cnn import small_cnn

BACKBONES: dict[str, Callable[[int], tf.keras.Model]] = {
    "small_cnn": small_cnn,
}
