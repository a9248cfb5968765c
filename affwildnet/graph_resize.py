"""A picture to a face's square inside a TensorFlow graph, as `tfrecords.faces.resize_face` does it outside.

TensorFlow's own bicubic has another kernel than OpenCV's, so an exported model that resized with it would see other
faces than those it was trained on. Rows and columns are weighed apart: a rule is the weights of one axis.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

# (positions in the picture of the square's pixels (size,), pixels of the picture) -> weights (size, pixels).
Rule = Callable[[int, tf.Tensor], tf.Tensor]


def graph_resize(picture: tf.Tensor, size: int, rule: str) -> tf.Tensor:
    """uint8 (H, W, 3) of any size -> uint8 (size, size, 3), within 1 of `resize_face` (OpenCV sums in 11 bits).

    A picture of the right size stays as it is. KeyError where `rule` is none of `RULES`.
    """
    weights = RULES[rule]
    height, width = tf.unstack(tf.shape(picture)[:2])

    def resize() -> tf.Tensor:
        rows, columns = weights(size, height), weights(size, width)
        if rule == "area":
            # OpenCV's area rule is for pictures that shrink both ways; else it is a kind of linear.
            shrinks = tf.logical_and(height >= size, width >= size)
            rows = tf.cond(shrinks, lambda: rows, lambda: _area_grown(size, height))
            columns = tf.cond(shrinks, lambda: columns, lambda: _area_grown(size, width))
        resized = tf.einsum("yh,hwc,xw->yxc", rows, tf.cast(picture, tf.float32), columns)
        return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)

    same = tf.logical_and(tf.equal(height, size), tf.equal(width, size))
    return tf.ensure_shape(tf.cond(same, lambda: picture, resize), [size, size, 3])


def _centres(size: int, pixels: tf.Tensor) -> tf.Tensor:
    """Where the centres of the square's pixels lie in the picture, whose pixel i has its centre at i: (size,)."""
    scale = tf.cast(pixels, tf.float64) / size
    return (tf.range(size, dtype=tf.float64) + 0.5) * scale - 0.5


def _spread(taps: tf.Tensor, weights: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Weights (size, K) of the pixels `taps` (size, K) as a matrix (size, pixels); the border repeats outwards."""
    places = tf.one_hot(tf.clip_by_value(taps, 0, pixels - 1), pixels, dtype=tf.float32)
    return tf.einsum("sk,skp->sp", tf.cast(weights, tf.float32), places)


def _linear_at(positions: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    below = tf.floor(positions)
    part = positions - below
    taps = tf.stack([tf.cast(below, tf.int32), tf.cast(below, tf.int32) + 1], axis=1)
    return _spread(taps, tf.stack([1 - part, part], axis=1), pixels)


def _linear(size: int, pixels: tf.Tensor) -> tf.Tensor:
    return _linear_at(_centres(size, pixels), pixels)


def _linear_tf1(size: int, pixels: tf.Tensor) -> tf.Tensor:
    return _linear_at(tf.range(size, dtype=tf.float64) * (tf.cast(pixels, tf.float64) / size), pixels)


def _cubic(size: int, pixels: tf.Tensor) -> tf.Tensor:
    """Keys's kernel with a = -0.75, OpenCV's."""
    a = -0.75
    positions = _centres(size, pixels)
    below = tf.floor(positions)
    part = positions - below
    near = [(a + 2) * d**3 - (a + 3) * d**2 + 1 for d in (part, 1 - part)]
    far = [a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a for d in (1 + part, 2 - part)]
    taps = tf.cast(below, tf.int32)[:, None] + tf.constant([[-1, 0, 1, 2]])
    return _spread(taps, tf.stack([far[0], near[0], near[1], far[1]], axis=1), pixels)


def _area(size: int, pixels: tf.Tensor) -> tf.Tensor:
    """The part of each of the picture's pixels that lies under the square's."""
    scale = tf.cast(pixels, tf.float64) / size
    first = (tf.range(size, dtype=tf.float64) * scale)[:, None]
    pixel = tf.range(pixels)
    low, high = (tf.cast(pixel + side, tf.float64)[None] for side in (0, 1))
    shared = tf.minimum(first + scale, high) - tf.maximum(first, low)
    return tf.cast(tf.maximum(shared, 0) / scale, tf.float32)


def _area_grown(size: int, pixels: tf.Tensor) -> tf.Tensor:
    """What OpenCV does for the area rule where the picture grows: only where a pixel holds an edge are two mixed."""
    index = tf.range(size)
    # Whole numbers: rounding must not move a pixel over the edge that it begins at.
    below = index * pixels // size
    part = tf.cast(index + 1, tf.float64) - tf.cast((below + 1) * size, tf.float64) / tf.cast(pixels, tf.float64)
    part = tf.where(part <= 0, tf.zeros_like(part), part - tf.floor(part))
    return _linear_at(tf.cast(below, tf.float64) + part, pixels)


RULES: dict[str, Rule] = {"cubic": _cubic, "linear": _linear, "area": _area, "linear_tf1": _linear_tf1}
