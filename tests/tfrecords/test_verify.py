"""Whatever is done to a record file, `verify` says to which record and frame, and a loader may pass over it."""

import dataclasses

import numpy as np
import pytest

from tfrecords.checksum import masked_crc
from tfrecords.convert import ConvertOptions, convert_entry
from tfrecords.corrupt import CorruptRecords
from tfrecords.errors import InputError
from tfrecords.example_bytes import WireError, split_example
from tfrecords.index import open_record
from tfrecords.loader import evaluation_dataset, training_dataset
from tfrecords.loader_options import LoaderOptions
from tfrecords.record_file import write_records
from tfrecords.record_value import make_splitter, split_value
from tfrecords.schema import encode_example, encode_face
from tfrecords.sidecar import read_sidecar, write_sidecar
from tfrecords.verify import verify_record

LABELS = ("valence", "arousal")
FRAMES = [1, 2, 4, 5, 9]


@pytest.fixture
def make_record(workspace, make_entry):
    def make(**chosen):
        convert_entry(workspace, "a", make_entry("a", FRAMES), "s1", ConvertOptions(**chosen))
        return workspace.record("a")

    return make


def _change(path, place, data=None):
    """Exchanges bytes of a file, by default one that is turned over."""
    whole = bytearray(path.read_bytes())
    data = bytes([whole[place] ^ 0xFF]) if data is None else data
    whole[place : place + len(data)] = data
    path.write_bytes(whole)


def _found(path):
    return [(fault.record, fault.frame, fault.what) for fault in verify_record(path)]


def _whole_file(path):
    return (-1, -1, "its SHA-256 is not its sidecar's")


@pytest.mark.parametrize("profile", ["face", "original"])
@pytest.mark.parametrize("encoding", ["jpeg", "png", "raw", "float32"])
def test_records_as_they_were_written_have_no_faults(make_record, encoding, profile):
    assert verify_record(make_record(encoding=encoding, profile=profile)) == []


def test_record_whose_data_changed_is_named_with_its_frame(make_record):
    path = make_record()
    _change(path, open_record(path).offsets[2] + 200)
    assert _found(path) == [_whole_file(path), (2, 4, "its checksum is wrong")]


def test_truncated_file_is_named_with_the_record_that_it_ends_in(make_record):
    path = make_record()
    offsets = open_record(path).offsets
    path.write_bytes(path.read_bytes()[: offsets[3] + 50])
    faults = _found(path)
    assert faults[0] == (-1, -1, "record 3 is damaged: the file ends within it")
    assert faults[2:] == [(3, 5, "the file ends within it"), (4, 9, "the file ends within it")]


def _write(path, labels, face=None):
    """One record with a right checksum, and a sidecar that says all is well."""
    made = read_sidecar(path)
    face = encode_face(np.zeros((96, 96, 3), np.uint8), "jpeg") if face is None else face
    example = encode_example("a/00001", face, labels, [0, 0, 1, 1], 1.0, np.zeros((6, 2)))
    offsets, digest = write_records(path, [example])
    ranges = {name: (labels[name] / 1000,) * 2 for name in LABELS}
    write_sidecar(path, dataclasses.replace(made, frames=(1,), offsets=offsets, sha256=digest, ranges=ranges, gaps=0))


def test_label_out_of_range_is_named_though_all_checksums_are_right(make_record):
    path = make_record()
    _write(path, {"valence": 1001, "arousal": 0})
    assert _found(path) == [(0, 1, "its valence is 1.001, out of [-1, 1]")]


@pytest.mark.parametrize(
    ("face", "what"),
    [
        (b"\xff\xd8 nothing \xff\xd9", "its face cannot be decoded"),
        (b"nothing", "its face is no whole JPEG picture"),
        (encode_face(np.zeros((48, 96, 3), np.uint8), "jpeg"), "its face is 96 x 48 pixels, not 96 x 96"),
    ],
)
def test_face_that_is_none_is_named(make_record, face, what):
    path = make_record()
    _write(path, {"valence": 1, "arousal": 0}, face)
    assert _found(path) == [(0, 1, what)]


def test_sidecar_of_another_file_is_found(make_record):
    path = make_record()
    made = read_sidecar(path)
    write_sidecar(
        path, dataclasses.replace(made, frames=(1, 2, 4, 5, 8), ranges={**made.ranges, "valence": (0.1, 0.2)})
    )
    faults = _found(path)
    assert faults[0][:2] == (4, 8) and "its name is" in faults[0][2]
    assert faults[1][2] == "valence lies in [0.001, 0.009], its sidecar says [0.1, 0.2]"


