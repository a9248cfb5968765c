import csv
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import tensorflow as tf

from affwildnet.predict import PredictOptions, check_outputs, predict_files
from affwildnet.serving import open_model
from affwildnet.video_prediction import PIECE, predict_video
from data_pipeline.decode import video_frames
from data_pipeline.detectors import load_detector
from data_pipeline.detectors.face import crop
from tfrecords.errors import InputError
from tfrecords.faces import resize_face
from tfrecords.workspace import read_csv

ROOT = Path(__file__).parents[2]
COLUMNS = ["frame", "seconds", "track", "x", "y", "width", "height", "score", "valence", "arousal", "model"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_model_folder):
    return make_model_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(folder):
    return open_model(folder.root, "latest")


def _predict(video, model, tmp_path, overlay=False):
    predict_files(video, model, load_detector("fast"), PredictOptions(output=str(tmp_path), overlay=overlay))
    with open(tmp_path / f"{video.stem}.csv", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def drawn_clip(demo_workspace):
    row = next(row for row in read_csv(demo_workspace.manifest) if len(row["subjects"].split()) == 1)
    return demo_workspace.root / row["source"]


def test_drawn_face_has_a_row_in_every_frame_and_its_files(tmp_path, model, drawn_clip):
    rows = _predict(drawn_clip, model, tmp_path, overlay=True)
    assert list(rows[0]) == COLUMNS
    first = [row for row in rows if row["track"] == "1"]
    assert [int(row["frame"]) for row in first] == list(range(1, 121))
    assert [float(row["seconds"]) for row in first] == pytest.approx([n / 30 for n in range(120)], abs=1e-4)
    assert all(np.isfinite(float(row[name])) for row in first for name in COLUMNS[3:-1])
    assert {row["model"] for row in rows} == {""}
    plot = cv2.imread(str(tmp_path / f"{drawn_clip.stem}.png"))
    assert plot is not None and plot.std() > 5
    with av.open(str(tmp_path / f"{drawn_clip.stem}-affect.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 120


def test_video_in_pieces_equals_the_whole_at_once(model, drawn_clip):
    found = [row for row in predict_video(drawn_clip, model, load_detector("fast")) if row.track == 1]
    assert len(found) > 3 * PIECE
    pictures = list(video_frames(drawn_clip))
    faces = np.stack([resize_face(crop(pictures[row.frame], row.face), 96) for row in found])
    whole, _ = model.step(tf.constant(faces[None]), tf.zeros([1, model.state_width]))
    np.testing.assert_allclose([row.values for row in found], whole[0], atol=1e-5)


def test_pieces_of_any_length_equal_the_whole(model):
    faces = tf.constant(np.random.default_rng(0).integers(0, 256, (2, 20, 96, 96, 3), np.uint8))
    zeros = tf.zeros([2, model.state_width])
    whole, last = model.step(faces, zeros)
    state, pieces = zeros, []
    for begin, end in ((0, 1), (1, 8), (8, 20)):
        values, state = model.step(faces[:, begin:end], state)
        pieces.append(values)
    np.testing.assert_allclose(tf.concat(pieces, axis=1), whole, atol=1e-5)
    np.testing.assert_allclose(state, last, atol=1e-5)


def test_synthetic_model_marks_every_row(tmp_path, make_model_folder, make_video):
    model = open_model(make_model_folder(tmp_path / "model", synthetic=True).root, "latest")
    rows = _predict(make_video(tmp_path / "a.mp4", 1, 30, "320x240"), model, tmp_path, overlay=True)
    assert len(rows) == 30 and {row["model"] for row in rows} == {"SYNTHETIC"}
    with av.open(str(tmp_path / "a-affect.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30


def test_real_face_has_a_row_in_all_72_frames(tmp_path, model, media):
    rows = _predict(media("single_face.mp4"), model, tmp_path)
    assert [int(row["frame"]) for row in rows] == list(range(1, 73))
    assert {row["track"] for row in rows} == {"1"}


def test_real_video_without_faces_has_empty_rows_and_says_so(tmp_path, model, media, capsys):
    rows = _predict(media("no_face.mp4"), model, tmp_path)
    assert len(rows) == pytest.approx(120, abs=2)
    assert {row[name] for row in rows for name in COLUMNS[2:]} == {""}
    assert f"no face was found in {media('no_face.mp4')}: all {len(rows)} rows are empty" in capsys.readouterr().out


def test_real_face_that_leaves_is_told_from_nobody(tmp_path, model, media):
    rows = _predict(media("face_noface.mov"), model, tmp_path)
    has_face = np.zeros(192, bool)
    has_face[[int(row["frame"]) - 1 for row in rows if row["track"]]] = True
    assert {int(row["frame"]) for row in rows} == set(range(1, 193))
    # Of every 17th of 169 frames MTCNN saw the face in the first five only: it leaves between 2.6 and 3.2 s.
    assert has_face[:75].mean() > 0.95 and has_face[100:].mean() < 0.05


def _command(*arguments):
    command = [sys.executable, "-m", "affwildnet.predict", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_without_a_model_it_says_how_to_get_one():
    done = _command("video.mp4")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "error: --model: no model is named; get one by `make demo`" in done.stderr


def test_unreadable_video_does_not_cost_the_others_their_prediction(tmp_path, folder, make_video):
    (tmp_path / "notes.mp4").write_text("notes")
    good = make_video(tmp_path / "good.mp4", 1, 30, "320x240")
    flags = (f"--model={folder.root}", "--checkpoint=latest", f"--output={tmp_path / 'out'}", "--nooverlay")
    done = _command(tmp_path / "notes.mp4", good, *flags)
    assert done.returncode == 1 and f"error: {tmp_path / 'notes.mp4'}: this is no readable video" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good.csv", "good.png"]


def test_folder_that_is_no_model_and_missing_checkpoints_are_named(tmp_path, folder):
    with pytest.raises(InputError, match="neither a model folder nor an exported model; name a folder"):
        open_model(tmp_path, "latest")
    with pytest.raises(InputError, match=r"there is no checkpoint 'total' \(there are: 1\); evaluate the model"):
        open_model(folder.root, "total")


def test_videos_of_one_name_are_refused_and_foreign_files_are_kept(tmp_path):
    videos = [tmp_path / "a" / "x.mp4", tmp_path / "b" / "x.mp4"]
    with pytest.raises(InputError, match=r"its files would replace those of .*a/x.mp4; predict them into two"):
        check_outputs(videos, tmp_path / "out")
    (tmp_path / "x-affect.mp4").write_bytes(b"somebody's video")
    with pytest.raises(InputError, match=r"x-affect.mp4: a file is in the way that is no prediction"):
        check_outputs(videos[:1], tmp_path)
    (tmp_path / "x.csv").write_text("frame,seconds,track,x\n")
    check_outputs(videos[:1], tmp_path)
