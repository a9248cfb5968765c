import hashlib

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tfrecords import convert, loader
from tfrecords.convert import ConvertOptions, convert_entry, read_labels
from tfrecords.crops import read_crops
from tfrecords.errors import InputError
from tfrecords.faces import resize_face
from tfrecords.index import RecordFile
from tfrecords.sidecar import read_sidecar, sidecar_path


def _examples(path):
    return [tf.train.Example.FromString(data.numpy()) for data in tf.data.TFRecordDataset(str(path))]


def _convert(workspace, entry, **chosen):
    convert_entry(workspace, entry, entry, "s1", ConvertOptions(**chosen))
    return _examples(workspace.record(entry))


def _resized(workspace, entry, frame):
    with read_crops(workspace.crops(entry)) as read:
        return cv2.resize(read(f"{frame:05d}.jpg"), (96, 96), interpolation=cv2.INTER_CUBIC)


def test_original_profile_has_exactly_the_four_keys_and_int64_labels(workspace, make_entry):
    (example,) = _convert(workspace, make_entry("a", [12]), profile="original", encoding="float32")
    features = example.features.feature
    assert sorted(features) == ["arousal", "frame", "frameNo", "valence"]
    assert features["frameNo"].bytes_list.value == [b"a/00012"]
    assert (features["valence"].int64_list.value, features["arousal"].int64_list.value) == ([12], [-12])
    assert len(features["frame"].bytes_list.value[0]) == 110_592


def test_face_profile_adds_labels_as_floats_box_score_and_landmarks(workspace, make_entry):
    (example,) = _convert(workspace, make_entry("a", [12]))
    features = example.features.feature
    assert features["valence"].int64_list.value == [12]
    np.testing.assert_allclose(features["label/valence"].float_list.value, [0.012], rtol=1e-6)
    np.testing.assert_allclose(features["label/arousal"].float_list.value, [-0.012], rtol=1e-6)
    assert features["box"].float_list.value == [1, 2, 50, 70]
    np.testing.assert_allclose(features["score"].float_list.value, [0.9], rtol=1e-6)
    assert features["landmarks"].float_list.value == list(range(12))


@pytest.mark.parametrize("encoding", ["raw", "float32", "png", "jpeg"])
def test_face_is_the_crop_resized_by_opencv_s_bicubic(workspace, make_entry, encoding):
    (example,) = _convert(workspace, make_entry("a", [3]), encoding=encoding)
    data = example.features.feature["frame"].bytes_list.value[0]
    if encoding in ("raw", "float32"):
        face = np.frombuffer(data, np.uint8 if encoding == "raw" else np.float32).reshape(96, 96, 3)
    else:
        face = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    off = np.abs(face.astype(float) - _resized(workspace, "a", 3))
    assert off.mean() < 3 if encoding == "jpeg" else off.max() == 0


def test_resize_does_not_keep_the_aspect_ratio():
    crop = np.zeros((40, 80, 3), np.uint8)
    crop[:, 40:] = 200
    face = resize_face(crop, 96)
    assert face.shape == (96, 96, 3) and face[:, 90].min() == 200 and face[:, 5].max() == 0


def test_labels_are_truncated_towards_zero(workspace, make_entry):
    make_entry("a", [1], labels="1 -3.9 2.9\n")
    assert read_labels(workspace.labels("a")) == {1: {"valence": -3, "arousal": 2}}


@pytest.mark.parametrize("line", ["1 2", "a b c", "1 2 3 4", "1 nan 2", "1 inf 2", ""])
def test_bad_label_line_is_named_with_a_remedy(workspace, make_entry, line):
    make_entry("a", [1], labels=f"1 0 0\n{line}\n")
    with pytest.raises(InputError, match=r"a\.txt, line 2: .* is not 'frame valence arousal'; run .*match again"):
        read_labels(workspace.labels("a"))


def test_further_dimensions_stand_beside_valence_and_arousal_by_name(workspace, make_entry):
    make_entry("a", [1, 2], labels="# frame valence arousal liking score\n1 10 20 900 -5\n2 11 21 -900 5\n")
    assert read_labels(workspace.labels("a"))[2] == {"valence": 11, "arousal": 21, "liking": -900, "score": 5}
    first, _ = _convert(workspace, "a")
    features = first.features.feature
    np.testing.assert_allclose(features["label/liking"].float_list.value, [0.9], rtol=1e-6)
    assert "liking" not in features and features["valence"].int64_list.value == [10]
    # A dimension called like another key takes nothing from it.
    np.testing.assert_allclose(features["score"].float_list.value, [0.9], rtol=1e-6)
    np.testing.assert_allclose(features["label/score"].float_list.value, [-0.005], rtol=1e-6)
    sidecar = read_sidecar(workspace.record("a"))
    assert sidecar.labels == ("valence", "arousal", "liking", "score") and sidecar.ranges["liking"] == [-0.9, 0.9]
    file = RecordFile(workspace.record("a"), sidecar, np.array(sidecar.frames), np.array(sidecar.offsets))
    np.testing.assert_allclose(loader.read_labels(file, ["liking"])[:, 0], [0.9, -0.9], rtol=1e-6)


