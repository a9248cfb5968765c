"""FATAUVA-Net: core -> branches of the face -> blocks of action units -> what valence and arousal read.

Units and widths are those of the one re-implementation that there is; docs/fidelity.md says of each part whether it is
the paper's, the re-implementation's or chosen here. What follows the points are heads (`affwildnet.stages`).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from affwildnet.backbones.fatauva_tables import ATTRIBUTES, BLOCKS, DIMENSIONS, FEATURES, POINTS


@dataclasses.dataclass(frozen=True)
class Size:
    """How large the network is.

    Attributes:
      width: channels of all units; the first convolution has twice as many, heads' layers 4 and 8 times.
      core_units: units of the core.
      dropout: part of what heads' layers give that is dropped in training.
      pooled: the points are means over their maps, in place of the maps with every position.
    """

    width: int = 128
    core_units: int = 8
    dropout: float = 0.5
    pooled: bool = False


SIZES: dict[str, Size] = {
    "fatauva": Size(),
    "fatauva_pooled": Size(pooled=True),
    # For the demo and for tests: it trains from scratch on two cores.
    "fatauva_small": Size(width=16, core_units=2, dropout=0.2),
}


def fatauva(input_size: int = 96, size: Size = SIZES["fatauva"]) -> tf.keras.Model:
    """Faces (N, S, S, 3) -> a dict of `fatauva_tables.POINTS`, each (N, D); `features` always is a mean over maps.

    The maps are 7 x 7 at the S of 96 and 16 x 16 at the re-implementation's 170.
    """
    layers = tf.keras.layers
    faces = tf.keras.Input((input_size, input_size, 3), name="faces")
    maps = {"core": _core(faces, size.width, size.core_units)}
    for branch in ATTRIBUTES:
        maps[branch] = _units(maps["core"], 2, 2, branch)
    for name, block in BLOCKS.items():
        maps[name] = _units(maps[block.reads], block.units, 3, name)
    for name, blocks in DIMENSIONS.items():
        maps[name] = layers.Concatenate(name=f"{name}/joined")([maps[block] for block in blocks])
    vector = layers.GlobalAveragePooling2D if size.pooled else layers.Flatten
    points = {name: vector(name=f"{name}/vector")(maps[name]) for name in POINTS if name in maps}
    joined = layers.Concatenate(name="features/joined")([maps[block] for block in FEATURES])
    points["features"] = layers.GlobalAveragePooling2D(name="features/vector")(joined)
    return tf.keras.Model(faces, points, name="fatauva")


def _core(faces: tf.Tensor, width: int, units: int) -> tf.Tensor:
    """Two strided convolutions without padding, with batch norm and ReLU, then `units` units."""
    layers = tf.keras.layers
    x = faces
    for number, (filters, kernel, stride) in enumerate(((2 * width, 11, 4), (width, 9, 2)), start=1):
        # A bias would do nothing before the batch norm.
        x = layers.Conv2D(filters, kernel, stride, use_bias=False, name=f"core/conv{number}")(x)
        x = layers.BatchNormalization(name=f"core/norm{number}")(x)
        x = layers.ReLU(name=f"core/relu{number}")(x)
    return _units(x, units, 2, "core")


def _units(inputs: tf.Tensor, count: int, kind: int, part: str) -> tf.Tensor:
    for number in range(1, count + 1):
        inputs = ResidualUnit(kind, name=f"{part}/unit{number}")(inputs)
    return inputs


class ResidualUnit(tf.keras.layers.Layer):
    """A residual unit in PolyInception's manner: (N, H, W, C) -> the same shape and dtype.

    a is a 3x3 convolution of the input x; b, c and d are 1x1 convolutions of a, b and c; each has a bias, then a PReLU
    of a slope a channel. Kind 2 is ``x + a + c`` (180,992 weights at 128 channels), kind 3 ``x + a + b + d`` (197,632).
    """

    def __init__(self, kind: int, **options: Any) -> None:
        super().__init__(**options)
        self.kind = kind
        self.convolutions: list[tf.keras.layers.Layer] = []
        self.slopes: list[tf.keras.layers.Layer] = []

    def build(self, input_shape: tf.TensorShape) -> None:
        layers = tf.keras.layers
        for letter in "abc" if self.kind == 2 else "abcd":
            kernel = 3 if letter == "a" else 1
            self.convolutions.append(layers.Conv2D(input_shape[-1], kernel, padding="same", name=letter))
            # Caffe's first slope.
            slope = tf.keras.initializers.Constant(0.25)
            self.slopes.append(layers.PReLU(alpha_initializer=slope, shared_axes=[1, 2], name=f"{letter}_prelu"))
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """See the class; there is nothing random in it."""
        steps = [inputs]
        for convolution, slope in zip(self.convolutions, self.slopes, strict=True):
            steps.append(slope(convolution(steps[-1])))
        x, a, b, c = steps[:4]
        return tf.add_n([x, a, c] if self.kind == 2 else [x, a, b, steps[4]])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind}
