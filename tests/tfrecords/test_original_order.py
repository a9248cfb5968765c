"""The mode ``original`` against the original's pipeline, restated word for word in tf.data, to the bit."""

import itertools
import types

import numpy as np
import pytest

from benchmarks.original_pipeline import original_sequences as restated
from tfrecords.errors import InputError
from tfrecords.index import open_record
from tfrecords.loader import evaluation_dataset, load_batches, training_dataset
from tfrecords.loader_options import LoaderOptions
from tfrecords.original_order import original_batches, original_sequences
from tfrecords.record_file import write_records
from tfrecords.schema import encode_example

LABELS = ("valence", "arousal")
LENGTH = 4
# Holes within and above the gap, a video shorter than a sequence, and one that ends where the next begins.
VIDEOS = {
    "c": [1, 2, 3, 40, 41, 42],
    "a": [1, 2, 3, 4, 5, 6, 70, 71, 72, 130, 131],
    "b": [7, 9],
    "d": [1, 60, 61, 62, 63, 64, 65],
}


def _write(folder, videos):
    """The original's own files: float32 faces, four keys, no sidecar."""
    generator = np.random.default_rng(0)
    paths = []
    for video, frames in videos.items():
        path = folder / f"{video}.tfrecords"
        examples = []
        for frame in frames:
            # Fractions too: what is stored as float32 is given as it is.
            face = generator.uniform(0, 255, (96, 96, 3)).astype(np.float32)
            labels = {name: int(generator.integers(-1000, 1001)) for name in LABELS}
            examples.append(encode_example(f"{video}/{frame:05d}", face.tobytes(), labels))
        write_records(path, examples)
        paths.append(path)
    return paths


def _ours(files, count):
    """`count` sequences in the order before shuffling, through the loader."""
    rows = itertools.islice(original_sequences(files, LENGTH, 15), count)
    batches = lambda: (row[None] for row in rows)  # noqa: E731
    return load_batches(files, batches, LENGTH, LABELS, batch=1, original=True)


@pytest.mark.parametrize("names", ["abcd", "a", "ab", "cd"])
def test_training_sequences_before_shuffling_equal_the_original_s_to_the_bit(tmp_path, names):
    paths = _write(tmp_path, {name: VIDEOS[name] for name in names})
    files = sorted((open_record(path, sidecar=False) for path in paths), key=lambda file: file.path.name)
    count = 40
    expected = restated([str(path) for path in paths], LENGTH, training=True).take(count)
    seen = set()
    for (name, image, label), ours in zip(expected, _ours(files, count), strict=True):
        assert ours["names"][0].numpy().tolist() == name.numpy().tolist()
        assert ours["images"].dtype == np.float32
        assert ours["images"][0].numpy().tobytes() == image.numpy().tobytes()
        assert ours["labels"][0].numpy().tobytes() == label.numpy().tobytes()
        seen.add(tuple(name.numpy().tolist()))
    # Cuts move from epoch to epoch; a single file wraps round, and so does one that the stream comes back to.
    if "a" in names:
        assert len({sequence[0] for sequence in seen if sequence[0].startswith(b"a")}) > 1
    if names == "a":
        assert any(sequence[0] > sequence[-1] for sequence in seen)
    if names == "ab":
        assert any({b"a", b"b"} == {name[:1] for name in sequence} for sequence in seen)


def test_evaluated_sequences_are_those_that_the_original_keeps(tmp_path):
    paths = _write(tmp_path, VIDEOS)
    files = [open_record(path, sidecar=False) for path in paths]
    expected = [names.numpy().tolist() for names, _, _ in restated([str(path) for path in paths], LENGTH, False)]
    dataset = evaluation_dataset(files, LENGTH, 1, LABELS, frames_mode="kept")
    found = [(batch["names"][0].numpy().tolist(), int(batch["windows"][0, 0])) for batch in dataset]
    assert [names for names, _ in found] == expected and expected
    assert all(names[0].decode()[0] == files[number].entry for names, number in found)


def test_shuffled_batches_hold_the_stream_s_first_sequences_in_another_order(tmp_path):
    files = [_numbers("a", range(1, 1001)), _numbers("b", range(1, 501))]
    whole = list(itertools.islice(original_sequences(files, 5, 15), 2000))
    batches = list(itertools.islice(original_batches(files, 5, 2, 3, 0, 15), 500))
    drawn = np.concatenate(batches).tolist()
    assert drawn != np.array(whole[: len(drawn)]).tolist()
    # Of a buffer of 100, the n-th drawn is among the first n + 100 of the stream.
    places = {tuple(row): place for place, row in reversed(list(enumerate(map(tuple, np.array(whole).tolist()))))}
    assert all(places[tuple(row)] <= number + 100 for number, row in enumerate(drawn))


def test_training_in_the_original_s_mode_gives_its_images_and_no_faces(tmp_path):
    files = [open_record(path, sidecar=False) for path in _write(tmp_path, VIDEOS)]
    chosen = LoaderOptions(loader="original")
    batch = next(iter(training_dataset(files, LENGTH, 2, 1, LABELS, chosen=chosen)))
    assert "faces" not in batch and batch["images"].shape == (2, LENGTH, 96, 96, 3)
    assert batch["weights"].numpy().min() == 1


def test_no_sequence_that_keeps_the_rule_is_an_error():
    with pytest.raises(InputError, match="no sequence of 4 records keeps the original's gap rule"):
        next(original_sequences([_numbers("a", [1, 2]), _numbers("b", [1, 2])], 4, 15))


def _numbers(entry, frames):
    return types.SimpleNamespace(entry=entry, frames=np.array(frames), path=types.SimpleNamespace(name=entry))
