"""Training batches read and decoded by a tf.data service, on other machines or beside the trainer.

What the service's processes run is a graph without Python, so that they need nothing of ours. Which batch of an epoch
comes when depends on how quick they are: the position is the epoch only, and a training that goes on begins its epoch
again.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from tfrecords.errors import InputError
from tfrecords.feature_records import PROFILE, parse_features
from tfrecords.index import RecordFile
from tfrecords.loader import Batch
from tfrecords.schema import parse_faces, parse_labels, parse_landmarks_68
from tfrecords.sequences import GAP_FACTOR, training_windows
from tfrecords.sidecar import Sidecar

# TensorFlow's own, without a word about it; a window's records lie one after the other.
_BUFFER_BYTES = 1 << 18
_CONNECT_SECONDS = 10.0


def service_batches(
    files: Sequence[RecordFile],
    length: int,
    batch: int,
    seed: int,
    labels: Sequence[str],
    service: str,
    first_step: int = 0,
    gap_factor: float = GAP_FACTOR,
    share: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:
    """Endless batches as `loader.training_dataset` makes them, from the epoch of batch `first_step` on.

    Every epoch has the same batches in every run, as many of `batch` windows as there are whole ones, in an order that
    nobody knows beforehand. The service's processes must find the record files under the same paths.

    Args:
      service: ``HOST:PORT`` of its dispatcher.
      share: (k, n): only the k-th of n equal parts of each batch. The n processes do not get the parts of one batch at
        one time.

    Raises:
      InputError: nobody answers at `service`, or an epoch has not one whole batch.
    """
    check_service(service)
    epoch, _ = epoch_of(files, length, batch, seed, first_step, gap_factor)
    for number in itertools.count(epoch):
        rows = _epoch_rows(files, length, batch, seed, number, gap_factor)
        own = np.split(rows, share[1], axis=1)[share[0]]
        dataset = window_dataset(files, own, length, labels)
        # Not a named job: what another process takes out of one would be missing here.
        spread = tf.data.experimental.service.distribute(
            tf.data.experimental.service.ShardingPolicy.DYNAMIC, f"grpc://{service}"
        )
        yield from dataset.apply(spread).prefetch(2)


def epoch_of(
    files: Sequence[RecordFile], length: int, batch: int, seed: int, step: int, gap_factor: float = GAP_FACTOR
) -> tuple[int, int]:
    """The epoch from 0 in which batch `step` comes, and how many batches of it came before."""
    for epoch in itertools.count():
        batches = len(_epoch_rows(files, length, batch, seed, epoch, gap_factor))
        if step < batches:
            return epoch, step
        step -= batches
    raise AssertionError("there is no last epoch")


def _epoch_rows(
    files: Sequence[RecordFile], length: int, batch: int, seed: int, epoch: int, gap_factor: float
) -> np.ndarray:
    """An epoch's whole batches of windows, int64 (N, batch, 3)."""
    rows = training_windows(files, length, seed, epoch, gap_factor).rows
    if len(rows) < batch:
        what = f"an epoch has {len(rows)} windows of {length} records, less than a batch of {batch}"
        raise InputError("--data_service", what, "lower --batch or --sequence_length, or train without the service")
    return rows[: len(rows) // batch * batch].reshape(-1, batch, 3)


def window_dataset(
    files: Sequence[RecordFile], rows: np.ndarray, length: int, labels: Sequence[str]
) -> tf.data.Dataset:
    """Batches of the windows `rows`, int64 (N, B, 3), as `loader.load_batches` gives them, by TensorFlow alone."""
    sidecar = files[0].sidecar
    paths = tf.constant([str(file.path.resolve()) for file in files])
    begins = np.array([files[file].offsets[first] for file, first, _ in rows.reshape(-1, 3)], np.int64)

    def read(window: tf.Tensor, begin: tf.Tensor) -> tf.Tensor:
        # The public class has no place to begin at.
        variant = tf.raw_ops.TFRecordDatasetV2(
            filenames=[paths[window[0]]], compression_type="", buffer_size=_BUFFER_BYTES, byte_offsets=[begin]
        )
        following = tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.string))
        found = following.take(window[2]).batch(length).get_single_element()
        return tf.gather(found, tf.minimum(tf.range(length, dtype=tf.int64), window[2] - 1))

    def load(windows: tf.Tensor, begins: tf.Tensor) -> Batch:
        records = tf.map_fn(lambda both: read(*both), (windows, begins), tf.TensorSpec([length], tf.string))
        return _parse(tf.ensure_shape(records, [rows.shape[1], length]), windows, sidecar, labels)

    dataset = tf.data.Dataset.from_tensor_slices((rows, begins.reshape(rows.shape[:2])))
    return dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE)


def _parse(records: tf.Tensor, windows: tf.Tensor, sidecar: Sidecar, labels: Sequence[str]) -> Batch:
    """Serialised examples (B, T) -> a batch."""
    serialized = tf.reshape(records, [-1])
    cached = sidecar.profile == PROFILE
    if cached:
        inputs, names = parse_features(serialized, sidecar.size)
    else:
        inputs, names = parse_faces(serialized, sidecar.encoding, sidecar.size)

    def sequences(values: tf.Tensor, *shape: int) -> tf.Tensor:
        return tf.reshape(values, [*records.shape, *shape])

    batch = {
        "features" if cached else "faces": sequences(inputs, *inputs.shape[1:]),
        "labels": sequences(parse_labels(serialized, labels, sidecar.profile), len(labels)),
        "weights": tf.cast(tf.range(records.shape[1], dtype=tf.int64)[None] < windows[:, 2:], tf.float32),
        "names": sequences(names),
        "windows": windows,
    }
    if sidecar.landmarks_68 and not cached:
        batch["landmarks_68"] = sequences(parse_landmarks_68(serialized), 136)
    return batch


def check_service(service: str) -> None:
    """Raises `InputError` where nobody answers: TensorFlow would wait without a word."""
    host, _, port = service.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        remedy = "give HOST:PORT as python -m tfrecords.data_service prints it"
        raise InputError(f"--data_service={service}", f"nobody answers there ({error})", remedy) from None
