"""The whole network: faces -> backbone -> recurrent block -> linear head -> valence and arousal of every frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.cells import CELLS
from affwildnet.input_spec import COLOUR_ORDERS, InputSpec
from affwildnet.keras_check import require_keras_2
from affwildnet.recurrent import RecurrentBlock
from tfrecords.options import option


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """Which network to build (SPEC.md, "Model")."""

    backbone: str = option("small_cnn", "the CNN that turns a face into features", sorted(BACKBONES))
    cell: str = option("gru", "the recurrent cell; none reads the CNN's features directly", ["none", *sorted(CELLS)])
    layers: int = option(2, "recurrent layers")
    units: int = option(128, "units a recurrent layer")
    attention_length: int = option(30, "frames in the attention window; 0 for none")
    outputs: tuple[str, ...] = option(("valence", "arousal"), "what the linear layer predicts")


def normalise(faces: tf.Tensor, spec: InputSpec) -> tf.Tensor:
    """uint8 RGB faces (..., 3) -> float32 in the network's colour order, ``(x - mean) / scale``."""
    faces = tf.cast(faces, tf.float32)
    if spec.colour_order == "bgr":
        faces = tf.reverse(faces, axis=[-1])
    return (faces - spec.mean) / spec.scale


class AffWildNet(tf.keras.Model):
    """One network; make it with `build_model`, which also creates its weights.

    Attributes: `backbone` (tf.keras.Model), `block` (RecurrentBlock, or None for a CNN alone), `head` (Dense without
    activation), each of them trainable and restorable apart from the others; `options`; `face_spec`.
    """

    def __init__(self, options: ModelOptions, face_spec: InputSpec) -> None:
        super().__init__(name="affwildnet")
        self.options = options
        self.face_spec = face_spec
        self.backbone = BACKBONES[options.backbone](face_spec.size)
        self.block = None
        if options.cell != "none":
            self.block = RecurrentBlock(
                options.cell, options.layers, options.units, options.attention_length, name="block"
            )
        # float32 under mixed precision too: the CCC compares small differences.
        self.head = tf.keras.layers.Dense(len(options.outputs), name="head", dtype="float32")

    def features(self, faces: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The backbone's features (B, T, D) of uint8 RGB faces (B, T, S, S, 3)."""
        shape = tf.shape(faces)
        size = self.face_spec.size
        frames = normalise(tf.reshape(faces, [-1, size, size, 3]), self.face_spec)
        features = self.backbone(frames, training=training)
        return tf.reshape(features, [shape[0], shape[1], self.backbone.output_shape[-1]])

    def zero_state(self, batch: int | tf.Tensor) -> list[tf.Tensor]:
        """The state at the start of `batch` sequences; [] for a CNN alone."""
        return self.block.zero_state(batch) if self.block is not None else []

    def run(
        self, faces: tf.Tensor, state: Sequence[tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Predicts a piece of longer sequences and returns the state for the next piece.

        Args:
          faces: (B, T, S, S, 3) uint8 RGB; B and T may be unknown in a graph.
          state: from `zero_state` for the first piece, then from the piece before.
          training: whether the backbone's batch norm, if any, runs on batch statistics.

        Returns:
          predictions (B, T, len(outputs)) float32, not bounded to [-1, 1]; the new state.
        """
        return self.predict_features(self.features(faces, training), state)

    def predict_features(self, features: tf.Tensor, state: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """`run` from features (B, T, D) on; a frozen backbone's features can be computed once and kept."""
        if self.block is None:
            return self.head(features), []
        outputs, new_state = self.block(features, initial_state=state)
        return self.head(outputs), new_state

    def call(self, faces: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Predictions (B, T, len(outputs)) float32 of whole sequences (B, T, S, S, 3) uint8 RGB, from zero state."""
        return self.run(faces, self.zero_state(tf.shape(faces)[0]), training)[0]


def build_model(options: ModelOptions, input_spec: InputSpec) -> AffWildNet:
    """Builds the network and creates its weights (initial values as SPEC.md has them).

    Raises:
      ValueError: an option names nothing that exists.
      RuntimeError: `tf.keras` is Keras 3.
    """
    require_keras_2()
    for name, value, known in (
        ("backbone", options.backbone, BACKBONES),
        ("cell", options.cell, ("none", *CELLS)),
        ("colour order", input_spec.colour_order, COLOUR_ORDERS),
    ):
        if value not in known:
            raise ValueError(f"there is no {name} {value!r}; choose from {', '.join(sorted(known))}")
    model = AffWildNet(options, input_spec)
    model(tf.zeros([1, 1, input_spec.size, input_spec.size, 3], tf.uint8))
    return model
