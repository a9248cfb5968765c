"""Feature points: what heads can read of a network, and a backbone's side by side in one tensor."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.heads import BLOCK, FC, FEATURES, check_points, parse_heads
from tfrecords.errors import InputError

if TYPE_CHECKING:
    from affwildnet.models import ModelOptions


@dataclasses.dataclass(frozen=True)
class FeaturePoints:
    """Which points of a backbone a network reads, in the order in which they lie side by side, and their widths.

    One tensor (..., sum of the widths) is what is cached of a frozen backbone and given from `AffWildNet.features` to
    `AffWildNet.predict_features`; of a plain backbone it is its features.
    """

    names: tuple[str, ...]
    widths: tuple[int, ...]

    def join(self, outputs: tf.Tensor | Mapping[str, tf.Tensor]) -> tf.Tensor:
        """A backbone's output, one tensor (N, D) or several by name -> (N, sum of the widths)."""
        if not isinstance(outputs, Mapping):
            return outputs
        return tf.concat([outputs[name] for name in self.names], axis=-1)

    def split(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        """`join`'s reverse, of (..., sum of the widths)."""
        if len(self.names) == 1:
            return {self.names[0]: features}
        return dict(zip(self.names, tf.split(features, self.widths, axis=-1), strict=True))


def feature_points(options: ModelOptions) -> dict[str, str]:
    """The points that heads of such a network can read, name -> what it is; what the network ends with comes last."""
    points = dict.fromkeys(BACKBONES[options.backbone].points, f"of {options.backbone}")
    if FEATURES in points:
        points[FEATURES] = points.pop(FEATURES)
    if options.fc:
        points[FC] = "the last fully connected layer"
    if options.cell != "none":
        points[BLOCK] = "the recurrent block"
    return points


def check_heads(options: ModelOptions) -> None:
    """Raises `InputError` where heads and the rest of the network do not fit together."""
    points = feature_points(options)
    heads = parse_heads(options.heads)
    check_points(heads, points)
    if FEATURES not in points and (not heads or options.fc or options.cell != "none"):
        what = f"{options.backbone} has no point {FEATURES!r}, which --fc, --cell and --outputs read"
        raise InputError(f"--backbone={options.backbone}", what, "give --cell=none and --heads that read its points")
    end = list(points)[-1]
    if heads and end in (FC, BLOCK) and all(head.point not in ("", end) for head in heads):
        remedy = "give --cell=none" if end == BLOCK else "leave --fc out"
        raise InputError("--heads", f"no head reads {end!r}, {points[end]}, so it would learn nothing", remedy)


def points_read(options: ModelOptions, backbone: tf.keras.Model) -> FeaturePoints:
    """Of the backbone's points those that heads or what follows it read, ``features`` last: landmarks join them."""
    ends = list(feature_points(options))
    if not isinstance(backbone.output, Mapping):
        names, widths = [FEATURES], [backbone.output_shape[-1]]
    else:
        read = {head.point or ends[-1] for head in parse_heads(options.heads)}
        read |= {FEATURES} if options.fc or options.cell != "none" or not options.heads else set()
        names = [name for name in ends if name in read and name in backbone.output]
        widths = [backbone.output[name].shape[-1] for name in names]
    if options.landmarks_68:
        widths[-1] += 136
    return FeaturePoints(tuple(names), tuple(widths))
