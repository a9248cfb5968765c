"""The whole network: faces -> backbone (-> fully connected) -> recurrent block -> heads -> values of each frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.cells import CELLS
from affwildnet.dropout import drop, fold_seed, random_seed
from affwildnet.feature_points import check_heads, feature_points, points_read
from affwildnet.head_layers import Heads
from affwildnet.heads import BLOCK, FC, FEATURES, Head, columns_of, parse_heads, to_values
from affwildnet.input_spec import COLOUR_ORDERS, InputSpec
from affwildnet.keras_check import require_keras_2
from affwildnet.recurrent import RecurrentBlock
from tfrecords.options import option

# Where heads' dropout begins: `fully_connected` counts its own from 2.
_HEADS_SEED = 1000
# (features (B, T, D), initial_state=...) -> outputs (B, T, units), final state.
Block = Callable[..., tuple[tf.Tensor, list[tf.Tensor]]]


# The thesis's, and CNN-M's truncated normal of variance 0.1 (SPEC.md, "Published results").
FC_STARTS: dict[str, Callable[[], tf.keras.initializers.Initializer]] = {
    "glorot_uniform": tf.keras.initializers.GlorotUniform,
    "truncated_normal": lambda: tf.keras.initializers.TruncatedNormal(stddev=0.1**0.5),
}


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """Which network to build (SPEC.md, "Model")."""

    backbone: str = option("small_cnn", "the CNN that turns a face into features", sorted(BACKBONES))
    cell: str = option("gru", "the recurrent cell; none reads the CNN's features directly", ["none", *sorted(CELLS)])
    layers: int = option(2, "recurrent layers")
    units: int = option(128, "units a recurrent layer")
    attention_length: int = option(30, "frames in the attention window; 0 for none")
    fc: tuple[str, ...] = option((), "widths of fully connected ReLU layers between the CNN and what follows it")
    fc_start: str = option("glorot_uniform", "what FC layers and the last layer start from", sorted(FC_STARTS))
    landmarks_68: bool = option(False, "join the face's 68 landmarks to the first fully connected layer's input")
    dropout: float = option(0.0, "part of the outputs of those layers and of each recurrent layer dropped in training")
    recurrent_limit_frames: int = option(80, "T of IndRNN's bound 2^(1/T) on |u|: the training sequences' length")
    heads: tuple[str, ...] = option(
        (),
        "heads in place of one linear layer over --outputs, each NAME:KIND:COLUMN+COLUMN[:KEY=VALUE…]: docs/heads.md",
    )
    outputs: tuple[str, ...] = option(
        ("valence", "arousal"), "what the linear layer predicts; with --heads their columns, whatever is given"
    )

    def __post_init__(self) -> None:
        """Lets `outputs` be the heads' columns; raises `InputError` where a head is not written as one."""
        if self.heads:
            object.__setattr__(self, "outputs", columns_of(parse_heads(self.heads)))


def normalise(faces: tf.Tensor, spec: InputSpec) -> tf.Tensor:
    """uint8 RGB faces (..., 3) -> float32 in the network's colour order, ``(x - mean) / scale``."""
    faces = tf.cast(faces, tf.float32)
    if spec.colour_order == "bgr":
        faces = tf.reverse(faces, axis=[-1])
    return (faces - spec.mean) / spec.scale


