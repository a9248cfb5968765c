"""The commands that show and adopt record files, on the original's own and on ours."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from tfrecords.adopt import AdoptOptions, adopt_record
from tfrecords.convert import ConvertOptions, convert_entry
from tfrecords.errors import InputError
from tfrecords.index import open_partition, open_record
from tfrecords.record_file import write_records
from tfrecords.schema import encode_example, encode_face
from tfrecords.verify import verify_record
from tfrecords.workspace import read_csv


def _run(module, *words):
    return subprocess.run([sys.executable, "-m", module, *map(str, words)], capture_output=True, text=True)


@pytest.fixture
def original(tmp_path):
    """A folder of two of the original's files: float32, four keys, no sidecar."""
    folder = tmp_path / "thesis"
    for video in ("12-25-640x360", "7-30-640x360-p1"):
        face = encode_face(np.full((96, 96, 3), 7, np.uint8), "float32")
        examples = [
            encode_example(f"{video}/{frame:05d}", face, {"valence": frame, "arousal": -1000 + frame})
            for frame in (1, 2, 3, 40)
        ]
        write_records(folder / f"{video}.tfrecords", examples)
    return folder


def test_original_s_file_is_read_unchanged(original):
    path = original / "12-25-640x360.tfrecords"
    before = path.read_bytes()
    file = open_record(path, sidecar=False)
    assert file.entry == "12-25-640x360" and file.frames.tolist() == [1, 2, 3, 40]
    made = file.sidecar
    assert (made.profile, made.encoding, made.size, made.gaps) == ("original", "float32", 96, 1)
    assert made.ranges == {"valence": (0.001, 0.04), "arousal": (-0.999, -0.96)}
    assert verify_record(path) == [] and path.read_bytes() == before


def test_command_adopts_shows_and_verifies_the_original_s_files(original, workspace):
    done = _run("tfrecords.adopt", f"--folder={original}", f"--workspace={workspace.root}", "--partition=test")
    assert done.returncode == 0 and "2 of 2 files are test records" in done.stdout, done.stderr
    files = open_partition(workspace, "test")
    assert [file.entry for file in files] == ["12-25-640x360", "7-30-640x360-p1"]
    assert files[0].path.is_symlink()
    (row, _) = read_csv(workspace.partition)
    assert (row["subject"], row["frames"], float(row["valence"])) == ("12-25-640x360", "4", 0.0115)
    data = bytearray((original / "7-30-640x360-p1.tfrecords").read_bytes())
    data[files[1].offsets[2] + 500] ^= 1
    (original / "7-30-640x360-p1.tfrecords").write_bytes(data)
    done = _run("tfrecords.inspect", f"--workspace={workspace.root}", "--verify")
    assert done.returncode == 1, done.stderr
    assert "12-25-640x360: 4 records, frames 1 to 40, 1 gaps (longest 36 frames); valence 0.001 to 0.040" in done.stdout
    assert "7-30-640x360-p1.tfrecords: record 2 (frame 3) is damaged: its checksum is wrong" in done.stdout
    assert "2 problems in 2 files" in done.stdout
    problems = read_csv(workspace.root / "inspect" / "problems.csv")
    assert [(row["record"], row["frame"]) for row in problems] == [("-1", "-1"), ("2", "3")]
    picture = cv2.imread(str(workspace.root / "inspect" / "12-25-640x360.png"))
    assert picture.shape == (800, 1200, 3)
    assert [row["records"] for row in read_csv(workspace.root / "inspect" / "records.csv")] == ["4", "4"]


def test_damaged_file_is_not_adopted_and_another_of_the_same_name_replaces_none(original, workspace, make_entry):
    path = original / "12-25-640x360.tfrecords"
    adopt_record(workspace, path, AdoptOptions().partition, copy=True)
    assert not workspace.record("12-25-640x360").is_symlink()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"record 3 is damaged: the file ends within it.*; fetch the file again"):
        adopt_record(workspace, path, "train", copy=True)
    convert_entry(workspace, "7-30-640x360-p1", make_entry("7-30-640x360-p1", [1]), "s", ConvertOptions())
    with pytest.raises(InputError, match="another record is there under the name"):
        adopt_record(workspace, original / "7-30-640x360-p1.tfrecords", "train", copy=True)
