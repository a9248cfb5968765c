"""A label that is missing stays missing from the labels file to the batch, and never becomes a 0."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfrecords.balance import frame_weights
from tfrecords.convert import ConvertOptions, convert_entry
from tfrecords.errors import InputError
from tfrecords.feature_records import write_features
from tfrecords.index import check_alike, label_columns, open_record
from tfrecords.inspect import describe
from tfrecords.inspection_plot import plot_record
from tfrecords.labels import read_labels, write_labels
from tfrecords.loader import evaluation_dataset, training_dataset
from tfrecords.loader import read_labels as read_record_labels
from tfrecords.record_file import write_records
from tfrecords.schema import encode_example, encode_face
from tfrecords.sidecar import read_sidecar, write_sidecar
from tfrecords.verify import verify_record

NAN = float("nan")
NAMES = ("valence", "arousal", "au01", "au12")
VALUES = np.array([[0.1, 0.2, NAN, 1], [NAN, NAN, 0.4, 0], [0.5, -0.5, 0, NAN]], np.float32)
TEXT = "# frame valence arousal au01 au12\n1 100 200 nan 1000\n2 nan nan 400 0\n3 500 -500 0 nan\n"


@pytest.fixture
def record(workspace, make_entry):
    convert_entry(workspace, "a", make_entry("a", [1, 2, 3], TEXT), "s1", ConvertOptions())
    return open_record(workspace.record("a"))


@pytest.fixture
def units_only(workspace, make_entry):
    convert_entry(workspace, "b", make_entry("b", [4, 5], "# frame au12\n4 1000\n5 0\n"), "s2", ConvertOptions())
    return open_record(workspace.record("b"))


def test_labels_file_marks_what_is_missing_and_is_read_without_it(tmp_path):
    columns = {name: np.rint(1000 * column) for name, column in zip(NAMES, VALUES.T, strict=True)}
    write_labels(tmp_path / "a.txt", np.array([1, 2, 3]), columns)
    assert (tmp_path / "a.txt").read_text() == TEXT
    assert read_labels(tmp_path / "a.txt")[2] == {"au01": 400, "au12": 0}


@pytest.mark.parametrize("line", ["2 nan 1 0 0", "2 1 nan 0 0", "2 nan nan nan nan", "2 1 1 0"])
def test_line_without_any_value_or_with_one_of_valence_and_arousal_is_named(tmp_path, line):
    (tmp_path / "a.txt").write_text(TEXT.splitlines()[0] + f"\n1 1 1 1 1\n{line}\n")
    with pytest.raises(InputError, match=r"a\.txt, line 3: .* is not 'frame valence arousal au01 au12'"):
        read_labels(tmp_path / "a.txt")


def test_missing_label_is_an_absent_key_and_a_0_is_none(record):
    keys = []
    for data in tf.data.TFRecordDataset(str(record.path)):
        keys.append(
            sorted(key for key in tf.train.Example.FromString(data.numpy()).features.feature if "label/" in key)
        )
    assert keys == [
        ["label/arousal", "label/au12", "label/valence"],
        ["label/au01", "label/au12"],
        ["label/arousal", "label/au01", "label/valence"],
    ]
    made = record.sidecar
    assert made.labels == NAMES and {name: tuple(own) for name, own in made.ranges.items()} == {
        "valence": (0.1, 0.5), "arousal": (-0.5, 0.2), "au01": (0, 0.4), "au12": (0, 1),
    }  # fmt: skip
    assert verify_record(record.path) == []


def test_batches_have_nan_where_a_label_is_missing(record, units_only):
    np.testing.assert_allclose(read_record_labels(record, NAMES), VALUES, rtol=1e-6)
    files = [record, units_only]
    check_alike(files)
    assert label_columns(files) == NAMES
    first, second = evaluation_dataset(files, 3, 1, NAMES)
    np.testing.assert_allclose(first["labels"][0], VALUES, rtol=1e-6)
    # The second file has one column; its last frame is padding.
    expected = [[NAN, NAN, NAN, 1], [NAN, NAN, NAN, 0], [NAN, NAN, NAN, 0]]
    np.testing.assert_array_equal(second["labels"][0], expected)
    assert second["weights"].numpy().tolist() == [[1, 1, 0]]


def test_wanted_label_that_no_file_has_is_named_with_those_that_there_are(record, units_only):
    next(iter(training_dataset([units_only, record], 1, 1, 1, ("au01",))))
    with pytest.raises(InputError, match="no record of 2 files has the label 'smiling'; choose from au12, valence"):
        training_dataset([units_only, record], 1, 1, 1, ("au12", "smiling"))


def test_frames_without_valence_and_arousal_are_a_region_of_their_own():
    plane = np.array([[0.5, 0.5], [0.5, 0.5], [NAN, NAN], [NAN, NAN], [NAN, NAN], [-0.5, 0.5]])
    for balance in ("class", "value"):
        weights = frame_weights([plane[:2], plane[2:]], balance)
        assert np.concatenate(weights).tolist() == pytest.approx([1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3, 1])


def test_features_keep_what_is_missing(record, tmp_path):
    write_features(tmp_path / "f.tfrecords", record, np.zeros((3, 2)), read_record_labels(record, NAMES))
    file = open_record(tmp_path / "f.tfrecords")
    np.testing.assert_allclose(read_record_labels(file, NAMES), VALUES, rtol=1e-6)
    assert verify_record(file.path) == []


def test_original_profile_has_the_frames_with_valence_and_arousal_only(workspace, make_entry):
    make_entry("a", [1, 2, 3], TEXT)
    assert convert_entry(workspace, "a", "a", "s1", ConvertOptions(profile="original")) == 2
    file = open_record(workspace.record("a"))
    assert file.frames.tolist() == [1, 3] and file.sidecar.labels == ("valence", "arousal")
    np.testing.assert_allclose(read_record_labels(file, ("au12", "arousal")), [[NAN, 0.2], [NAN, -0.5]], rtol=1e-6)
    make_entry("b", [4], "# frame au12\n4 1000\n")
    with pytest.raises(InputError, match="no frame is labelled with valence and arousal"):
        convert_entry(workspace, "b", "b", "s1", ConvertOptions(profile="original"))


@pytest.mark.parametrize(
    ("labels", "what"),
    [({}, "it has no label"), ({"valence": 1, "au12": 0}, "of valence and arousal it has one alone")],
)
def test_record_that_cannot_be_is_named(record, labels, what):
    face = encode_face(np.zeros((96, 96, 3), np.uint8), "jpeg")
    example = encode_example("a/00001", face, labels, [0, 0, 1, 1], 1.0, np.zeros((6, 2)))
    made = read_sidecar(record.path)
    offsets, digest = write_records(record.path, [example])
    ranges = {name: (value / 1000,) * 2 for name, value in labels.items()}
    made = dataclasses.replace(made, frames=(1,), offsets=offsets, sha256=digest, gaps=0)
    write_sidecar(record.path, dataclasses.replace(made, ranges=ranges))
    assert [(fault.record, fault.what) for fault in verify_record(record.path)] == [(0, what)]


def test_sidecar_that_names_a_label_which_no_record_has_is_found(record):
    made = read_sidecar(record.path)
    write_sidecar(
        record.path, dataclasses.replace(made, labels=(*NAMES, "au45"), ranges=made.ranges | {"au45": (0, 1)})
    )
    assert [fault.what for fault in verify_record(record.path)] == ["no record has au45, which its sidecar names"]


def test_inspection_tells_ranges_of_what_is_there_and_draws_many_labels(record, tmp_path):
    row = describe(record)
    assert (row["au01_min"], row["au01_max"]) == (0, 0.4)
    many = {f"au{number:02d}": VALUES[:, 2] for number in range(12)}
    plot_record(tmp_path / "a.png", record, dict(zip(NAMES, VALUES.T, strict=True)) | many, {})
    assert (tmp_path / "a.png").stat().st_size > 10_000
