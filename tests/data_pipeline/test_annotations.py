import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.annotations import (
    NO_VALUE,
    Trace,
    annotation_files,
    find_annotators,
    find_dimensions,
    read_trace,
    scale_values,
    write_trace,
)
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, write_text


def test_trace_has_the_stamps_and_values_of_its_lines(tmp_path):
    (tmp_path / "valence.txt").write_bytes(b"\xef\xbb\xbf0.010 121\r\n\r\n  0.030\t-1000 \r\n0.030 7.0\r\n")
    trace = read_trace(tmp_path / "valence.txt")
    np.testing.assert_array_equal(trace.stamps, [0.010, 0.030, 0.030])
    assert trace.values.tolist() == [121, -1000, 7] and trace.values.dtype == np.int64


@pytest.mark.parametrize(
    ("line", "what", "remedy"),
    [
        ("0.2", "'0.2' is not 'seconds value'", "mend or delete the line"),
        ("0.2 1 2", "'0.2 1 2' is not 'seconds value'", "mend or delete the line"),
        ("0.2 high", "'0.2 high' is not 'seconds value'", "mend or delete the line"),
        ("0,2 100", "'0,2 100' is not 'seconds value'", "mend or delete the line"),
        ("x" * 10_000, "'xxxxx", "mend or delete the line"),
        ("0.2 1001", "the value 1001 is out of range", "use whole numbers from -1000 to 1000"),
        ("0.2 -1001", "the value -1001 is out of range", "use whole numbers from -1000 to 1000"),
        ("0.2 nan", "the value nan is out of range", "use whole numbers from -1000 to 1000"),
        ("0.2 inf", "the value inf is out of range", "use whole numbers from -1000 to 1000"),
        ("0.2 0.5", "the value 0.5 is no whole number", "use whole numbers from -1000 to 1000"),
        ("-0.2 5", "the stamp -0.2 is no time in seconds", "mend or delete the line"),
        ("nan 5", "the stamp nan is no time in seconds", "mend or delete the line"),
        ("0.05 5", "the stamp 0.05 s lies before the stamp 0.1 s of the sample before it", "sort the lines by time"),
    ],
)
def test_bad_line_is_named_with_its_file_and_a_remedy(tmp_path, line, what, remedy):
    path = tmp_path / "valence.txt"
    path.write_text(f"0.000 1\n0.100 2\n{line}\n0.3 3\n")
    with pytest.raises(InputError) as error:
        read_trace(path)
    text = str(error.value)
    assert text.startswith(f"{path}, line 3: {what}") and f"; {remedy}" in text
    assert len(text) < 400 and "\n" not in text


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_empty_annotation_is_named_with_a_remedy(tmp_path, text):
    (tmp_path / "valence.txt").write_text(text)
    with pytest.raises(InputError, match=r"valence\.txt: the annotation is empty; annotate the clip, or delete"):
        read_trace(tmp_path / "valence.txt")


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0", b"\xff\xfe0\0.\0", b"\0" * 100, b"PK\x03\x04\x14\0\0"])
def test_binary_file_is_refused(tmp_path, data):
    (tmp_path / "valence.txt").write_bytes(data)
    with pytest.raises(InputError, match=r"valence\.txt.*; "):
        read_trace(tmp_path / "valence.txt")


@given(st.binary(max_size=60))
def test_any_bytes_give_a_trace_or_an_input_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("trace") / "valence.txt"
    path.write_bytes(data)
    try:
        trace = read_trace(path)
    except InputError:
        return
    assert np.all(np.diff(trace.stamps) >= 0) and np.all(np.abs(trace.values) <= 1000)


def test_annotators_are_the_folders_and_earlier_passes_do_not_count(tmp_path):
    workspace = Workspace(tmp_path)
    for annotator in ("zoe", "anna"):
        for name in ("valence.txt", "arousal.txt", "valence.1.txt"):
            write_text(workspace.annotations / annotator / "clip" / name, "0 0\n")
    write_text(workspace.annotations / "bob" / "clip-p1" / "valence.txt", "0 0\n")
    assert find_annotators(workspace, "clip") == ["anna", "zoe"]
    files = [path.relative_to(workspace.annotations).as_posix() for path in annotation_files(workspace, "clip")]
    assert files == ["anna/clip/arousal.txt", "anna/clip/valence.txt", "zoe/clip/arousal.txt", "zoe/clip/valence.txt"]


def test_sample_marked_invalid_has_no_value(tmp_path):
    (tmp_path / "valence.txt").write_text("0.1 5\n0.2 invalid\n")
    trace = read_trace(tmp_path / "valence.txt")
    assert trace.values.tolist() == [5, NO_VALUE] and trace.valid.tolist() == [True, False]


def test_written_trace_reads_back(tmp_path):
    trace = Trace(np.array([0.033333, 0.5, 12.25]), np.array([-1000, NO_VALUE, 7]))
    write_trace(tmp_path / "a" / "valence.txt", trace)
    assert (tmp_path / "a" / "valence.txt").read_text() == "0.033333 -1000\n0.500000 invalid\n12.250000 7\n"
    read = read_trace(tmp_path / "a" / "valence.txt")
    np.testing.assert_array_equal(read.stamps, trace.stamps)
    np.testing.assert_array_equal(read.values, trace.values)


def test_values_of_a_scale_become_whole_numbers():
    assert scale_values([-1, -0.0005, 0, 0.123456, 1], -1, 1).tolist() == [-1000, 0, 0, 123, 1000]
    assert scale_values([-10, -3, 0, 10], -10, 10).tolist() == [-1000, -300, 0, 1000]
    assert scale_values([0, 0.25, 1], 0, 1).tolist() == [-1000, -500, 1000]


def test_values_off_the_scale_are_no_values():
    assert scale_values([-5, float("nan"), 1.1, float("inf"), 1.0000001], -1, 1).tolist() == [NO_VALUE] * 4 + [1000]


def test_further_dimensions_are_found_beside_valence_and_arousal(tmp_path):
    workspace = Workspace(tmp_path)
    for annotator, name in [("anna", "liking"), ("zoe", "dominance"), ("zoe", "liking.1"), ("zoe", "Notes")]:
        write_text(workspace.annotations / annotator / "clip" / f"{name}.txt", "0 0\n")
    assert find_dimensions(workspace, "clip") == ("valence", "arousal", "dominance", "liking")
    assert find_dimensions(workspace, "other") == ("valence", "arousal")
