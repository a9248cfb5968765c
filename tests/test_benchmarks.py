"""The benchmarks run as commands, and their last line says which targets were met."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import jpeg_quality, pipeline, scale
from benchmarks.loader_data import draw_faces
from tfrecords.crops import RECORD_JPEG_QUALITY
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, write_csv, write_json

ROOT = Path(__file__).parents[1]


def run(*words: str, may_miss: bool = False) -> dict[str, Any]:
    """What ``python -m`` with these words printed last, as JSON; with `may_miss` the exit code 1 is one of `met`'s."""
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    missed = may_miss and False in told.get("met", {}).values()
    assert done.returncode == int(missed), done.stderr[-2000:]
    return told | {"stdout": done.stdout}


@pytest.mark.slow
def test_rnn_says_of_each_target_at_batch_2_whether_it_was_met() -> None:
    sizes = ("--frames=3", "--features=8", "--units=4", "--attention_length=2", "--rounds=1", "--batches=2")
    results = run("benchmarks.rnn", *sizes)["results"]
    assert set(results) == {"2"}
    for part, target in (("training", 12), ("forward", 8), ("evaluation", 30)):
        found = results["2"][part]
        assert found["literal"] > 0 and found["fused"] > 0
        assert found["target"] == target and found["met"] is (found["ratio"] >= target)


@pytest.mark.slow
def test_case0_says_whether_the_ratio_and_the_loss_met_their_targets() -> None:
    results = run("benchmarks.case0", "--backbone=small_cnn", "--clips=2", "--frames=80", "--rounds=1")
    del results["stdout"]
    assert set(results) == {"gru", "gru_attention"}
    for found in results.values():
        assert found["met"] == {"ratio": found["ratio"] >= 8, "loss_difference": found["loss_difference"] <= 1e-3}
        assert found["met"]["loss_difference"]


def test_scale_prints_the_document_s_table_of_empty_clips() -> None:
    told = run("benchmarks.scale", "--clips=20", "--workers=1")
    assert told["clips"] == 20 and told["tasks_a_second"] > 0
    rows = [line for line in told["stdout"].splitlines() if line.startswith("|")]
    document = (ROOT / "docs" / "scale.md").read_text().splitlines()
    at = _row(document, " first build ") - 1
    names = [row.split("|")[1] for row in rows[1:]]
    assert names == [row.split("|")[1] for row in document[at : at + len(names)]]


def test_scale_counts_the_clips_own_length_and_downloads(tmp_path: Path, make_video: Any) -> None:
    workspace = Workspace(tmp_path)
    workspace.sources.mkdir()
    video = make_video(workspace.sources / "a.mp4", 3.0)
    write_csv(workspace.manifest, ("clip", "source", "end"), [{"clip": "a", "source": "sources/a.mp4", "end": "1.2"}])
    workspace.probe("a").parent.mkdir()
    make_video(workspace.clip("a"), 1.2)
    with pytest.raises(InputError, match="did not do everything"):
        write_json(workspace.root / "build.json", {"seconds": {}})
        scale.clip_hour(workspace, 100, 6)
    write_json(workspace.root / "build.json", {"seconds": {"probe": 1.0, "transcode": 2.0, "detect": 3.0}})
    found = scale.clip_hour(workspace, 100, 6)
    assert found["clip_hours"] == pytest.approx(1.2 / 3600, rel=0.05)
    hours = found["clip_hours"]
    assert found["core_seconds_a_clip_hour"]["all"] == pytest.approx(6 / hours)
    assert found["mib_a_clip_hour"]["sources"] == pytest.approx(video.stat().st_size / 2**20 / hours)
    assert found["core_hours"] == pytest.approx(10 * 6 / hours / 3600)
    rows = scale.clip_hour_rows(found)
    document = (ROOT / "docs" / "scale.md").read_text().splitlines()
    at = _row(document, " stage ")
    assert [row.split("|")[1].strip() for row in rows[:-1]] == [
        row.split("|")[1].strip() for row in document[at : at + len(rows) - 1]
    ]


def _row(lines: list[str], name: str) -> int:
    return next(number for number, line in enumerate(lines) if line.startswith(f"|{name}|"))


