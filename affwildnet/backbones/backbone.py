"""What the registry says of a backbone: how to build it, what its weights expect, and which of them are special."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from affwildnet.preprocessing import PAPER, Preprocessing


@dataclasses.dataclass(frozen=True)
class Backbone:
    """One entry of `BACKBONES`; nothing is built until ``build(size)`` is called.

    Attributes:
      build: side of the faces in pixels -> `tf.keras.Model` from float (N, S, S, 3), normalised and in the network's
        colour order, to features (N, D); with several `points` to a dict of them by name, each (N, D) of its own D.
      features: what the features are, in words.
      pretrained: the preprocessing its published weights were trained with.
      last_convolution: names of the layers that case 1 trains beside the recurrent block (SPEC.md, "Training").
      weight_decay: scale s of the loss term ``s * sum(w**2) / 2`` over its convolution kernels; 0 for none.
      weights: the name in `affwildnet.pretrained_files` of its published weights; empty where there are none to fetch.
      points: the feature points that heads can read (`affwildnet.heads`). Fully connected layers and the recurrent
        block read ``features``, so a backbone without a point of that name is for networks of heads alone.
    """

    build: Callable[[int], tf.keras.Model]
    features: str
    pretrained: Preprocessing = PAPER
    last_convolution: tuple[str, ...] = ()
    weight_decay: float = 0.0
    weights: str = ""
    points: tuple[str, ...] = ("features",)


def last_convolution_variables(entry: Backbone, backbone: tf.keras.Model) -> list[tf.Variable]:
    """The trainable variables of the layers that `entry` names as the last convolution of the built `backbone`."""
    layers = [backbone.get_layer(name) for name in entry.last_convolution]
    return [variable for layer in layers for variable in layer.trainable_variables]


def decayed_kernels(backbone: tf.keras.Model) -> list[tf.Variable]:
    """The kernels of all convolutions, frozen ones too, as slim's regulariser collects them."""
    layers = [part for layer in backbone.layers for part in (layer, *layer.submodules)]
    return [layer.kernel for layer in layers if isinstance(layer, tf.keras.layers.Conv2D)]


def weight_decay_loss(entry: Backbone, backbone: tf.keras.Model) -> tf.Tensor:
    """``scale * sum(w**2) / 2`` over `decayed_kernels`, a float32 scalar; 0 where the entry has no weight decay."""
    if not entry.weight_decay:
        return tf.constant(0.0)
    return entry.weight_decay * tf.add_n([tf.nn.l2_loss(kernel) for kernel in decayed_kernels(backbone)])


def leading_to(backbone: tf.keras.Model, points: Sequence[str]) -> tf.keras.Model:
    """The part of a built `backbone`, the same layers, that computes these of its points; all of a plain one."""
    if not isinstance(backbone.output, Mapping) or set(points) == set(backbone.output):
        return backbone
    return tf.keras.Model(backbone.input, {name: backbone.output[name] for name in points})
