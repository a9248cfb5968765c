"""Windows of records -> batches of uint8 faces and labels, as a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfrecords.feature_records import PROFILE, parse_features
from tfrecords.index import RecordFile, read_frames
from tfrecords.schema import parse_faces, parse_labels, parse_landmarks_68
from tfrecords.sequences import GAP_FACTOR, cut_windows, training_batches
from tfrecords.sidecar import Sidecar

Batch = Mapping[str, tf.Tensor]


def load_batches(
    files: Sequence[RecordFile],
    batches: Callable[[], Iterator[np.ndarray]],
    length: int,
    labels: Sequence[str],
    replaced_labels: Sequence[np.ndarray] | None = None,
) -> tf.data.Dataset:
    """Batches of sequences, read with one seek a window and decoded all at once.

    Args:
      files: record files, all made alike (see `index.check_alike`).
      batches: gives an iterator of windows int64 (B, 3): file, first record, records.
      length: T; a shorter window is padded with its last frame.
      labels: names of the label columns, in order.
      replaced_labels: labels float32 (N, len(labels)) of each file in place of its own (for controls).

    Returns:
      A dataset of dicts: ``faces`` uint8 RGB (B, T, S, S, 3), or from files of features ``features`` float32 (B, T, D);
      ``landmarks_68`` float32 (B, T, 136) where the records hold them with faces;
      ``labels`` float32 (B, T, len(labels)) in [-1, 1]; ``weights`` float32 (B, T), 0 where padded; ``names`` string
      (B, T), ``ENTRY/00012``; ``windows`` int64 (B, 3).
    """
    sidecar = files[0].sidecar

    def read(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        records = [_padded(read_frames(files[file], first, count), length) for file, first, count in windows]
        if replaced_labels is None:
            return np.array(records, object), np.empty((0, length, len(labels)), np.float32)
        rows = [replaced_labels[file][first : first + count] for file, first, count in windows]
        return np.array(records, object), np.stack([np.pad(r, ((0, length - len(r)), (0, 0)), "edge") for r in rows])

    def decode(windows: tf.Tensor) -> Batch:
        records, replaced = tf.numpy_function(read, [windows], (tf.string, tf.float32))
        count = tf.shape(windows)[0]
        serialized = tf.reshape(records, [-1])
        inputs, names = _parse_inputs(serialized, sidecar)
        own = parse_labels(serialized, labels, sidecar.profile) if replaced_labels is None else replaced
        steps = tf.range(length, dtype=tf.int64)
        shape = tf.concat([[count, length], tf.shape(inputs)[1:]], axis=0)
        batch = {
            "features" if sidecar.profile == PROFILE else "faces": _known_shape(tf.reshape(inputs, shape), inputs),
            "labels": tf.reshape(own, [count, length, len(labels)]),
            "weights": tf.cast(steps[None] < windows[:, 2:], tf.float32),
            "names": tf.reshape(names, [count, length]),
            "windows": windows,
        }
        if sidecar.landmarks_68 and sidecar.profile != PROFILE:
            batch["landmarks_68"] = tf.reshape(parse_landmarks_68(serialized), [count, length, 136])
        return batch

    signature = tf.TensorSpec((None, 3), tf.int64)
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(2)


def _parse_inputs(serialized: tf.Tensor, sidecar: Sidecar) -> tuple[tf.Tensor, tf.Tensor]:
    if sidecar.profile == PROFILE:
        return parse_features(serialized, sidecar.size)
    return parse_faces(serialized, sidecar.encoding, sidecar.size)


def _known_shape(sequences: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
    return tf.ensure_shape(sequences, [None, None, *inputs.shape[1:]])


def training_dataset(
    files: Sequence[RecordFile],
    length: int,
    batch: int,
    seed: int,
    labels: Sequence[str],
    first_step: int = 0,
    gap_factor: float = GAP_FACTOR,
    shuffle_labels: bool = False,
    share: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Endless shuffled batches for training, see `load_batches` and `sequences.training_batches`.

    With a `share` (k, n) only the k-th of n equal parts of every batch, of which the process knows the rest: n
    processes together train on the same batches as one.

    With `shuffle_labels` every frame gets the labels of a random frame of `files`: a control that nothing can be
    learned from.
    """
    replaced = shuffled_labels(files, labels, seed) if shuffle_labels else None
    whole = lambda: training_batches(files, length, batch, seed, first_step, gap_factor)  # noqa: E731
    batches = lambda: (np.split(rows, share[1])[share[0]] for rows in whole())  # noqa: E731
    return load_batches(files, batches, length, labels, replaced)


def evaluation_dataset(
    files: Sequence[RecordFile], length: int, batch: int, labels: Sequence[str], gap_factor: float = GAP_FACTOR
) -> tf.data.Dataset:
    """One pass over every labelled frame that the gap rule keeps, in order, tails padded and of weight 0."""
    rows = cut_windows(files, length, gap_factor=gap_factor).rows
    starts = range(0, len(rows), batch)
    return load_batches(files, lambda: (rows[start : start + batch] for start in starts), length, labels)


def shuffled_labels(files: Sequence[RecordFile], labels: Sequence[str], seed: int) -> list[np.ndarray]:
    """The labels of all frames dealt out again at random over all files, float32 (N, len(labels)) a file."""
    own = [read_labels(file, labels) for file in files]
    dealt = np.random.default_rng([seed, 0]).permutation(np.concatenate(own))
    return np.split(dealt, np.cumsum([len(part) for part in own])[:-1])


def read_labels(file: RecordFile, labels: Sequence[str]) -> np.ndarray:
    """All labels of one record file, float32 (N, len(labels)), valence and arousal in [-1, 1]."""
    records = read_frames(file, 0, len(file.frames))
    return parse_labels(tf.constant(records), labels, file.sidecar.profile).numpy()


def _padded(records: list[bytes], length: int) -> list[bytes]:
    return records + records[-1:] * (length - len(records))