class AffWildNet(tf.keras.Model):
    """One network; make it with `build_model`, which also creates its weights.

    Attributes: `backbone` (tf.keras.Model), `fc` (tf.keras.Sequential, or None), `block` (RecurrentBlock, or None for a
    CNN alone), `head` (Dense without activation, or `Heads` where the options name some), each of them trainable and
    restorable apart from the others; `options`; `face_spec`; `points` (which of the backbone's points are read).

    The thesis's networks have no `fc`; the released VGGFace-GRU has one layer of 4096, the CNN-only ones two (SPEC.md,
    "Released checkpoints"), VA-CRNN one with dropout.
    """

    def __init__(self, options: ModelOptions, face_spec: InputSpec) -> None:
        super().__init__(name="affwildnet")
        self.options = options
        self.face_spec = face_spec
        self.backbone = BACKBONES[options.backbone].build(face_spec.size)
        self.points = points_read(options, self.backbone)
        self.fc = _fully_connected(options) if options.fc else None
        self.block = None
        if options.cell != "none":
            self.block = RecurrentBlock(
                options.cell,
                options.layers,
                options.units,
                options.attention_length,
                options.recurrent_limit_frames,
                dropout=options.dropout,
                name="block",
            )
        start = FC_STARTS[options.fc_start]
        if options.heads:
            self.head = Heads(parse_heads(options.heads), list(feature_points(options))[-1], start)
        else:
            # float32 under mixed precision too: the CCC compares small differences.
            self.head = tf.keras.layers.Dense(
                len(options.outputs), kernel_initializer=start(), name="head", dtype="float32"
            )

    @property
    def heads(self) -> tuple[Head, ...]:
        """The heads that the options name; () for the one linear layer over ``options.outputs``."""
        return parse_heads(self.options.heads)

    def to_values(self, raw: tf.Tensor) -> tf.Tensor:
        """What the raw outputs (B, T, K) of `run` mean: `heads.to_values`, probabilities where there were logits."""
        return to_values(raw, self.heads)

    def features(
        self,
        faces: tf.Tensor,
        training: bool = False,
        landmarks_68: tf.Tensor | None = None,
        normalised: bool = False,
    ) -> tf.Tensor:
        """What follows the backbone reads: its features (B, T, D) of uint8 RGB faces (B, T, S, S, 3).

        Faces that are `normalised` already are float32, as `normalise` gives them: the loader's ``images``.

        Of a backbone with several points they are those that are read, side by side (`points`). With
        ``options.landmarks_68`` the landmarks (B, T, 136), as `tfrecords.faces.landmarks_in_box` gives them, are joined
        to them: (B, T, D + 136).
        """
        shape = tf.shape(faces)
        size = self.face_spec.size
        frames = tf.reshape(faces, [-1, size, size, 3])
        frames = frames if normalised else normalise(frames, self.face_spec)
        features = self.points.join(self.backbone(frames, training=training))
        features = tf.reshape(features, [shape[0], shape[1], features.shape[-1]])
        if not self.options.landmarks_68:
            return features
        if landmarks_68 is None:
            raise ValueError("this network reads the faces' 68 landmarks too, and got none")
        return tf.concat([features, tf.cast(landmarks_68, features.dtype)], axis=-1)

    def zero_state(self, batch: int | tf.Tensor) -> list[tf.Tensor]:
        """The state at the start of `batch` sequences; [] for a CNN alone."""
        return self.block.zero_state(batch) if self.block is not None else []

    def run(
        self,
        faces: tf.Tensor,
        state: Sequence[tf.Tensor],
        training: bool = False,
        block: Block | None = None,
        landmarks_68: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Predicts a piece of longer sequences and returns the state for the next piece.

        Args:
          faces: (B, T, S, S, 3) uint8 RGB; B and T may be unknown in a graph.
          state: from `zero_state` for the first piece, then from the piece before.
          training: whether the backbone's batch norm, if any, runs on batch statistics.
          block: runs in place of the recurrent block, with its weights in another form (`RecurrentBlock.literal`,
            `folded.FoldedBlock`).
          landmarks_68: see `features`.

        Returns:
          raw outputs (B, T, len(outputs)) float32, see `to_values`; regressions are not bounded to [-1, 1]. The new
          state.
        """
        return self.predict_features(self.features(faces, training, landmarks_68), state, training, block)

    def predict_features(
        self,
        features: tf.Tensor,
        state: Sequence[tf.Tensor],
        training: bool = False,
        block: Block | None = None,
        seed: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """`run` from features (B, T, D) on; a frozen backbone's features can be computed once and kept.

        `seed`, int32 (2,), decides what is dropped in training; without, something else in every call.
        """
        dropout = self.options.dropout if training else 0.0
        if training and seed is None and (dropout or self.options.heads):
            seed = random_seed()
        points = self.points.split(features)
        end, new_state = points.get(FEATURES), []
        if self.fc is not None:
            end = points[FC] = self.fully_connected(end, dropout, seed) if dropout else self.fc(end)
        if self.block is not None:
            if block is None:
                between = fold_seed(seed, 0) if dropout else None
                end, new_state = self.block(end, initial_state=state, training=training, seed=between)
            else:
                end, new_state = block(end, initial_state=state)
            if dropout:
                end = drop(end, dropout, fold_seed(seed, 1))
            points[BLOCK] = end
        if not self.options.heads:
            return self.head(end), new_state
        # Another seed than any of the layers before them.
        own = fold_seed(seed, _HEADS_SEED) if training else None
        return self.head(points, training=training, seed=own), new_state

    def fully_connected(self, features: tf.Tensor, dropout: float, seed: tf.Tensor) -> tf.Tensor:
        """The layers of `fc`, a part `dropout` of what each gives dropped: (B, T, D) -> (B, T, last width)."""
        assert self.fc is not None
        for number, layer in enumerate(self.fc.layers):
            # Keras's own layers mark the places; what they draw no checkpoint could take up again.
            if isinstance(layer, tf.keras.layers.Dropout):
                features = drop(features, dropout, fold_seed(seed, 2 + number))
            else:
                features = layer(features)
        return features

    def call(self, faces: tf.Tensor, training: bool = False, landmarks_68: tf.Tensor | None = None) -> tf.Tensor:
        """Raw outputs (B, T, len(outputs)) float32 of whole sequences (B, T, S, S, 3) uint8 RGB, from zero state."""
        return self.run(faces, self.zero_state(tf.shape(faces)[0]), training, landmarks_68=landmarks_68)[0]


def _fully_connected(options: ModelOptions) -> tf.keras.Sequential:
    """Layers of ``options.fc`` units with ReLU, each followed by dropout in training: (B, T, D) -> (B, T, last)."""
    layers: list[tf.keras.layers.Layer] = []
    for number, width in enumerate(options.fc, start=1):
        start = FC_STARTS[options.fc_start]()
        dense = tf.keras.layers.Dense(int(width), activation="relu", kernel_initializer=start, name=f"fc_{number}")
        layers.append(dense)
        layers.append(tf.keras.layers.Dropout(options.dropout, name=f"dropout_{number}"))
    return tf.keras.Sequential(layers, name="fc")


def build_model(options: ModelOptions, input_spec: InputSpec) -> AffWildNet:
    """Builds the network and creates its weights (initial values as SPEC.md has them).

    Raises:
      ValueError: an option names nothing that exists, or has a value that cannot be (`InputError` of heads).
      RuntimeError: `tf.keras` is Keras 3.
    """
    require_keras_2()
    for name, value, known in (
        ("backbone", options.backbone, BACKBONES),
        ("cell", options.cell, ("none", *CELLS)),
        ("colour order", input_spec.colour_order, COLOUR_ORDERS),
        ("start of fully connected layers", options.fc_start, FC_STARTS),
    ):
        if value not in known:
            raise ValueError(f"there is no {name} {value!r}; choose from {', '.join(sorted(known))}")
    for width in options.fc:
        if not width.isdecimal() or int(width) < 1:
            raise ValueError(f"a fully connected layer cannot have {width!r} units; write widths like 4096,2000")
    if not 0 <= options.dropout < 1:
        raise ValueError(f"dropout of {options.dropout} cannot be; it is a part, from 0 to below 1")
    if options.landmarks_68 and not options.fc:
        raise ValueError("landmarks join the first fully connected layer's input: give its width, for example fc=4096")
    check_heads(options)
    model = AffWildNet(options, input_spec)
    faces = tf.zeros([1, 1, input_spec.size, input_spec.size, 3], tf.uint8)
    model(faces, landmarks_68=tf.zeros([1, 1, 136]) if options.landmarks_68 else None)
    return model
