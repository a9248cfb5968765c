"""The losses: 1 - CCC (concordance correlation coefficient) and mean squared error (SPEC.md, "Loss and metrics").

Constant input. The CCC's denominator ``s_x² + s_y² + (x̄ - ȳ)²`` has no epsilon, and constants give exactly this:
one of the two constant: 0; both constant and different: 0; both constant and equal: 0/0 = NaN, for agreement between
two constants is undefined. Training stops at a loss that is not finite, so such a batch (labels that never move,
matched to the last bit) is seen rather than scored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor, "tf.Tensor | None"], tf.Tensor]


def ccc(predictions: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """Lin's concordance correlation coefficient of one dimension over all frames, with population moments.

    Args:
      predictions, labels: one shape, e.g. (B, T); any float dtype, computed in float32 at least.
      weights: the same shape, 1 for a frame that counts and 0 for padding; None counts all. All 0 gives NaN.

    Returns:
      A scalar in [-1, 1]; see the module's docstring for constant input.
    """
    x, y, w = _flat(predictions, labels, weights)
    # Deviations from one frame's value make constants exact zeros, which rounding in their mean would not.
    x0, y0 = (tf.stop_gradient(tf.gather(values, tf.argmax(w))) for values in (x, y))
    x, y = x - x0, y - y0
    count = tf.reduce_sum(w)
    mean_x, mean_y = tf.reduce_sum(w * x) / count, tf.reduce_sum(w * y) / count
    dx, dy = x - mean_x, y - mean_y
    covariance = tf.reduce_sum(w * dx * dy) / count
    variances = tf.reduce_sum(w * (dx * dx + dy * dy)) / count
    return 2 * covariance / (variances + tf.square(x0 - y0 + mean_x - mean_y))


def ccc_loss(predictions: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """1 - `ccc`, a scalar in [0, 2]."""
    return 1 - ccc(predictions, labels, weights)


def mse_loss(predictions: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """The mean squared error over the frames that count, a scalar; arguments as `ccc`'s."""
    x, y, w = _flat(predictions, labels, weights)
    return tf.reduce_sum(w * tf.square(x - y)) / tf.reduce_sum(w)


LOSSES: dict[str, Loss] = {
    "ccc": ccc_loss,
    "mse": mse_loss,
}


def affect_loss(
    labels: tf.Tensor,
    predictions: tf.Tensor,
    weights: tf.Tensor | None = None,
    kind: str = "ccc",
    outputs: Sequence[str] = ("valence", "arousal"),
) -> dict[str, tf.Tensor]:
    """The loss of a batch of sequences: the mean over the outputs of each one's loss over all B * T frames.

    Args:
      labels, predictions: (B, T, len(outputs)).
      weights: (B, T), 1 for a frame that counts and 0 for padding; None counts all.
      kind: a name in `LOSSES`.
      outputs: the names of the last axis.

    Returns:
      "total" and one term for each of `outputs`: scalars, float32 (float64 where an input is).
    """
    if kind not in LOSSES:
        raise ValueError(f"there is no loss {kind!r}; the losses are {', '.join(sorted(LOSSES))}")
    terms = {name: LOSSES[kind](predictions[..., i], labels[..., i], weights) for i, name in enumerate(outputs)}
    return {"total": tf.add_n(list(terms.values())) / len(terms), **terms}


def _flat(
    predictions: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    predictions, labels = tf.convert_to_tensor(predictions), tf.convert_to_tensor(labels)
    # Sums over B * T frames lose too much in 16 bits.
    dtype = tf.float64 if tf.float64 in (predictions.dtype, labels.dtype) else tf.float32
    weights = tf.ones_like(predictions) if weights is None else weights
    x, y, w = (tf.reshape(tf.cast(values, dtype), [-1]) for values in (predictions, labels, weights))
    return x, y, w
