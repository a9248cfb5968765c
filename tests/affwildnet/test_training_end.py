"""What ends a training: the evaluator's request, signals, values that are not finite; going on after each is exact."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from affwildnet import training_end
from affwildnet.checkpoints import list_checkpoints
from affwildnet.model_folder import ModelFolder
from affwildnet.models import ModelOptions
from affwildnet.optimizer import OptimizerOptions
from affwildnet.precision import LossScale
from affwildnet.train import TrainOptions, TrainRun, train
from affwildnet.train_step import StepResult
from affwildnet.training_end import EXIT_REQUEUE, Interrupted, interruption_at_once
from affwildnet.training_loop import check_finite
from tfrecords.errors import InputError
from tfrecords.workspace import read_json, write_json

ROOT = Path(__file__).parents[2]
# Everything that has a state or draws: dropout in three places, the loss's scale, a schedule.
MODEL = ModelOptions(layers=2, units=8, attention_length=0, fc=("12",), dropout=0.3)
CHOSEN = TrainOptions(batch=2, sequence_length=6, precision="mixed_float16")
OPTIMIZING = OptimizerOptions(schedule="cosine", schedule_steps=60, warmup_steps=3, clip_norm=1.0, weight_decay=0.01)
RUN = TrainRun(checkpoint_seconds=0, checkpoint_steps=2, keep_checkpoints=3, keep_unevaluated=0)


def _flags(workspace, folder):
    given = [f"--workspace={workspace.root}", f"--model={folder.root}", "--gpu=-1"]
    for options, defaults in ((MODEL, ModelOptions()), (CHOSEN, TrainOptions()), (OPTIMIZING, OptimizerOptions())):
        for name, value in dataclasses.asdict(options).items():
            if value != getattr(defaults, name):
                given.append(f"--{name}={','.join(value) if isinstance(value, tuple) else value}")
    names = ("checkpoint_seconds", "checkpoint_steps", "keep_checkpoints", "keep_unevaluated")
    # Without, threads that are busy elsewhere change the order of a sum now and then, and with it the last bit.
    return [*given, "--deterministic", *(f"--{name}={getattr(RUN, name)}" for name in names)]


def _run_until(workspace, folder, number, step):
    """Trains in a process, and sends it signal `number` when it has saved a step after `step`."""
    command = [sys.executable, "-m", "affwildnet.train", *_flags(workspace, folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 240
    while max(list_checkpoints(folder), default=0) <= step:
        assert process.poll() is None and time.monotonic() < end, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(number)
    output = process.communicate(timeout=120)[0]
    return process.returncode, output


def _values(folder, step):
    reader = tf.train.load_checkpoint(list_checkpoints(folder)[step])
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith("VARIABLE_VALUE")]
    return {name: reader.get_tensor(name) for name in names if "save_counter" not in name}


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_killed_and_interrupted_training_goes_on_to_the_same_bits(tmp_path, demo_workspace):
    folder, whole = ModelFolder(tmp_path / "broken"), ModelFolder(tmp_path / "whole")
    code, _ = _run_until(demo_workspace, folder, signal.SIGKILL, 2)
    killed_at = max(list_checkpoints(folder))
    assert code == -signal.SIGKILL and read_json(folder.training) == {"state": "running"}
    code, output = _run_until(demo_workspace, folder, signal.SIGTERM, killed_at)
    assert code == EXIT_REQUEUE == 85, output
    assert f"resumed from {folder.checkpoints / f'ckpt-{killed_at}'}" in output
    ended = read_json(folder.training)
    assert ended == {"state": "interrupted", "step": max(list_checkpoints(folder)), "reason": "SIGTERM"}
    assert f"SIGTERM after step {ended['step']}, which is saved; start again to go on" in output
    assert len(list_checkpoints(folder)) <= 3
    steps = ended["step"] + 3
    # In processes too: determinism is for a whole process, and cannot be given back.
    command = [sys.executable, "-m", "affwildnet.train", f"--steps={steps}"]
    for one in (folder, whole):
        subprocess.run([*command, *_flags(demo_workspace, one)], cwd=ROOT, check=True, capture_output=True)
    expected, found = _values(whole, steps), _values(folder, steps)
    assert expected.keys() == found.keys() and any("loss_scale" in name for name in found)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.slow
def test_training_with_dropout_schedule_and_scaled_loss_goes_on_to_the_same_weights(tmp_path, demo_workspace):
    folder, whole = ModelFolder(tmp_path / "broken"), ModelFolder(tmp_path / "whole")
    for one, steps in ((folder, 3), (folder, 5), (whole, 5)):
        run = dataclasses.replace(RUN, steps=steps)
        assert train(one, demo_workspace, run, MODEL, CHOSEN, OPTIMIZING) == steps
    expected, found = _values(whole, 5), _values(folder, 5)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_user_signal_of_a_cluster_saves_and_asks_to_be_queued_again(tmp_path, demo_workspace):
    folder = ModelFolder(tmp_path)
    code, output = _run_until(demo_workspace, folder, signal.SIGUSR1, 2)
    assert code == 85, output
    ended = read_json(folder.training)
    assert ended == {"state": "interrupted", "step": max(list_checkpoints(folder)), "reason": "SIGUSR1"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_signal_before_the_first_step_ends_at_once_and_leaves_the_handlers_as_they_were(tmp_path, number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=f"^{number.name} after step 0$"), interruption_at_once(ModelFolder(tmp_path)):
        os.kill(os.getpid(), number)
        time.sleep(10)
    assert signal.getsignal(number) == before


SMALL = (ModelOptions(layers=1, units=4, attention_length=0), TrainOptions(batch=2, sequence_length=5))


def test_training_ends_when_the_evaluator_asks_and_goes_on_when_started_again(tmp_path, demo_workspace, monkeypatch):
    monkeypatch.setattr(training_end, "POLL_SECONDS", 0.05)
    folder = ModelFolder(tmp_path)
    write_json(folder.stop_request, {"step": 1, "reason": "of an earlier training"})

    def ask():
        while not list_checkpoints(folder):
            time.sleep(0.02)
        write_json(folder.stop_request, {"step": 2, "reason": "no better CCC for 3 checkpoints"})

    asking = threading.Thread(target=ask)
    asking.start()
    step = train(folder, demo_workspace, dataclasses.replace(RUN, steps=20000), *SMALL)
    asking.join()
    assert 2 <= step < 20000 and max(list_checkpoints(folder)) == step
    reason = "no better CCC for 3 checkpoints (step 2)"
    assert read_json(folder.training) == {"state": "finished", "step": step, "reason": reason}
    assert train(folder, demo_workspace, dataclasses.replace(RUN, steps=step + 2), *SMALL) == step + 2
    assert not folder.stop_request.exists()
    # A request that came while an interrupted training waited to go on still holds.
    write_json(folder.training, {"state": "interrupted", "step": step + 2, "reason": "SIGTERM"})
    write_json(folder.stop_request, {"step": 2, "reason": "enough"})
    more = dataclasses.replace(RUN, steps=step + 4)
    assert train(folder, demo_workspace, more, *SMALL) == step + 2
    assert read_json(folder.training)["reason"] == "enough (step 2)"
    write_json(folder.training, {"state": "interrupted", "step": step + 2, "reason": "SIGTERM"})
    assert train(folder, demo_workspace, dataclasses.replace(more, stop_on_request=False), *SMALL) == step + 4
    write_json(folder.training, {"state": "interrupted", "step": step + 4, "reason": "SIGTERM"})
    write_json(folder.stop_request, ["enough"])
    with pytest.raises(InputError, match=r"stop\.json: it holds no request to stop"):
        train(folder, demo_workspace, dataclasses.replace(more, steps=step + 6), *SMALL)


def _check(norms, loss=1.0, skipped=False, scale=None):
    result = StepResult(
        losses={"total": tf.constant(loss)},
        gradient_norms={name: tf.constant(value) for name, value in norms.items()},
        learning_rate=tf.constant(0.1),
        skipped=tf.constant(skipped),
        predictions=tf.zeros([2, 2, 2]),
    )
    names = [["a/00001", "a/00002"], ["b/00007", "b/00009"]]
    batch = {"names": tf.constant(names), "weights": tf.ones([2, 2])}
    loss_scale = LossScale() if scale else None
    if loss_scale is not None:
        loss_scale.scale.assign(scale)
    check_finite(result, batch, types.SimpleNamespace(loss_scale=loss_scale), 9, ModelFolder(Path("M")))


def test_gradient_that_is_not_finite_stops_with_its_part_and_every_frame_named():
    inf = float("inf")
    _check({"global": 3.0, "block": 2.0, "head": 1.0})
    message = r"M: the gradient of the block of step 9 is inf \(frames a/00001-00002; b/00007, b/00009\); lower --learn"
    with pytest.raises(InputError, match=message):
        _check({"global": inf, "head": 1.0, "block": inf})
    with pytest.raises(InputError, match="the gradient of step 9 is inf"):
        _check({"global": inf, "head": 1.0, "block": 1e20})
    with pytest.raises(InputError, match="the loss of step 9 is nan"):
        _check({"global": inf, "block": inf}, loss=float("nan"), skipped=True, scale=8.0)


def test_step_that_the_scaling_of_the_loss_skipped_is_no_fault_unless_nothing_is_left_to_scale():
    norms = {"global": float("inf"), "head": float("inf")}
    _check(norms, skipped=True, scale=2.0)
    with pytest.raises(InputError, match="the gradient of the head of step 9 is inf"):
        _check(norms, skipped=True, scale=1.0)
