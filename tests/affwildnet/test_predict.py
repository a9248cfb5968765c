import csv
import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import av
import cv2
import imageio_ffmpeg
import numpy as np
import pytest
import tensorflow as tf

from affwildnet.predict_job import check_in_the_way, is_current, load_tools, model_stamp, predict_source
from affwildnet.predict_options import PredictOptions, check_options
from affwildnet.predict_sources import Source, find_sources
from affwildnet.prediction_files import columns, units
from affwildnet.serving import open_model
from affwildnet.source_faces import find_faces
from affwildnet.video_prediction import predict_frames
from data_pipeline.timed_frames import timed_frames
from data_pipeline.tracks import HOLD, LIVE_HOLD, People
from tfrecords.errors import InputError
from tfrecords.workspace import read_csv

ROOT = Path(__file__).parents[2]
COLUMNS = [*columns(("valence", "arousal")), units(("valence", "arousal"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_model_folder):
    return make_model_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def options(folder):
    return PredictOptions(model=str(folder.root), checkpoint="latest", formats=("csv",))


def _predict(video, options, output, formats=("csv",)):
    (source,) = find_sources([str(video)])
    chosen = dataclasses.replace(options, output=str(output), formats=formats)
    predict_source(source, chosen, model_stamp(chosen), bar=False)
    with open(output / f"{source.name}.csv", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def drawn_clip(demo_workspace):
    row = next(row for row in read_csv(demo_workspace.manifest) if len(row["subjects"].split()) == 1)
    return demo_workspace.root / row["source"]


def test_drawn_face_has_a_row_in_every_frame_and_its_files(tmp_path, options, drawn_clip):
    rows = _predict(drawn_clip, options, tmp_path, ("csv", "plot", "overlay"))
    assert list(rows[0]) == COLUMNS
    first = [row for row in rows if row["track"] == "1"]
    assert [int(row["frame"]) for row in first] == list(range(1, 121))
    assert [float(row["seconds"]) for row in first] == pytest.approx([n / 30 for n in range(120)], abs=1e-4)
    numbers = [name for name in COLUMNS[:-1] if name not in ("entry", "model")]
    assert all(np.isfinite(float(row[name])) for row in first for name in numbers)
    for row in first:
        assert int(row["in_range"]) == (abs(float(row["valence"])) <= 1 and abs(float(row["arousal"])) <= 1)
    assert {row["model"] for row in rows} == {""}
    plot = cv2.imread(str(tmp_path / f"{drawn_clip.stem}.png"))
    assert plot is not None and plot.std() > 5
    with av.open(str(tmp_path / f"{drawn_clip.stem}-affect.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 120
    told = json.loads((tmp_path / f"{drawn_clip.stem}.json").read_text())
    assert told["complete"] and told["outputs"] == ["valence", "arousal"] and list(told["columns"]) == COLUMNS[:-1]
    assert (told["frames"], told["frames_with_face"], len(told["people"])) == (120, 120, 1)


def test_streaming_equals_the_whole_video_given_the_same_crops(options, drawn_clip):
    model, detect = load_tools(model_stamp(options), dataclasses.replace(options, formats=(), output=""))
    crops = {}

    def kept(seen):
        for one in seen:
            crops.update({(one.timed.number, each.face.x): each.payload[0] for each in one.faces})
            yield one

    for batch, hold in ((1, LIVE_HOLD), (64, HOLD)):
        seen = kept(find_faces(timed_frames(drawn_clip), model, detect))
        found = [(p.timed.number, p.people[0]) for p in predict_frames(seen, model, People(), batch, hold) if p.people]
        assert len(found) > 100
        faces = np.stack([crops[number, person.face.x] for number, person in found])
        whole, _ = model.step(tf.constant(faces[None]), tf.zeros([1, model.state_width]))
        np.testing.assert_allclose([person.values for _, person in found], whole[0], atol=1e-4)


def test_pieces_of_any_length_equal_the_whole(folder):
    model = open_model(folder.root, "latest")
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
    model = make_model_folder(tmp_path / "model", synthetic=True).root
    chosen = PredictOptions(model=str(model), checkpoint="latest")
    rows = _predict(make_video(tmp_path / "a.mp4", 1, 30, "320x240"), chosen, tmp_path, ("csv", "overlay"))
    assert len(rows) == 30 and {row["model"] for row in rows} == {"SYNTHETIC"}
    with av.open(str(tmp_path / "a-affect.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30


def test_real_face_has_a_row_in_all_72_frames(tmp_path, options, media):
    rows = _predict(media("single_face.mp4"), options, tmp_path)
    assert [int(row["frame"]) for row in rows] == list(range(1, 73))
    assert {row["track"] for row in rows} == {"1"}


def test_real_video_without_faces_has_empty_rows(tmp_path, options, media):
    rows = _predict(media("no_face.mp4"), options, tmp_path)
    assert len(rows) == pytest.approx(120, abs=2)
    assert {row[name] for row in rows for name in COLUMNS[4:]} == {""}


def test_real_face_that_leaves_is_told_from_nobody(tmp_path, options, media):
    rows = _predict(media("face_noface.mov"), options, tmp_path)
    has_face = np.zeros(192, bool)
    has_face[[int(row["frame"]) - 1 for row in rows if row["track"]]] = True
    assert {int(row["frame"]) for row in rows} == set(range(1, 193))
    # Of every 17th of 169 frames MTCNN saw the face in the first five only: it leaves between 2.6 and 3.2 s.
    assert has_face[:75].mean() > 0.95 and has_face[100:].mean() < 0.05


@pytest.fixture(scope="session")
def reverse_shots(tmp_path_factory, media):
    """Two real people in turn, in the middle of the picture, nearer and farther: 60, 36, 90, 33 and 60 frames."""
    shots = [(0, "0:2", 640), (1, "0:1.2", 640), (0, "12:15", 640), (1, "1.2:2.3", 900), (0, "17:19", 900)]
    parts = [
        f"[{who}:v]fps=30,trim={span},setpts=PTS-STARTPTS,scale={width}:-2,crop=640:360,setsar=1[s{n}]"
        for n, (who, span, width) in enumerate(shots)
    ]
    graph = ";".join([*parts, "".join(f"[s{n}]" for n in range(5)) + "concat=n=5[v]"])
    inputs = [word for name in ("WolfgangLanger_Pexels.mp4", "single_face.mp4") for word in ("-i", str(media(name)))]
    path = tmp_path_factory.mktemp("shots") / "shots.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *inputs, "-filter_complex", graph, "-map", "[v]"]
    subprocess.run([*command, "-pix_fmt", "yuv420p", str(path)], check=True, stdin=subprocess.DEVNULL)
    return path


def test_shot_and_reverse_shot_of_real_people_are_two_and_each_is_known_again(tmp_path, options, reverse_shots):
    rows = _predict(reverse_shots, options, tmp_path)
    assert [int(row["frame"]) for row in rows] == list(range(1, 280))
    assert [row["track"] for row in rows] == [*"1" * 60, *"2" * 36, *"1" * 90, *"2" * 33, *"1" * 60]


def test_two_drawn_people_of_a_workspace_are_its_entries(tmp_path, options, demo_workspace):
    row = next(row for row in read_csv(demo_workspace.manifest) if len(row["subjects"].split()) == 2)
    rows = _predict(demo_workspace.clip(row["clip"]), options, tmp_path)
    for person, entry in enumerate((f"{row['clip']}-p1", f"{row['clip']}-p2"), start=1):
        own = [each for each in rows if each["entry"] == entry]
        chosen = read_csv(demo_workspace.faces(entry))
        assert [each["frame"] for each in own] == [each["frame"] for each in chosen]
        assert {each["track"] for each in own} == {str(person)}
        np.testing.assert_allclose([float(e["x"]) for e in own], [float(e["x"]) for e in chosen], atol=0.06)
    assert sorted({int(each["frame"]) for each in rows}) == list(range(1, len({each["frame"] for each in rows}) + 1))


def test_corrected_face_is_predicted_as_the_entry(tmp_path, options, demo_workspace):
    row = next(row for row in read_csv(demo_workspace.manifest) if len(row["subjects"].split()) == 1)
    copy = tmp_path / "W"
    for name in ("manifest.csv", "clips", "detections", "faces", "sources"):
        place = demo_workspace.root / name
        (shutil.copytree if place.is_dir() else shutil.copy)(place, copy / name if place.is_dir() else _made(copy))
    faces = copy / "faces" / f"{row['clip']}.csv"
    lines = faces.read_text().splitlines()
    faces.write_text("\n".join([lines[0], *lines[41:]]) + "\n")  # as a correction 'none' up to frame 40 leaves it
    rows = _predict(copy / "clips" / f"{row['clip']}.mp4", options, tmp_path / "out")
    entry = [each["entry"] for each in rows if each["track"]]
    assert entry[:40] == [""] * 40 and set(entry[40:]) == {row["clip"]}
    assert {each["track"] for each in rows[:40]} == {"2"}


def _made(folder):
    folder.mkdir(exist_ok=True)
    return folder


def test_current_prediction_is_known_until_video_model_or_options_change(tmp_path, options, make_video):
    video = make_video(tmp_path / "a.mp4", 0.5, 30, "320x240")
    (source,) = find_sources([str(video)])
    chosen = dataclasses.replace(options, output=str(tmp_path / "out"))
    stamp = model_stamp(chosen)
    assert not is_current(source, chosen, stamp)
    _predict(video, options, tmp_path / "out")
    assert is_current(source, chosen, stamp)
    assert not is_current(source, dataclasses.replace(chosen, rate=10.0), stamp)
    assert not is_current(source, chosen, "another model")
    # A format more is added to those that are there; another model takes away what it does not write again.
    _predict(video, options, tmp_path / "out", ("elan", "csv"))
    assert is_current(source, chosen, stamp) and (tmp_path / "out" / "a.eaf").exists()
    video.touch()
    assert not is_current(source, chosen, stamp)
    _predict(video, options, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.csv", "a.json"]


def test_video_that_breaks_off_leaves_what_there_is_and_is_not_done(tmp_path, options, make_video):
    path = make_video(tmp_path / "a.mp4", 6, 30, "64x48", "-movflags", "+faststart", "-g", "15")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="the video breaks off after"):
        _predict(path, options, tmp_path)
    assert 30 < len(read_csv(tmp_path / "a.csv")) < 150
    assert not json.loads((tmp_path / "a.json").read_text())["complete"]


def test_sources_are_files_folders_patterns_addresses_and_cameras(tmp_path, monkeypatch):
    for name in ("a.mp4", "deep/b.mkv", "notes.txt", "c.mov"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert [source.name for source in find_sources([str(tmp_path)])] == ["a", "c", "deep/b"]
    assert [source.name for source in find_sources([f"{tmp_path}/*.m*"])] == ["a", "c"]
    relative = find_sources(["a.mp4", "gone.mp4"])
    assert [source.place for source in relative] == [str(tmp_path / "a.mp4"), str(tmp_path / "gone.mp4")]
    stream, camera = find_sources(["rtsp://me:secret@10.0.0.7:554/live.sdp?key=1", "0"])
    assert stream == Source("10.0.0.7_554_live", "rtsp://me:secret@10.0.0.7:554/live.sdp?key=1", "stream")
    assert camera == Source("camera0", "0", "camera")
    with pytest.raises(InputError, match="no file matches this pattern"):
        find_sources(["*.webm"])


def test_workspace_clip_is_known_for_one(demo_workspace):
    clips = sorted(row["clip"] for row in read_csv(demo_workspace.manifest))
    found = find_sources([], workspace=str(demo_workspace.root))
    assert sorted(source.clip for source in found) == clips
    assert {source.workspace for source in found} == {str(demo_workspace.root)}
    assert find_sources([str(demo_workspace.clip(clips[0]))])[0].clip == clips[0]


def test_videos_of_one_name_are_refused_and_foreign_files_are_kept(tmp_path, options):
    for name in ("a", "b"):
        _made(tmp_path / name)
        (tmp_path / name / "x.mp4").touch()
    videos = [str(tmp_path / "a" / "x.mp4"), str(tmp_path / "b" / "x.mp4")]
    with pytest.raises(InputError, match=r"its files would replace those of .*a/x.mp4; predict them into two"):
        find_sources(videos)
    (source,) = find_sources(videos[:1])
    chosen = dataclasses.replace(options, output=str(tmp_path))
    (tmp_path / "x-affect.mp4").write_bytes(b"somebody's video")
    with pytest.raises(InputError, match=r"x-affect.mp4: a file is in the way that is no prediction"):
        check_in_the_way(source, chosen)
    (tmp_path / "x.csv").write_text("frame,seconds,track,x\n")  # of an earlier version, which wrote no sidecar
    check_in_the_way(source, chosen)


def test_wrong_options_and_models_are_named(tmp_path, folder, options):
    with pytest.raises(InputError, match="--formats: 'pdf' is no format; choose of csv, parquet, elan"):
        check_options(dataclasses.replace(options, formats=("csv", "pdf")))
    with pytest.raises(InputError, match="neither a model folder nor an exported model; name a folder"):
        model_stamp(dataclasses.replace(options, model=str(tmp_path)))
    with pytest.raises(InputError, match=r"there is no checkpoint 'total' \(there are: 1\); evaluate the model"):
        model_stamp(dataclasses.replace(options, checkpoint="total"))


def _command(*arguments, module="affwildnet.predict"):
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_without_a_model_it_says_how_to_get_one():
    done = _command("video.mp4")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "error: --model: no model is named; get one by `make demo`" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_folder_of_interviews_becomes_predictions_a_person_in_three_commands(tmp_path, folder, demo_workspace):
    workspace, predictions, interviews = tmp_path / "W", tmp_path / "P", tmp_path / "interviews"
    interviews.mkdir()
    for row in read_csv(demo_workspace.manifest):
        name = "two" if len(row["subjects"].split()) == 2 else "one"
        shutil.copy(demo_workspace.root / row["source"], interviews / f"{name}.mp4")
    assert (
        _command(f"--workspace={workspace}", f"--folder={interviews}", module="data_pipeline.manifest").returncode == 0
    )
    built = _command(f"--workspace={workspace}", module="data_pipeline.build")
    assert built.returncode == 0, built.stderr
    clips = sorted((workspace / "clips").glob("*.mp4"))
    flags = (f"--model={folder.root}", "--checkpoint=latest", f"--output={predictions}", "--formats=csv")
    done = _command(*clips, *flags)
    assert done.returncode == 0, done.stderr
    one, two = (read_csv(predictions / f"{name}.csv") for name in ("one", "two"))
    assert {(row["track"], row["entry"]) for row in one} == {("1", "one")}
    # Nobody has said who is who: the one who is largest and longest in view is the entry, the other is there too.
    assert {(row["track"], row["entry"]) for row in two} == {("1", "two"), ("2", "")}
    for rows in (one, two):
        for track in {row["track"] for row in rows}:
            assert [int(row["frame"]) for row in rows if row["track"] == track] == list(range(1, 121))
    # One that is no video is set aside with its reason; the others are done and not done again.
    (predictions / "one.json").unlink()
    (workspace / "clips" / "notes.mp4").write_text("notes")
    kept = (predictions / "two.csv").stat().st_mtime_ns
    again = _command(*clips, workspace / "clips" / "notes.mp4", *flags)
    assert again.returncode == 1 and "1 of 3 videos are predicted already" in again.stdout
    assert (predictions / "one.json").exists() and (predictions / "two.csv").stat().st_mtime_ns == kept
    assert f"error: {workspace / 'clips' / 'notes.mp4'}: this is no readable video" in again.stderr
    (failure,) = read_csv(predictions / "failures.csv")
    assert failure["video"].endswith("notes.mp4") and "no readable video" in failure["reason"]
