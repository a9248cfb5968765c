"""The losses: 1 - CCC (concordance correlation coefficient) and mean squared error (SPEC.md, "Loss and metrics").

Missing labels. A label that is NaN has weight 0, like padding, in its own column only. A column without any label in
the batch gives 0 and no gradient; how many columns have labels changes nothing about the others.

Constant input. The CCC's denominator ``s_x² + s_y² + (x̄ - ȳ)²`` has no epsilon, and constants give exactly this:
one of the two constant: 0; both constant and different: 0; both constant and equal: 0/0 = NaN, for agreement between
two constants is undefined. Training stops at a loss that is not finite, so such a batch (labels that never move,
matched to the last bit) is seen rather than scored.

Replicas. In a replica of a `tf.distribute` strategy every loss is the one of all replicas' frames together, the same
in each: neither the CCC nor a mean over frames with weights is the mean of the replicas' own. Differentiate the loss
divided by the number of replicas, for the gradient of `all_reduce` sums over them and so does the optimizer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from affwildnet.replicas import of_all_replicas


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss in two parts, between which the replicas meet.

    Attributes:
      moments: predictions, labels and weights of one shape (weights None: all 1) -> what this replica's frames
        contribute, a vector (K,) of float32, or of float64 where an input is.
      value: the vectors of all replicas (R, K) -> the loss, a scalar.
      count: where in the vector the number of frames that count is.
    """

    moments: Callable[[tf.Tensor, tf.Tensor, tf.Tensor | None], tf.Tensor]
    value: Callable[[tf.Tensor], tf.Tensor]
    count: int


