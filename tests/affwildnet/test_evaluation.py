"""Which frames count: every labelled one exactly once, or those of the original's sequences."""

import types

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.evaluation import CompiledModel, evaluate_model
from tfrecords.index import open_record
from tfrecords.record_file import write_records
from tfrecords.schema import encode_example, encode_face

OUTPUTS = ("valence", "arousal")
# The first breaks the gap rule once; neither is a multiple of the length.
FRAMES = {"a": [*range(1, 14), *range(200, 210)], "b": [*range(1, 12)]}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    opened = []
    generator = np.random.default_rng(0)
    for video, frames in FRAMES.items():
        examples = []
        for frame in frames:
            face = encode_face(np.full((96, 96, 3), frame, np.uint8), "raw")
            labels = {name: int(generator.integers(-1000, 1001)) for name in OUTPUTS}
            examples.append(encode_example(f"{video}/{frame:05d}", face, labels))
        write_records(folder / f"{video}.tfrecords", examples)
        opened.append(open_record(folder / f"{video}.tfrecords", sidecar=False))
    return opened


def _evaluate(files, stride=0, **how):
    """Predictions are the place in the sequence over 10, so that overlapping sequences disagree."""

    def predict(batch):
        places = tf.range(tf.shape(batch["labels"])[1], dtype=tf.float32) / 10
        return tf.zeros_like(batch["labels"]) + places[None, :, None]

    compiled = CompiledModel(predict, lambda: None)
    trained = {"sequence_length": 4, "gap_factor": 15.0, "stride": stride}
    return evaluate_model(compiled, OUTPUTS, files, trained, **how)


@pytest.mark.parametrize("stride", [0, 1, 3])
def test_every_labelled_frame_counts_exactly_once_whatever_the_overlap_and_gaps(files, stride):
    evaluation = _evaluate(files, stride)
    assert evaluation.frames_mode == "all" and evaluation.dropped == 0
    assert evaluation.frames == sum(map(len, FRAMES.values()))
    assert {entry.entry: entry.frames.tolist() for entry in evaluation.entries} == FRAMES


def test_overlapping_predictions_are_averaged_before_they_are_measured(files):
    entry = _evaluate(files, stride=1).entries[1]
    # Windows of 4 begin at 0 to 7: frame k is at the places that they give it.
    expected = [np.mean([k - first for first in range(8) if first <= k < first + 4]) / 10 for k in range(11)]
    np.testing.assert_allclose(entry.predictions[:, 0], expected, rtol=1e-6)
    evaluation = _evaluate(files, stride=1)
    errors = [np.square(entry.predictions - entry.labels) for entry in evaluation.entries]
    assert evaluation.mse["valence"] == pytest.approx(np.concatenate(errors)[:, 0].mean(), rel=1e-5)


def test_kept_frames_are_those_of_the_original_s_sequences(files):
    evaluation = _evaluate(files, frames_mode="kept")
    found = {entry.entry: entry.frames.tolist() for entry in evaluation.entries}
    # Cut every 4 records of the joined stream of 23 + 11: records 12 to 15 span the gap, 20 to 23 two videos.
    kept = [*range(12), *range(16, 20)]
    assert found == {"a": [FRAMES["a"][k] for k in kept], "b": FRAMES["b"][1:9]}
    assert (evaluation.frames, evaluation.dropped, evaluation.frames_mode) == (24, 10, "kept")


def test_damaged_record_is_left_out_and_counted(files, tmp_path):
    data = bytearray(files[1].path.read_bytes())
    data[files[1].offsets[3] + 100] ^= 1
    path = tmp_path / "b.tfrecords"
    path.write_bytes(data)
    broken = types.SimpleNamespace(path=path, frames=files[1].frames, offsets=files[1].offsets)
    broken.sidecar, broken.entry = files[1].sidecar, "b"
    evaluation = _evaluate([files[0], broken], on_corrupt="skip")
    assert (evaluation.corrupt, evaluation.dropped) == (1, 1)
    assert evaluation.entries[1].frames.tolist() == [n for n in FRAMES["b"] if n != 4]
