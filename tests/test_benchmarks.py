"""The benchmarks run as commands, and their last line says which targets were met."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def run(*words: str) -> dict[str, Any]:
    """What ``python -m`` with these words printed last, as JSON."""
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_rnn_says_of_each_target_at_batch_2_whether_it_was_met() -> None:
    sizes = ("--frames=3", "--features=8", "--units=4", "--attention_length=2", "--rounds=1", "--batches=2")
    results = run("benchmarks.rnn", *sizes)["results"]
    assert set(results) == {"2"}
    for part, target in (("training", 12), ("forward", 8), ("evaluation", 30)):
        found = results["2"][part]
        assert found["literal"] > 0 and found["fused"] > 0
        assert found["target"] == target and found["met"] is (found["ratio"] >= target)


def test_case0_says_whether_the_ratio_and_the_loss_met_their_targets() -> None:
    results = run("benchmarks.case0", "--backbone=small_cnn", "--clips=2", "--frames=80", "--rounds=1")
    assert set(results) == {"gru", "gru_attention"}
    for found in results.values():
        assert found["met"] == {"ratio": found["ratio"] >= 8, "loss_difference": found["loss_difference"] <= 1e-3}
        assert found["met"]["loss_difference"]


def test_records_measures_every_encoding_and_lossless_ones_give_the_faces_back() -> None:
    results = run("benchmarks.records", "--clips=1", "--frames=80", "--read_frames=160", "--rounds=1")["results"]
    assert set(results) == {"jpeg", "png", "raw", "float32"}
    sizes = {name: one["bytes_per_frame"] for name, one in results.items()}
    assert sizes["jpeg"] < sizes["png"] < sizes["raw"] < sizes["float32"] / 3.9
    assert {name for name, one in results.items() if one["largest_difference"] == 0} == {"png", "raw", "float32"}


@pytest.mark.slow
def test_loader_says_of_each_target_whether_it_was_met(tmp_path: Path) -> None:
    sizes = ("--clips=4", "--frames=160", "--original_buffer=4", "--rounds=1", "--seconds=0.2")
    found = run("benchmarks.loader", f"--folder={tmp_path}", *sizes)
    assert set(found["results"]) == {"original", "folder", "raw", "jpeg", "raw_small", "jpeg_small"}
    assert set(found["met"]) == set(found["targets"]) == set(found["ratios"])
    assert all(one["frames_per_second"] > 0 and one["peak_mib"] > 100 for one in found["results"].values())
