import numpy as np
import pytest

from data_pipeline.label_files import read_label_columns, read_label_values
from tfrecords.errors import InputError
from tfrecords.labels import write_labels


def test_valence_and_arousal_are_read_in_thousandths(tmp_path):
    (tmp_path / "e.txt").write_text("2 -1000 500\n7 1.9 -0.9\n")
    frames, values = read_label_values(tmp_path / "e.txt")
    assert frames.tolist() == [2, 7] and values.tolist() == [[-1, 0.5], [0.001, 0]]


def test_further_columns_are_passed_over(tmp_path):
    columns = {"valence": np.array([100, -200]), "arousal": np.array([300, 400]), "liking": np.array([7, 8])}
    write_labels(tmp_path / "e.txt", np.array([1, 2]), columns)
    frames, values = read_label_values(tmp_path / "e.txt")
    assert frames.tolist() == [1, 2] and values.tolist() == [[0.1, 0.3], [-0.2, 0.4]]


def test_no_line_is_no_frame(tmp_path):
    (tmp_path / "e.txt").write_text("")
    frames, values = read_label_values(tmp_path / "e.txt")
    assert len(frames) == 0 and values.shape == (0, 2)


@pytest.mark.parametrize("line", ["3 1", "3 1 2 4", "3 nan 2", "three 1 2"])
def test_line_with_other_columns_is_named(tmp_path, line):
    (tmp_path / "e.txt").write_text(f"1 0 0\n2 0 0\n{line}\n")
    with pytest.raises(InputError, match=r"e\.txt, line 3: .* is not 'frame valence arousal'"):
        read_label_values(tmp_path / "e.txt")


def test_missing_values_are_nan_and_valence_and_arousal_may_lack_altogether(tmp_path):
    (tmp_path / "e.txt").write_text("# frame valence arousal au12\n1 nan nan 500\n2 100 -300 nan\n")
    frames, values = read_label_values(tmp_path / "e.txt")
    assert frames.tolist() == [1, 2]
    np.testing.assert_array_equal(values, [[np.nan, np.nan], [0.1, -0.3]])
    (tmp_path / "f.txt").write_text("# frame au12\n7 500\n")
    frames, values = read_label_values(tmp_path / "f.txt")
    assert frames.tolist() == [7] and np.isnan(values).all() and values.shape == (1, 2)
    assert {name: own.tolist() for name, own in read_label_columns(tmp_path / "f.txt")[1].items()} == {"au12": [0.5]}


@pytest.mark.parametrize("line", ["3 nan 1 0", "3 nan nan nan", "3 nan nan inf", "nan 1 1 1"])
def test_line_that_lacks_too_much_is_named(tmp_path, line):
    (tmp_path / "e.txt").write_text(f"# frame valence arousal au12\n1 0 0 0\n{line}\n")
    with pytest.raises(InputError, match=r"e\.txt, line 3: .* is not 'frame valence arousal au12'"):
        read_label_values(tmp_path / "e.txt")