def test_pipeline_s_targets_are_bounds_and_what_was_not_measured_is_neither_met_nor_missed() -> None:
    inside = {name: low for name, (low, _) in pipeline.TARGETS.items()}
    assert set(pipeline.met_targets(inside).values()) == {True}
    wrong = inside | {"adaptive": 199.9, "boxes_without_face": 1, "two_workers": None, "adaptive_linearity": 1.26}
    met = pipeline.met_targets(wrong)
    assert {name for name, value in met.items() if value is False} == {
        "adaptive",
        "boxes_without_face",
        "adaptive_linearity",
    }
    assert met["two_workers"] is None


@pytest.mark.slow
def test_pipeline_says_of_each_target_whether_it_was_met(tmp_path: Path) -> None:
    sizes = ("--seconds=4", "--rounds=1", "--norecall", "--worker_clips=2", "--media=/nowhere", f"--folder={tmp_path}")
    told = run("benchmarks.pipeline", *sizes, may_miss=True)
    assert set(told["met"]) == set(told["targets"]) == set(told["reached"])
    assert told["met"]["boxes_without_face"] is told["met"]["stage_recall"] is None
    assert told["reached"]["times_mtcnn"] > 1


@pytest.mark.slow
def test_filters_say_whether_the_default_is_at_least_as_good_as_each_other() -> None:
    told = run("benchmarks.filters", "--seeds=1", "--cases=two,false_beside", may_miss=True)
    assert told["default"] == "tracks" and set(told["met"]) == set(told["right"]["two"]) - {"tracks"}
    assert all(value for value in told["met"].values())


def test_records_measures_every_encoding_and_lossless_ones_give_the_faces_back() -> None:
    results = run("benchmarks.records", "--clips=1", "--frames=80", "--read_frames=160", "--rounds=1")["results"]
    assert set(results) == {"jpeg", "png", "raw", "float32"}
    sizes = {name: one["bytes_per_frame"] for name, one in results.items()}
    assert sizes["jpeg"] < sizes["png"] < sizes["raw"] < sizes["float32"] / 3.9
    assert {name for name, one in results.items() if one["largest_difference"] == 0} == {"png", "raw", "float32"}


def test_default_jpeg_quality_is_nearer_to_the_face_and_smaller_than_the_one_before() -> None:
    results = jpeg_quality.measure(list(draw_faces(0, 8)), 1)
    now, before = results[f"{RECORD_JPEG_QUALITY} INTEGER_ACCURATE"], results[jpeg_quality.BEFORE]
    assert now["mean_difference"] < before["mean_difference"]
    assert now["bytes_per_face"] < 0.85 * before["bytes_per_face"]


@pytest.mark.slow
def test_loader_says_of_each_target_whether_it_was_met(tmp_path: Path) -> None:
    sizes = ("--clips=4", "--frames=160", "--original_buffer=4", "--rounds=1", "--seconds=0.2")
    found = run("benchmarks.loader", f"--folder={tmp_path}", *sizes)
    assert set(found["results"]) == {"original", "folder", "raw", "jpeg", "decoder", "raw_small", "jpeg_small"}
    assert set(found["met"]) == set(found["targets"]) == set(found["ratios"]) - {"jpeg_times_decoder"}
    assert all(one["frames_per_second"] > 0 and one["peak_mib"] > 100 for one in found["results"].values())


def test_predict_says_that_streaming_equals_whole_video() -> None:
    told = run("benchmarks.predict", "--backbones=small_cnn", "--rounds=1", "--frames=40", "--gpu=-1")
    figures, targets = told["results"]["small_cnn"], told["targets"]
    assert figures["whole_frames_per_second"] > 0 and 0 < figures["latency_p50_ms"] <= figures["latency_p99_ms"]
    equal = targets["small_cnn: streaming equals whole"]
    assert equal["met"] and figures["greatest_difference"] == equal["value"] <= 1e-4 < 0.1 < figures["range_of_values"]
    for name in ("small_cnn: live at 30 frames/s", "small_cnn: 99 of 100 frames in time"):
        found = targets[name]
        met = found["value"] >= found["at_least"] if "at_least" in found else found["value"] <= found["at_most"]
        assert found["met"] is met