@pytest.mark.parametrize("encoding", ["jpeg", "raw"])
def test_damaged_record_in_the_middle_is_passed_over_and_counted_once(make_record, capsys, encoding):
    path = make_record(encoding=encoding)
    file = open_record(path)
    (whole,) = evaluation_dataset([file], 5, 1, LABELS)
    _change(path, file.offsets[2] + 200)
    corrupt = CorruptRecords(skip=True)
    for _ in range(2):
        (batch,) = evaluation_dataset([file], 5, 1, LABELS, corrupt=corrupt)
    assert batch["weights"].numpy().tolist() == [[1, 1, 0, 1, 1]]
    good = [0, 1, 3, 4]
    for name in ("faces", "labels", "names"):
        np.testing.assert_array_equal(batch[name].numpy()[0, good], whole[name].numpy()[0, good])
    np.testing.assert_array_equal(batch["faces"][0, 2], whole["faces"][0, 1])
    assert [(damage.record, damage.frame) for damage in corrupt.found.values()] == [(2, 4)]
    assert capsys.readouterr().err.count("record 2 (frame 4) is damaged: its checksum is wrong; it is left out") == 1


def test_sequence_of_damaged_records_alone_weighs_nothing(make_record):
    path = make_record()
    file = open_record(path)
    for offset in file.offsets[:-1]:
        _change(path, offset + 200)
    chosen = LoaderOptions(on_corrupt="skip")
    batch = next(iter(training_dataset([file], 5, 1, 1, LABELS, chosen=chosen)))
    assert batch["weights"].numpy().sum() == 0 and batch["faces"].shape == (1, 5, 96, 96, 3)


def test_damaged_record_is_fatal_by_default_and_the_error_names_it(make_record):
    path = make_record()
    file = open_record(path)
    _change(path, file.offsets[2] + 200)
    with pytest.raises(Exception, match=r"record 2 \(frame 4\) is damaged: its checksum is wrong; run .*skip"):
        list(evaluation_dataset([file], 5, 1, LABELS))


def test_checksum_is_tensorflow_s(make_record):
    data = make_record().read_bytes()
    assert masked_crc(data[:8]) == int.from_bytes(data[8:12], "little")


def test_example_is_split_whatever_the_order_of_its_keys_and_cut_bytes_are_refused():
    import tensorflow as tf

    data = encode_example("a/00001", b"x" * 300, {"valence": -1, "arousal": 999}, [0, 0, 1, 1], 1.0, np.zeros((6, 2)))
    for key, value in ((b"frame", b"x" * 300), (b"frameNo", b"a/00001")):
        first, end, rest = split_example(data, key)
        assert data[first:end] == value
        expected = tf.train.Example.FromString(data)
        del expected.features.feature[key.decode()]
        assert tf.train.Example.FromString(rest) == expected
    for end in range(len(data)):
        with pytest.raises(WireError):
            split_example(data[:end], b"frame")


def test_records_split_one_after_another_are_split_as_each_alone(make_record):
    sidecar = read_sidecar(make_record(encoding="raw"))
    face = np.arange(27648).astype(np.uint8).tobytes()
    # Whole numbers of several lengths, and entries before and after the face.
    labels = [{"valence": v, "arousal": a} for v in (0, 1, 200, -1) for a in (0, 0, 999, -5)]
    data = [encode_example(f"a/{n:05d}", face, label) for n, label in enumerate(labels)]
    data += [encode_example("b/00001", face, labels[0], [0, 0, 1, n], 1.0, np.zeros((6, 2))) for n in range(3)]
    split = make_splitter(sidecar)
    for record in [*data, *reversed(data)]:
        assert split(memoryview(record)) == split_value(record, sidecar)
    same_length = data[0].replace(b"\x05frame\x12", b"\x05fraud\x12")
    with pytest.raises(WireError, match="there is no b'frame'"):
        split(memoryview(same_length))


def test_pictures_of_many_sizes_are_split_as_each_alone_and_a_cut_one_is_refused(make_record):
    sidecar = read_sidecar(make_record(encoding="jpeg"))
    # Lengths of one, two and three bytes, each size twice, with boxes, so that entries lie before the face.
    faces = [b"\xff\xd8" + b"x" * size + b"\xff\xd9" for size in (5, 90, 200, 5000, 5000, 5001, 20000, 200)]
    data = [
        encode_example(f"a/{n:05d}", face, {"valence": v}, [0, 0, 1, n], 1.0, np.zeros((6, 2)))
        for v in (1, -1)
        for n, face in enumerate(faces)
    ]
    split = make_splitter(sidecar)
    for record in [*data, *reversed(data)]:
        assert split(memoryview(record)) == split_value(record, sidecar)
    for damaged in (data[3][:-1], data[3][:3000], data[3].replace(b"x\xff\xd9", b"xx\xd9")):
        with pytest.raises(WireError) as alone:
            split_value(damaged, sidecar)
        with pytest.raises(WireError, match=str(alone.value)):
            split(memoryview(damaged))


def test_file_of_two_videos_is_none_of_the_original_s(tmp_path):
    face = encode_face(np.zeros((96, 96, 3), np.uint8), "float32")
    examples = [encode_example(f"{video}/00001", face, {"valence": 1, "arousal": 1}) for video in "ab"]
    write_records(tmp_path / "a.tfrecords", examples)
    with pytest.raises(InputError, match="its records are of 2 videos and 1 kinds of faces; split it"):
        open_record(tmp_path / "a.tfrecords", sidecar=False)
