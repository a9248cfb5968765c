"""Windows of records -> batches of uint8 faces and labels, as a `tf.data.Dataset`.

What is shuffled is an index; a batch's records are read when its turn comes, and decoded all at once. So memory holds a
few batches, whatever the database's size and however far apart the shuffling takes its sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfrecords.augment import augment_batch
from tfrecords.balance import frame_weights
from tfrecords.batch_reader import Scratch, make_batch_reader, read_parts
from tfrecords.corrupt import CorruptRecords
from tfrecords.errors import InputError
from tfrecords.index import RecordFile, check_columns
from tfrecords.labels import ORIGINAL_LABELS
from tfrecords.loader_options import GAP_FACTOR, LoaderOptions, check_loader
from tfrecords.original_order import original_files, original_pass
from tfrecords.record_value import FEATURES, make_splitter, value_dtype, value_shape
from tfrecords.schema import blank_rest, decode_pictures, parse_beside_value, parse_labels
from tfrecords.sequences import cut_windows, training_batches

Batch = Mapping[str, tf.Tensor]
# Records whose labels are read at once.
_LABELS_AT_ONCE = 256


def load_batches(
    files: Sequence[RecordFile],
    batches: Callable[[], Iterator[np.ndarray]],
    length: int,
    labels: Sequence[str],
    replaced_labels: Sequence[np.ndarray] | None = None,
    corrupt: CorruptRecords | None = None,
    batch: int | None = None,
    original: bool = False,
) -> tf.data.Dataset:
    """Batches of sequences, read with one seek a window and decoded all at once.

    Args:
      files: record files, all made alike (see `index.check_alike`).
      batches: gives an iterator of windows int64 (B, 3): file, first record, records.
      length: T; a shorter window is padded with its last frame.
      labels: names of the label columns, in order.
      replaced_labels: labels float32 (N, len(labels)) of each file in place of its own (for controls).
      corrupt: what happens to damaged records; by default the first is fatal.
      batch: B where all batches are equal.
      original: give ``images`` in place of ``faces``.

    Returns:
      A dataset of dicts: ``faces`` uint8 RGB (B, T, S, S, 3), or from files of features ``features`` float32 (B, T, D),
      or ``images`` float32 BGR (B, T, S, S, 3), (x - 128) / 128; ``landmarks_68`` float32 (B, T, 136) where the records
      hold them with faces; ``labels`` float32 (B, T, len(labels)) in [-1, 1], NaN for missing; ``weights``
      float32 (B, T), 0 where padded or damaged; ``names`` string (B, T), ``ENTRY/00012``; ``windows`` int64 (B, 3).
    """
    sidecar = files[0].sidecar
    features = sidecar.profile == FEATURES
    stored, shape = value_dtype(sidecar), value_shape(sidecar)
    # Faces are whole numbers, but what the original stored as float32 is given as it is.
    dtype = np.float32 if features or (original and stored == np.float32) else np.uint8
    read = make_batch_reader(files, length, dtype, corrupt or CorruptRecords())

    joined = np.concatenate(replaced_labels) if replaced_labels is not None else None
    begins = np.cumsum([0, *(len(file.frames) for file in files)])

    def replace(windows: np.ndarray) -> np.ndarray:
        assert joined is not None
        places = np.minimum(np.arange(length), windows[:, 2:] - 1) + begins[windows[:, :1]] + windows[:, 1:2]
        return np.take(joined, places, axis=0, mode="wrap")  # as the original's sequences do, see batch_reader

    def decode(windows: tf.Tensor) -> Batch:
        types = (tf.string if stored is None else tf.as_dtype(dtype), tf.string, tf.float32)
        values, rest, weights = tf.numpy_function(read, [windows], types)
        count = batch or tf.shape(windows)[0]
        flat = [None if batch is None else batch * length]
        found = parse_beside_value(
            tf.reshape(rest, [-1]), labels, sidecar.profile, sidecar.landmarks_68 and not features
        )
        if stored is None:
            values = decode_pictures(tf.ensure_shape(tf.reshape(values, [-1]), flat), sidecar.encoding, sidecar.size)
        parsed = {name: tf.reshape(value, [count, length, *value.shape[1:]]) for name, value in found.items()}
        if joined is not None:
            own = tf.numpy_function(replace, [windows], tf.float32)
            parsed["labels"] = tf.reshape(own, [count, length, len(labels)])
        values = tf.reshape(values, [count, length, *shape])
        if original:
            values = (tf.cast(tf.reverse(values, axis=[-1]), tf.float32) - 128.0) / 128.0
        name = "features" if features else "images" if original else "faces"
        return {name: values, **parsed, "weights": tf.reshape(weights, [count, length]), "windows": windows}

    dataset = tf.data.Dataset.from_generator(batches, output_signature=tf.TensorSpec((batch, 3), tf.int64))
    return dataset.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(2)


def training_dataset(
    files: Sequence[RecordFile],
    length: int,
    batch: int,
    seed: int,
    labels: Sequence[str],
    first_step: int = 0,
    chosen: LoaderOptions = LoaderOptions(),  # noqa: B008 it is frozen
    shuffle_labels: bool = False,
    share: tuple[int, int] = (0, 1),
    corrupt: CorruptRecords | None = None,
    absent: Collection[str] = (),
) -> tf.data.Dataset:
    """Endless shuffled batches for training, see `load_batches` and `sequences.training_batches`.

    With a `share` (k, n) only the k-th of n equal parts of every batch, of which the process knows the rest: n
    processes together train on the same batches as one.

    With `shuffle_labels` every frame gets the labels of a random frame of `files`: a control that nothing can be
    learned from.

    Of `labels` those in `absent` need not be in any file: they are missing everywhere then.

    Raises:
      InputError: the options contradict each other or the records, or no file has another of `labels`.
    """
    check_loader(chosen, length)
    check_columns(files, [name for name in labels if name not in absent])
    corrupt = CorruptRecords(chosen.on_corrupt == "skip") if corrupt is None else corrupt
    original = chosen.loader == "original"
    for flag, needs_faces in (("--loader=original", original), ("--augment", bool(chosen.augment))):
        if needs_faces and files[0].sidecar.profile == FEATURES:
            raise InputError(flag, "it changes faces, and these records hold features", "drop --cache_features")
    files = original_files(files) if original else files
    replaced = shuffled_labels(files, labels, seed, corrupt) if shuffle_labels else None
    weights = balancing_weights(files, labels, chosen, corrupt, replaced)
    place, parts = share
    own = batch // parts
    whole = lambda: training_batches(files, length, batch, seed, first_step, chosen, weights)  # noqa: E731
    batches = lambda: (rows[place * own : (place + 1) * own] for rows in whole())  # noqa: E731
    dataset = load_batches(files, batches, length, labels, replaced, corrupt, own, original)
    if not chosen.augment:
        return dataset
    first = place * own  # each sequence of the whole batch is changed in its own way, whoever loads it
    change = lambda step, loaded: augment_batch(loaded, chosen.augment, seed, step * batch + first)  # noqa: E731
    return dataset.enumerate(first_step).map(change, tf.data.AUTOTUNE, deterministic=True).prefetch(2)


def balancing_weights(
    files: Sequence[RecordFile],
    labels: Sequence[str],
    chosen: LoaderOptions,
    corrupt: CorruptRecords | None = None,
    replaced: Sequence[np.ndarray] | None = None,
) -> list[np.ndarray] | None:
    """How often each frame is to come, float (N,) a file, see `balance.frame_weights`; None without ``--balance``."""
    if chosen.balance == "none":
        return None
    own = replaced or [read_labels(file, labels, corrupt) for file in files]
    return frame_weights([rows[:, _plane(labels)] for rows in own], chosen.balance)


def evaluation_windows(
    files: Sequence[RecordFile],
    length: int,
    gap_factor: float = GAP_FACTOR,
    stride: int = 0,
    frames_mode: str = "all",
) -> np.ndarray:
    """Windows int64 (W, 3) over `files`: of ``all`` labelled frames, or the sequences that the original ``kept``."""
    if frames_mode == "all":
        return cut_windows(files, length, None, gap_factor, stride)
    in_order = original_files(files)
    rows = original_pass(in_order, length, gap_factor)
    numbers = {id(file): number for number, file in enumerate(files)}
    places = np.array([numbers[id(file)] for file in in_order])
    return np.column_stack([places[rows[:, 0]], rows[:, 1:]])


def evaluation_dataset(
    files: Sequence[RecordFile],
    length: int,
    batch: int,
    labels: Sequence[str],
    gap_factor: float = GAP_FACTOR,
    stride: int = 0,
    frames_mode: str = "all",
    corrupt: CorruptRecords | None = None,
) -> tf.data.Dataset:
    """One pass over `evaluation_windows`, in order, tails padded and of weight 0; uint8 faces in either mode."""
    rows = evaluation_windows(files, length, gap_factor, stride, frames_mode)
    starts = range(0, len(rows), batch)
    batches = lambda: (rows[start : start + batch] for start in starts)  # noqa: E731
    return load_batches(files, batches, length, labels, corrupt=corrupt)


def shuffled_labels(
    files: Sequence[RecordFile], labels: Sequence[str], seed: int, corrupt: CorruptRecords | None = None
) -> list[np.ndarray]:
    """The labels of all frames dealt out again at random over all files, float32 (N, len(labels)) a file."""
    own = [read_labels(file, labels, corrupt) for file in files]
    dealt = np.random.default_rng([seed, 0]).permutation(np.concatenate(own))
    return np.split(dealt, np.cumsum([len(part) for part in own])[:-1])


def read_labels(file: RecordFile, labels: Sequence[str], corrupt: CorruptRecords | None = None) -> np.ndarray:
    """All labels of one record file, float32 (N, len(labels)), valence and arousal in [-1, 1], NaN for missing.

    A damaged record is fatal, or with ``corrupt.skip`` has the labels of the record before it.
    """
    corrupt = corrupt or CorruptRecords()
    scratch, split, found = Scratch(), make_splitter(file.sidecar), []
    last = blank_rest(file.sidecar)
    for first in range(0, len(file.frames), _LABELS_AT_ONCE):
        rests = []
        for part in read_parts(
            file, first, min(_LABELS_AT_ONCE, len(file.frames) - first), corrupt, split, scratch.take
        ):
            last = part.rest if part else last
            rests.append(last)
        found.append(parse_labels(tf.constant(rests), labels, file.sidecar.profile).numpy())
    return np.concatenate(found)


def _plane(labels: Sequence[str]) -> list[int]:
    """Which columns of `labels` are valence and arousal."""
    missing = [name for name in ORIGINAL_LABELS if name not in labels]
    if missing:
        raise InputError("--balance", f"the outputs have no {missing[0]}", "use it where valence and arousal are")
    return [list(labels).index(name) for name in ORIGINAL_LABELS]
