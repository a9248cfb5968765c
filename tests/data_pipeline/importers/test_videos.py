"""Databases that come with videos: Aff-Wild and OMG-Emotion."""

import numpy as np
import pytest

from data_pipeline.annotations import NO_VALUE, read_trace
from data_pipeline.engine import process_clip
from data_pipeline.manifest import read_manifest
from data_pipeline.match import MatchOptions, match_labels
from data_pipeline.stages import NoOptions
from data_pipeline.transcode import TranscodeOptions
from tfrecords.convert import ConvertOptions
from tfrecords.crops import read_crops
from tfrecords.detections import read_detections
from tfrecords.labels import read_labels
from tfrecords.workspace import write_csv, write_text


def _traces(workspace, annotator, entry):
    folder = workspace.annotations / annotator / entry
    return {path.stem: read_trace(path) for path in sorted(folder.glob("*.txt"))}


@pytest.fixture
def aff_wild(folder, make_video):
    """One training video of 30 frames at 30 FPS with 28 labels, one at 25 with 60, and a test video."""
    (folder / "videos/train").mkdir(parents=True)
    (folder / "videos/test").mkdir()
    make_video(folder / "videos/train/105.mp4", 1.0, 30)
    make_video(folder / "videos/train/2 b.avi", 2.0, 25)
    make_video(folder / "videos/test/9.mp4", 0.5, 30)
    for name, count in (("105", 28), ("2 b", 60)):
        for dimension, sign in (("valence", 1), ("arousal", -1)):
            lines = "".join(f"{sign * k / 100}\n" for k in range(count))
            write_text(folder / "annotations/train" / dimension / f"{name}.txt", lines)
    return folder


def test_aff_wild_s_videos_become_a_manifest_and_annotations_at_their_own_frame_times(aff_wild, run_import, workspace):
    report = run_import("aff_wild")
    assert report.renamed == {"2 b": "2_b"} and not report.set_aside
    assert +report.left_out == {"frames past the last label": 4, "labels past the last frame": 20}
    rows = {row.clip: row for row in read_manifest(workspace)}
    assert list(rows) == ["105", "2_b", "9"] and str(rows["2_b"].source) == str(aff_wild / "videos/train/2 b.avi")
    assert rows["9"].notes == "Aff-Wild test" and not (workspace.annotations / "aff_wild" / "9").exists()
    traces = _traces(workspace, "aff_wild", "2_b")
    np.testing.assert_allclose(traces["valence"].stamps, np.arange(50) / 25 + 1 / 30, atol=1e-6)
    assert traces["arousal"].values.tolist() == [-10 * k for k in range(50)]
    assert (
        _traces(workspace, "aff_wild", "105")["valence"].values.tolist() == [10 * k for k in range(28)] + [NO_VALUE] * 2
    )


def test_aff_wild_s_frame_n_takes_line_n(aff_wild, run_import, workspace):
    run_import("aff_wild")
    row = read_manifest(workspace)[0]
    write_csv(workspace.faces("105"), ("frame",), [{"frame": frame} for frame in range(1, 31)])
    match_labels(workspace, row, MatchOptions())
    labels = read_labels(workspace.labels("105"))
    assert labels == {frame: {"valence": 10 * (frame - 1), "arousal": -10 * (frame - 1)} for frame in range(1, 29)}


def _write_points(path, points):
    text = "".join(f"{x} {y}\n" for x, y in points)
    write_text(path, f"version: 1\nn_points: {len(points)}\n{{\n{text}}}\n")


def test_aff_wild_s_boxes_become_detections_and_the_pipeline_goes_on_from_them(aff_wild, run_import, workspace):
    for number in (0, 1, 5, 27, 28, 29):
        corners = [(10, 8), (10, 40), (42, 40), (42, 8)]
        _write_points(aff_wild / f"bboxes/train/105/{number}.pts", corners)
        _write_points(aff_wild / f"landmarks/train/105/{number}.pts", [(20, 20)] * 68)
    _write_points(aff_wild / "bboxes/train/105/3.pts", [(70, 8), (90, 40)])
    report = run_import("aff_wild", use_boxes=True)
    assert report.left_out["boxes past the last label"] == 2 and report.left_out["boxes outside the picture"] == 1
    assert report.left_out["frames without a box"] == 30 - 7
    rows, facts = read_detections(workspace.detections("105"))
    assert [row["frame"] for row in rows] == [1, 2, 6, 28] and facts["detector"] == "aff_wild"
    assert [rows[0][name] for name in ("x", "y", "width", "height")] == [10, 8, 32, 32]
    np.testing.assert_array_equal(rows[0]["landmarks"], np.full((68, 2), 20))
    with read_crops(workspace.crops("105")) as read:
        assert read("00028.jpg").shape == (32, 32, 3)
    stages = {"probe": NoOptions(), "transcode": TranscodeOptions(), "detect": None, "filter": None}
    outcome = process_clip(workspace, read_manifest(workspace)[0], stages | {"match": MatchOptions()})
    assert not outcome.reason and list(outcome.seconds) == ["probe", "transcode", "match"]
    outcome = process_clip(workspace, read_manifest(workspace)[0], {"convert": ConvertOptions()})
    assert not outcome.reason and workspace.record("105").exists() and workspace.clip("105").exists()
    assert list(read_labels(workspace.labels("105"))) == [1, 2, 6, 28]


def test_video_that_cannot_be_read_is_set_aside(aff_wild, run_import):
    (aff_wild / "videos/train/105.mp4").write_bytes(b"cut off")
    (aff_wild / "annotations/train/arousal/2 b.txt").write_text("0.1\nx\n")
    report = run_import("aff_wild")
    assert report.clips == ["9"]
    assert "105.mp4: this is no readable video" in report.set_aside["105"]
    assert "2 b.txt, line 2: 'x' is no number" in report.set_aside["2 b"]


def test_omg_emotion_s_value_holds_for_the_whole_utterance(folder, make_video, run_import, workspace):
    for name in ("-x1/utterance_1", "-x1/utterance_2", "y/utterance_1"):
        (folder / "clips" / name).parent.mkdir(parents=True, exist_ok=True)
        make_video(folder / "clips" / f"{name}.mp4", 0.5, 25)
    (folder / "omg_TrainVideos.csv").write_text(
        "link,start,end,video,utterance,arousal,valence,EmotionMaxVote\n"
        "l,0,1,-x1,utterance_1.mp4,0.75,-0.4,3\n"
        "l,1,2,-x1,utterance_2.mp4,0,1,4\n"
        "l,1,2,y,utterance_1.mp4,1,1.5,4\n"
        "l,1,2,z,utterance_1.mp4,0,1,4\n"
    )
    report = run_import("omg_emotion", videos=str(folder / "clips"))
    assert report.clips == ["x1-utterance_1", "x1-utterance_2", "y-utterance_1"]
    assert "omg_TrainVideos.csv, line 5: z/utterance_1.mp4 is not below" in report.set_aside["z-utterance_1"]
    traces = _traces(workspace, "omg_emotion", "x1-utterance_1")
    assert set(traces["valence"].values) == {-400} and set(traces["arousal"].values) == {500}
    assert set(_traces(workspace, "omg_emotion", "x1-utterance_2")["arousal"].values) == {-1000}
    assert not _traces(workspace, "omg_emotion", "y-utterance_1")["valence"].valid.any()
    rows = read_manifest(workspace)
    assert rows[0].subjects == rows[1].subjects == ("x1",)
    assert rows[0].notes == "OMG-Emotion omg_TrainVideos, EmotionMaxVote 3"
