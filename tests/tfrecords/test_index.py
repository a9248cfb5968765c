import dataclasses

import pytest
import tensorflow as tf

from tfrecords.convert import ConvertOptions, convert_entry
from tfrecords.errors import InputError
from tfrecords.index import check_alike, open_partition, open_record, read_frames
from tfrecords.workspace import write_csv


@pytest.fixture
def record(workspace, make_entry):
    convert_entry(workspace, "a", make_entry("a", [1, 2, 4, 5, 9]), "s1", ConvertOptions())
    return workspace.record("a")


def test_records_read_by_offset_are_those_that_tensorflow_reads(record):
    expected = [data.numpy() for data in tf.data.TFRecordDataset(str(record))]
    file = open_record(record)
    assert read_frames(file, 0, 5) == expected
    assert read_frames(file, 2, 2) == expected[2:4]
    assert file.frames.tolist() == [1, 2, 4, 5, 9] and file.offsets[0] == 0


def test_truncated_record_is_named_with_a_remedy(record):
    record.write_bytes(record.read_bytes()[:-10])
    with pytest.raises(
        InputError, match=r"a\.tfrecords: the record file has \d+ bytes, its sidecar says \d+; run .*conv"
    ):
        open_record(record)


def test_missing_record_is_named_with_a_remedy(record):
    record.unlink()
    with pytest.raises(InputError, match=r"a\.tfrecords: the record file is missing; run .*convert again"):
        open_record(record)


def test_record_damaged_after_it_was_opened_is_named_with_its_frame(record):
    file = open_record(record)
    data = bytearray(record.read_bytes())
    data[file.offsets[2]] ^= 0xFF
    record.write_bytes(data)
    assert len(read_frames(file, 0, 2)) == 2
    with pytest.raises(InputError, match=r"record 2 \(frame 4\) is damaged: its length .*; run .*convert again"):
        read_frames(file, 1, 3)


def _partition(workspace, parts):
    write_csv(workspace.partition, ("entry", "partition"), [{"entry": e, "partition": p} for e, p in parts.items()])


def test_partition_opens_its_entries_in_the_order_of_its_file(workspace, make_entry):
    for name in "abc":
        convert_entry(workspace, name, make_entry(name, [1, 2]), "s", ConvertOptions())
    _partition(workspace, {"c": "train", "b": "test", "a": "train"})
    assert [file.entry for file in open_partition(workspace, "train")] == ["c", "a"]


def test_empty_part_is_named_with_a_remedy(workspace, record):
    _partition(workspace, {"a": "train"})
    with pytest.raises(InputError, match=r"partition\.csv: no entry is in the part 'validation'; use a part"):
        open_partition(workspace, "validation")


def test_records_made_with_other_options_do_not_mix(record):
    file = open_record(record)
    other = dataclasses.replace(file, sidecar=dataclasses.replace(file.sidecar, size=112))
    with pytest.raises(InputError, match=r"size is 112, but 96 in a\.tfrecords; convert the whole database"):
        check_alike([file, other])
