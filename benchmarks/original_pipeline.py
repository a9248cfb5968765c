"""The original's input pipeline word for word in tf.data (SPEC.md, "Loader"): what our loader is compared with."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

Sequences = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


def original_sequences(paths: Sequence[str], length: int, training: bool, gap_factor: int = 15) -> tf.data.Dataset:
    """Records of float32 faces -> sequences in order, before any shuffling.

    Each is frameNo string (T,), image float32 BGR (T, 96, 96, 3) in [-1, 1], label float32 (T, 2).
    """

    def parse(serialized: tf.Tensor) -> Sequences:
        features = tf.io.parse_single_example(
            serialized,
            {
                "frameNo": tf.io.FixedLenFeature([], tf.string),
                "frame": tf.io.FixedLenFeature([], tf.string),
                "valence": tf.io.FixedLenFeature([], tf.int64),
                "arousal": tf.io.FixedLenFeature([], tf.int64),
            },
        )
        label = tf.stack([features["valence"], features["arousal"]])
        label = tf.cast(label, tf.float32) / 1000.0
        image = tf.reshape(tf.io.decode_raw(features["frame"], tf.float32), [96, 96, 3])
        image = tf.reverse(image, axis=[-1])
        return features["frameNo"], (image - 128.0) / 128.0, label

    def keep(names: tf.Tensor, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        first, last = tf.strings.split(names[0], "/"), tf.strings.split(names[-1], "/")
        gap = tf.strings.to_number(last[1], tf.int64) - tf.strings.to_number(first[1], tf.int64)
        return tf.logical_and(tf.equal(first[0], last[0]), gap < gap_factor * length)

    dataset = tf.data.TFRecordDataset(sorted(paths)).map(parse)
    if training:
        dataset = dataset.repeat()
    return dataset.batch(length, drop_remainder=True).filter(keep)


def original_batches(paths: Sequence[str], length: int, batch: int, buffer: int) -> tf.data.Dataset:
    """Shuffled training batches; the original's `buffer` is 10 * batch * length sequences."""
    return original_sequences(paths, length, training=True).shuffle(buffer).batch(batch)
