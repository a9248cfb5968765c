"""The benchmarks run as commands, and their last line says which targets were met."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

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
