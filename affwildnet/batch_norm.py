"""Batch norm over the replicas of a training."""

from __future__ import annotations

import tensorflow as tf


def synchronise_batch_norm(model: tf.keras.Model) -> int:
    """Lets every batch norm of `model` take its statistics over all replicas' frames; returns how many there are.

    Each replica's own would be those of a smaller batch. The sums go another way than a single device's (E x² - (E x)²,
    and not the fused kernel), so that weights drift apart by some 1e-3 within ten steps.
    """
    layers = [layer for layer in model.submodules if isinstance(layer, tf.keras.layers.BatchNormalization)]
    for layer in layers:
        # What the layer's constructor sets for synchronized=True; keras.applications' layers are made without.
        layer.synchronized, layer.fused = True, False
    return len(layers)