def ccc(predictions: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """Lin's concordance correlation coefficient of one dimension over all frames, with population moments.

    Args:
      predictions, labels: one shape, e.g. (B, T); any float dtype, computed in float32 at least.
      weights: the same shape, 1 for a frame that counts and 0 for padding; None counts all. All 0 gives NaN.

    Returns:
      A scalar in [-1, 1]; see the module's docstring for constant input.
    """
    return _ccc_value(of_all_replicas(_ccc_moments(predictions, labels, weights)))


def ccc_loss(predictions: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """1 - `ccc`, a scalar in [0, 2]."""
    return 1 - ccc(predictions, labels, weights)


def mse_loss(predictions: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """The mean squared error over the frames that count, a scalar; arguments as `ccc`'s."""
    return mean_of_sums(of_all_replicas(_mse_moments(predictions, labels, weights)))


def _ccc_moments(predictions: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Frames that count, x and y of the first of them, means from there on, covariance and variances times frames."""
    x, y, w = flat(predictions, labels, weights)
    # Deviations from one frame's value make constants exact zeros, which rounding in their mean would not.
    x0, y0 = (tf.stop_gradient(tf.gather(values, tf.argmax(w))) for values in (x, y))
    x, y = x - x0, y - y0
    count = tf.reduce_sum(w)
    # Without a frame that counts nothing is contributed, here; the value is NaN if that holds for all replicas.
    mean_x, mean_y = (tf.math.divide_no_nan(tf.reduce_sum(w * values), count) for values in (x, y))
    dx, dy = x - mean_x, y - mean_y
    covariance, variances = tf.reduce_sum(w * dx * dy), tf.reduce_sum(w * (dx * dx + dy * dy))
    return tf.stack([count, x0, y0, mean_x, mean_y, covariance, variances])


def _ccc_value(moments: tf.Tensor) -> tf.Tensor:
    """The CCC from the rows of all replicas (R, 7), joined as Chan, Golub and LeVeque (1979) join variances."""
    counts, x0, y0, mean_x, mean_y, covariances, variances = tf.unstack(moments, axis=1)
    count = tf.reduce_sum(counts)
    first = tf.argmax(counts > 0)
    # Every replica's origin and mean as seen from one origin: where all are constant, exact zeros again.
    mean_x, mean_y = (values - tf.gather(values, first) + mean for values, mean in ((x0, mean_x), (y0, mean_y)))
    all_x, all_y = (_mean_over_replicas(mean, counts) for mean in (mean_x, mean_y))
    dx, dy = mean_x - all_x, mean_y - all_y
    covariance = tf.reduce_sum(covariances + counts * dx * dy) / count
    variance = tf.reduce_sum(variances + counts * (dx * dx + dy * dy)) / count
    return 2 * covariance / (variance + tf.square(tf.gather(x0 - y0, first) + all_x - all_y))


def _mean_over_replicas(means: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    # One replica's mean times its frames and divided by them would be rounded twice.
    return means[0] if means.shape[0] == 1 else tf.reduce_sum(counts * means) / tf.reduce_sum(counts)


def _mse_moments(predictions: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    x, y, w = flat(predictions, labels, weights)
    return tf.stack([tf.reduce_sum(w * tf.square(x - y)), tf.reduce_sum(w)])


def mean_of_sums(moments: tf.Tensor) -> tf.Tensor:
    """The mean of what all replicas summed up: rows (R, 2) of a sum and its frames -> a scalar."""
    total, count = tf.unstack(tf.reduce_sum(moments, axis=0))
    return total / count


LOSSES: dict[str, Loss] = {
    "ccc": Loss(_ccc_moments, lambda moments: 1 - _ccc_value(moments), count=0),
    "mse": Loss(_mse_moments, mean_of_sums, count=1),
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
      labels, predictions: (B, T, len(outputs)); in a replica, its part of the batch. NaN is a missing label.
      weights: (B, T), 1 for a frame that counts and 0 for padding; None counts all.
      kind: a name in `LOSSES`.
      outputs: the names of the last axis.

    Returns:
      "total" and one term for each of `outputs`: scalars, float32 (float64 where an input is), of the whole batch.
    """
    if kind not in LOSSES:
        raise ValueError(f"there is no loss {kind!r}; the losses are {', '.join(sorted(LOSSES))}")
    loss = LOSSES[kind]
    moments = [loss.moments(predictions[..., i], *labelled(labels[..., i], weights)) for i in range(len(outputs))]
    values = values_of_all_replicas([loss] * len(outputs), moments)
    terms = dict(zip(outputs, values, strict=True))
    return {"total": tf.add_n(values) / len(values), **terms}


def labelled(labels: tf.Tensor, weights: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
    """Labels and weights of one shape (weights None: all 1) -> labels with 0 for NaN, and weights with 0 there."""
    labels = tf.convert_to_tensor(labels)
    missing = tf.math.is_nan(labels)
    weights = tf.ones_like(labels) if weights is None else tf.convert_to_tensor(weights)
    return tf.where(missing, tf.zeros_like(labels), labels), tf.where(missing, tf.zeros_like(weights), weights)


def values_of_all_replicas(losses: Sequence[Loss], moments: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """The value of each loss, a scalar, from what this replica's frames contribute to it; 0 where no frame counts.

    One message between the replicas for all.
    """
    rows = of_all_replicas(tf.concat(moments, axis=0))
    parts = tf.split(rows, [own.shape[0] for own in moments], axis=1)
    return [_value_or_0(loss, part) for loss, part in zip(losses, parts, strict=True)]


def _value_or_0(loss: Loss, rows: tf.Tensor) -> tf.Tensor:
    some = tf.reduce_sum(rows[:, loss.count]) > 0
    # Both branches are differentiated: without frames the value is that of moments which give no NaN.
    value = loss.value(tf.where(some, rows, tf.ones_like(rows)))
    return tf.where(some, value, tf.zeros_like(value))


def flat(
    predictions: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """All three as vectors (N,) of float32, or of float64 where one of the first two is."""
    predictions, labels = tf.convert_to_tensor(predictions), tf.convert_to_tensor(labels)
    # Sums over B * T frames lose too much in 16 bits.
    dtype = tf.float64 if tf.float64 in (predictions.dtype, labels.dtype) else tf.float32
    weights = tf.ones_like(predictions) if weights is None else weights
    x, y, w = (tf.reshape(tf.cast(values, dtype), [-1]) for values in (predictions, labels, weights))
    return x, y, w