def test_original_profile_leaves_further_dimensions_out(workspace, make_entry):
    make_entry("a", [1], labels="# frame valence arousal liking\n1 10 20 900\n")
    (example,) = _convert(workspace, "a", profile="original")
    assert sorted(example.features.feature) == ["arousal", "frame", "frameNo", "valence"]
    assert read_sidecar(workspace.record("a")).labels == ("valence", "arousal")


def test_labels_file_without_a_frame_is_refused(workspace, make_entry):
    make_entry("a", [1], labels="# frame valence arousal liking\n")
    with pytest.raises(InputError, match="no frame is labelled"):
        _convert(workspace, "a")


def test_sidecar_tells_what_is_in_the_record(workspace, make_entry):
    _convert(workspace, make_entry("a", [2, 3, 5, 6]))
    sidecar = read_sidecar(workspace.record("a"))
    data = workspace.record("a").read_bytes()
    assert sidecar.frames == (2, 3, 5, 6) and sidecar.gaps == 1 and sidecar.subject == "s1"
    assert sidecar.offsets[-1] == len(data) and sidecar.sha256 == hashlib.sha256(data).hexdigest()
    assert sidecar.ranges == {"valence": [0.002, 0.006], "arousal": [-0.006, -0.002]}
    assert (sidecar.size, sidecar.encoding, sidecar.resize, sidecar.synthetic) == (96, "jpeg", "cubic", False)


def test_sidecar_is_written_after_the_record(workspace, make_entry):
    _convert(workspace, make_entry("a", [1, 2]))
    record = workspace.record("a")
    assert sidecar_path(record).stat().st_mtime_ns >= record.stat().st_mtime_ns


def test_conversion_that_fails_leaves_no_sidecar_so_no_reader_takes_the_old_record(workspace, make_entry):
    _convert(workspace, make_entry("a", [1, 2]))
    workspace.crops("a").unlink()
    with pytest.raises(InputError, match="crops are missing"):
        _convert(workspace, "a")
    with pytest.raises(InputError, match=r"a\.json: the file is missing"):
        read_sidecar(workspace.record("a"))


def test_second_conversion_gives_the_same_bytes(workspace, make_entry):
    made = []
    for _ in range(2):
        _convert(workspace, make_entry("a", [1, 2, 3]))
        made.append((workspace.record("a").read_bytes(), sidecar_path(workspace.record("a")).read_bytes()))
    assert made[0] == made[1]


def test_record_goes_when_the_labels_go(workspace, make_entry):
    _convert(workspace, make_entry("a", [1]))
    workspace.labels("a").unlink()
    assert convert_entry(workspace, "a", "a", "s1", ConvertOptions()) == 0
    assert list(workspace.record("a").parent.iterdir()) == []


def test_label_without_a_face_is_named(workspace, make_entry):
    make_entry("a", [1, 2], labels="1 0 0\n2 0 0\n7 0 0\n")
    with pytest.raises(InputError, match=r"frame 7 has a label but no face; run .*match again"):
        convert_entry(workspace, "a", "a", "s1", ConvertOptions())


def test_record_of_a_synthetic_database_says_so(workspace, make_entry):
    workspace.database.write_text('{"name": "drawn", "synthetic": true}')
    _convert(workspace, make_entry("a", [1]))
    assert read_sidecar(workspace.record("a")).synthetic is True


@pytest.mark.parametrize("change", ['{"schema_version": 1}', "[]", "{}"])
def test_sidecar_of_another_schema_is_refused(workspace, make_entry, change):
    _convert(workspace, make_entry("a", [1]))
    sidecar_path(workspace.record("a")).write_text(change)
    with pytest.raises(InputError, match=r"no sidecar of schema version 2; run .*convert again"):
        read_sidecar(workspace.record("a"))


def test_resize_rule_of_the_original_is_bicubic():
    assert convert.RESIZE == "cubic"
