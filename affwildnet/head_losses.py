"""The losses of heads by configuration: each by its kind, masked where labels are missing, summed by their weights.

| kind | loss of a head |
| --- | --- |
| ``regression`` | the mean over its columns of 1 - CCC or of the mean squared error, as `affwildnet.losses` has them |
| ``sigmoid`` | the mean over its columns of each one's mean binary cross-entropy over the frames that have its label |
| ``softmax`` | the mean cross-entropy over the frames that have a label |

Labels of ``sigmoid`` are probabilities from 0 to 1, so an intensity of 3 of 5 is learned as 0.6. A frame is labelled
for ``softmax`` where all columns have a label and one at least is above 0: one whose class is none of the head's is
left out. A column, or a ``softmax`` head, without a label in the batch gives 0 and no gradient, and means are over all
columns, so what is missing changes nothing about the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from affwildnet.heads import Head
from affwildnet.losses import LOSSES, Loss, flat, labelled, mean_of_sums, values_of_all_replicas


def _sigmoid_moments(raw: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """One column's cross-entropies summed, and the frames that count."""
    x, y, w = flat(raw, labels, weights)
    return tf.stack([tf.reduce_sum(w * tf.nn.sigmoid_cross_entropy_with_logits(y, x)), tf.reduce_sum(w)])


def _softmax_moments(raw: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Of (B, T, classes): the cross-entropies summed, and the frames that count and have a class."""
    missing = tf.math.is_nan(labels)
    labels = tf.where(missing, tf.zeros_like(labels), labels)
    known = ~tf.reduce_any(missing, axis=-1) & (tf.reduce_sum(labels, axis=-1) > 0)
    dtype = tf.float64 if tf.float64 in (raw.dtype, labels.dtype) else tf.float32
    each = -tf.reduce_sum(tf.cast(labels, dtype) * tf.nn.log_softmax(tf.cast(raw, dtype)), axis=-1)
    w = tf.cast(known, dtype) if weights is None else tf.cast(known, dtype) * tf.cast(weights, dtype)
    return tf.stack([tf.reduce_sum(w * each), tf.reduce_sum(w)])


# Kind of head -> the loss of one column, of softmax of all columns together.
_CROSS_ENTROPIES = {
    "sigmoid": Loss(_sigmoid_moments, mean_of_sums, count=1),
    "softmax": Loss(_softmax_moments, mean_of_sums, count=1),
}


def heads_loss(
    labels: tf.Tensor,
    raw: tf.Tensor,
    heads: Sequence[Head],
    weights: tf.Tensor | None = None,
    regression_loss: str = "ccc",
) -> dict[str, tf.Tensor]:
    """The loss of a batch of sequences, over all B * T frames of all replicas (see `affwildnet.losses`).

    Args:
      labels, raw: (B, T, K), the columns of `heads` side by side; raw are outputs before `heads.to_values`. NaN is a
        missing label.
      weights: (B, T), 1 for a frame that counts and 0 for padding; None counts all.
      regression_loss: a name in `LOSSES` for regressions that name none.

    Returns:
      "total", the sum of each head's loss times its weight, and each head's own loss by name: scalars, float32 (float64
      where an input is), of the whole batch.
    """
    raw, labels = tf.convert_to_tensor(raw), tf.convert_to_tensor(labels)
    sizes = [len(head.columns) for head in heads]
    losses: list[Loss] = []
    moments: list[tf.Tensor] = []
    counts: list[int] = []
    for head, own, truth in zip(heads, tf.split(raw, sizes, axis=-1), tf.split(labels, sizes, axis=-1), strict=True):
        loss = _CROSS_ENTROPIES.get(head.kind) or LOSSES[head.loss or regression_loss]
        if head.kind == "softmax":
            terms = [loss.moments(own, truth, weights)]
        else:
            terms = [loss.moments(own[..., i], *labelled(truth[..., i], weights)) for i in range(len(head.columns))]
        losses += [loss] * len(terms)
        moments += terms
        counts.append(len(terms))
    values = iter(values_of_all_replicas(losses, moments))
    told = {
        head.name: tf.add_n([next(values) for _ in range(count)]) / count
        for head, count in zip(heads, counts, strict=True)
    }
    return {"total": tf.add_n([head.weight * told[head.name] for head in heads]), **told}
