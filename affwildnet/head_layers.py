"""The layers of heads by configuration (`affwildnet.heads`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from affwildnet.dropout import drop, fold_seed, random_seed
from affwildnet.heads import Head

Start = Callable[[], tf.keras.initializers.Initializer]


class HeadLayer(tf.keras.layers.Layer):
    """One head: its hidden layers and a linear one. (B, T, D) -> raw outputs (B, T, columns) float32.

    A hidden layer is fully connected without bias -> batch norm (momentum 0.99, epsilon 1e-3) -> ReLU -> dropout.
    """

    def __init__(self, head: Head, start: Start) -> None:
        super().__init__(name=head.name, dtype="float32")
        layers = tf.keras.layers
        self.dropout = head.dropout
        self.hidden = [
            layers.Dense(width, use_bias=False, kernel_initializer=start(), name=f"hidden_{number}", dtype="float32")
            for number, width in enumerate(head.hidden, start=1)
        ]
        self.norms = [
            layers.BatchNormalization(name=f"norm_{number}", dtype="float32")
            for number, _ in enumerate(head.hidden, start=1)
        ]
        self.output_layer = layers.Dense(len(head.columns), kernel_initializer=start(), name="output", dtype="float32")

    def call(self, inputs: tf.Tensor, training: bool = False, seed: tf.Tensor | None = None) -> tf.Tensor:
        """In training batch norm takes the batch's statistics, and a part is dropped by `seed`, int32 (2,)."""
        x = inputs
        for number, (dense, norm) in enumerate(zip(self.hidden, self.norms, strict=True)):
            x = tf.nn.relu(norm(dense(x), training=training))
            if training and self.dropout:
                x = drop(x, self.dropout, fold_seed(random_seed() if seed is None else seed, number))
        return self.output_layer(x)


class Heads(tf.keras.layers.Layer):
    """All heads of a network: feature points by name -> their raw outputs side by side, (B, T, K) float32.

    Attributes: `parts` (name -> `HeadLayer`), each restorable apart from the others; a checkpoint knows them by name.
    """

    def __init__(self, heads: Sequence[Head], end: str, start: Start) -> None:
        """`end` is the point of heads that name none."""
        # float32 under mixed precision too: the CCC compares small differences, and so do cross-entropies.
        super().__init__(name="head", dtype="float32")
        self.parts = {head.name: HeadLayer(head, start) for head in heads}
        self._places = [(head.name, head.point or end) for head in heads]

    def call(self, points: Mapping[str, tf.Tensor], training: bool = False, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Each point is (B, T, D) of its own D; in training `seed` decides what hidden layers drop."""
        raw = []
        for number, (name, point) in enumerate(self._places):
            own = None if seed is None else fold_seed(seed, number)
            raw.append(self.parts[name](points[point], training=training, seed=own))
        return tf.concat(raw, axis=-1)
