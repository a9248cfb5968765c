import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfrecords.detections import read_detections, write_detections
from tfrecords.errors import InputError

FACTS = {"frames": 3, "frame_rate": 30, "detector": "blazeface", "crop_margin": 0.1}


def _row(frame):
    box = {"x": 1.5, "y": -2.25, "width": 30.0, "height": 40.0, "score": 0.75}
    landmarks = np.arange(12, dtype=np.float32)
    return {
        "frame": frame,
        "face": 0,
        "landmarks": landmarks,
        "interpolated": False,
        "member": f"{frame:05d}.jpg",
        **box,
    }


def test_detections_read_back_are_those_written(tmp_path):
    write_detections(tmp_path / "a.parquet", [_row(1), _row(3)], FACTS)
    rows, facts = read_detections(tmp_path / "a.parquet")
    assert facts == FACTS
    assert [row["frame"] for row in rows] == [1, 3]
    landmarks = rows[1].pop("landmarks")
    np.testing.assert_array_equal(landmarks, np.arange(12, dtype=np.float32).reshape(6, 2))
    assert rows[1].pop("landmarks_68") is None
    assert rows[1] == {key: value for key, value in _row(3).items() if key != "landmarks"}


def test_clip_without_a_face_has_facts_and_no_row(tmp_path):
    write_detections(tmp_path / "a.parquet", [], FACTS)
    assert read_detections(tmp_path / "a.parquet") == ([], FACTS)


def test_same_detections_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_detections(tmp_path / f"{name}.parquet", [_row(1)], FACTS)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize("kind", ["missing", "text", "truncated", "somebody else's"])
def test_unreadable_detections_are_named_with_a_remedy(tmp_path, kind):
    path = tmp_path / "a.parquet"
    write_detections(path, [_row(1)], FACTS)
    if kind == "missing":
        path.unlink()
    elif kind == "text":
        path.write_text("frame,face\n1,0\n")
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        pq.write_table(pa.table({"frame": [1]}), path)
    with pytest.raises(InputError, match=r"a\.parquet: the detections cannot be read; run .*detect again"):
        read_detections(path)
