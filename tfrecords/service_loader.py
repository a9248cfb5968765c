"""Training batches read and decoded by a tf.data service, on other machines or beside the trainer.

What the service's processes run is a graph without Python, so that they need nothing of ours. Which batch of an epoch
comes when depends on how quick they are: the position is the epoch only, and a training that goes on begins its epoch
again.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import tensorflow as tf

from tfrecords.errors import InputError
from tfrecords.index import RecordFile, check_columns
from tfrecords.loader import Batch, balancing_weights
from tfrecords.loader_options import LoaderOptions
from tfrecords.record_value import FEATURES, value_dtype, value_key, value_shape
from tfrecords.schema import decode_pictures, parse_beside_value
from tfrecords.sequences import training_windows
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
    chosen: LoaderOptions = LoaderOptions(),  # noqa: B008 it is frozen
    share: tuple[int, int] = (0, 1),
    absent: Collection[str] = (),
) -> Iterator[Batch]:
    """Endless batches as `loader.training_dataset` makes them, from the epoch of batch `first_step` on.

    Every epoch has the same batches in every run, as many of `batch` windows as there are whole ones, in an order that
    nobody knows beforehand. The service's processes must find the record files under the same paths.

    Args:
      service: ``HOST:PORT`` of its dispatcher.
      share: (k, n): only the k-th of n equal parts of each batch. The n processes do not get the parts of one batch at
        one time.
      absent: those of `labels` that need not be in any file.

    Raises:
      InputError: nobody answers at `service`, or an epoch has not one whole batch.
    """
    check_service(service)
    check_columns(files, [name for name in labels if name not in absent])
    weights = balancing_weights(files, labels, chosen)
    epoch, _ = epoch_of(files, length, batch, seed, first_step, chosen, weights)
    for number in itertools.count(epoch):
        rows = _epoch_rows(files, length, batch, seed, number, chosen, weights)
        own = np.split(rows, share[1], axis=1)[share[0]]
        dataset = window_dataset(files, own, length, labels)
        # Not a named job: what another process takes out of one would be missing here.
        spread = tf.data.experimental.service.distribute(
            tf.data.experimental.service.ShardingPolicy.DYNAMIC, f"grpc://{service}"
        )
        yield from dataset.apply(spread).prefetch(2)


def check_service_options(chosen: LoaderOptions, shuffle_labels: bool) -> None:
    """Raises `InputError` where the options ask for what the service's processes cannot do."""
    wanted = {
        "--shuffle_labels": shuffle_labels,
        "--loader=original": chosen.loader == "original",
        "--augment": bool(chosen.augment),
        "--on_corrupt=skip": chosen.on_corrupt == "skip",
    }
    for flag, given in wanted.items():
        if given:
            raise InputError(flag, "the data service gives records as they are", "leave out --data_service")


def epoch_of(
    files: Sequence[RecordFile],
    length: int,
    batch: int,
    seed: int,
    step: int,
    chosen: LoaderOptions = LoaderOptions(),  # noqa: B008 it is frozen
    weights: Sequence[np.ndarray] | None = None,
) -> tuple[int, int]:
    """The epoch from 0 in which batch `step` comes, and how many batches of it came before."""
    for epoch in itertools.count():
        batches = len(_epoch_rows(files, length, batch, seed, epoch, chosen, weights))
        if step < batches:
            return epoch, step
        step -= batches
    raise AssertionError("there is no last epoch")


def _epoch_rows(
    files: Sequence[RecordFile],
    length: int,
    batch: int,
    seed: int,
    epoch: int,
    chosen: LoaderOptions,
    weights: Sequence[np.ndarray] | None,
) -> np.ndarray:
    """An epoch's whole batches of windows, int64 (N, batch, 3)."""
    rows = training_windows(files, length, seed, epoch, chosen, weights)
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
    cached = sidecar.profile == FEATURES
    key, dtype = value_key(sidecar).decode(), value_dtype(sidecar)
    stored = tf.io.parse_example(serialized, {key: tf.io.FixedLenFeature([], tf.string)})[key]
    if dtype is None:
        values = decode_pictures(stored, sidecar.encoding, sidecar.size)
    else:
        values = tf.cast(tf.io.decode_raw(stored, tf.as_dtype(dtype)), tf.float32 if cached else tf.uint8)
    found = parse_beside_value(serialized, labels, sidecar.profile, sidecar.landmarks_68 and not cached)
    batch = {name: tf.reshape(value, [*records.shape, *value.shape[1:]]) for name, value in found.items()}
    return batch | {
        "features" if cached else "faces": tf.reshape(values, [*records.shape, *value_shape(sidecar)]),
        "weights": tf.cast(tf.range(records.shape[1], dtype=tf.int64)[None] < windows[:, 2:], tf.float32),
        "windows": windows,
    }


def check_service(service: str) -> None:
    """Raises `InputError` where nobody answers: TensorFlow would wait without a word."""
    host, _, port = service.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        remedy = "give HOST:PORT as python -m tfrecords.data_service prints it"
        raise InputError(f"--data_service={service}", f"nobody answers there ({error})", remedy) from None
