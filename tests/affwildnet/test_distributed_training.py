"""Training spread over devices and real processes on loopback, against one process with the same whole batch."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import tensorflow as tf

from affwildnet.checkpoints import list_checkpoints
from affwildnet.model_folder import ModelFolder
from tfrecords.index import open_partition
from tfrecords.loader import load_batches
from tfrecords.sequences import training_windows
from tfrecords.service_loader import epoch_of, service_batches, window_dataset
from tfrecords.workspace import Workspace, read_json

ROOT = Path(__file__).parents[2]
SMALL = ("--cell=none", "--sequence_length=10", "--batch=4", "--gpu=-1", "--log_steps=1", "--image_steps=0")
# The fused attention block, with what has to come after the sum over the workers.
ATTENTION = ("--cell=gru", "--layers=1", "--units=8", "--attention_length=5", "--clip_norm=1", "--weight_decay=0.01")
Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Command]:
    """``start(module, *flags)`` starts one of our programs; what still runs at the end is ended."""
    processes = []

    def start(module: str, *flags: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", module, *flags]
        processes.append(
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            for child in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                child.kill()
        process.communicate()


def _end(process: subprocess.Popen[str], code: int = 0) -> str:
    told = process.communicate(timeout=600)[0]
    assert process.returncode == code, told
    return told


def _flags(workspace: Workspace, model: Path, steps: int, *more: str) -> list[str]:
    return [f"--workspace={workspace.root}", f"--model={model}", f"--steps={steps}", *SMALL, *more]


def _losses(model: Path) -> dict[int, float]:
    """Step -> total loss, from TensorBoard's files; of a step that was done twice the last."""
    losses = {}
    for path in sorted((model / "events" / "train").iterdir()):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.tag == "losses/CCC_loss":
                    losses[event.step] = float(tf.make_ndarray(value.tensor))
    return losses


def _assert_same_training(model: Path, expected: Path, steps: int, tolerance: float = 1e-4) -> None:
    losses, wanted = _losses(model), _losses(expected)
    assert sorted(wanted) == list(range(1, steps + 1))
    assert losses == pytest.approx(wanted, abs=tolerance)
    ones, others = (
        tf.train.load_checkpoint(list_checkpoints(ModelFolder(folder))[steps]) for folder in (model, expected)
    )
    names = [name for name in others.get_variable_to_shape_map() if name.endswith("VARIABLE_VALUE")]
    assert ones.get_variable_to_shape_map().keys() == others.get_variable_to_shape_map().keys() and len(names) > 10
    for name in names:
        if "save_counter" not in name:
            np.testing.assert_allclose(ones.get_tensor(name), others.get_tensor(name), atol=tolerance, err_msg=name)


def test_two_workers_give_the_losses_and_weights_of_one(start, tmp_path, demo_workspace):
    _end(start("affwildnet.train", *_flags(demo_workspace, tmp_path / "one", 4)))
    workers = start("affwildnet.supervise", "--workers=2", "--", *_flags(demo_workspace, tmp_path / "two", 4))
    assert "training on 2 devices of 2 workers, of which this is 0" in _end(workers)
    _assert_same_training(tmp_path / "two", tmp_path / "one", 4)
    assert read_json(tmp_path / "two" / "training.json") == {"state": "finished", "step": 4}
    assert len(list((tmp_path / "two" / "events" / "train").iterdir())) == 1


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("strategy", ["mirrored", "multiworker"])
def test_attention_trains_alike_on_two_devices(strategy, start, tmp_path, demo_workspace):
    _end(start("affwildnet.train", *_flags(demo_workspace, tmp_path / "one", 6, *ATTENTION)))
    flags = _flags(demo_workspace, tmp_path / "two", 6, *ATTENTION)
    if strategy == "mirrored":
        told = _end(start("affwildnet.train", *flags, "--strategy=mirrored", "--cpu_devices=2"))
        assert "training on 2 devices (CPU:0, CPU:1)" in told
    else:
        _end(start("affwildnet.supervise", "--workers=2", "--", *flags))
    _assert_same_training(tmp_path / "two", tmp_path / "one", 6)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_training_goes_on_after_a_worker_is_killed_and_after_a_signal_to_the_same_weights(
    start, tmp_path, demo_workspace
):
    steps = 2000
    two = ("affwildnet.supervise", "--workers=2", "--")
    folder = ModelFolder(tmp_path / "broken")
    supervisor = start(*two, *_flags(demo_workspace, folder.root, steps, "--checkpoint_steps=5", "--deterministic"))
    _wait_for(lambda: len(list_checkpoints(folder)) >= 2, supervisor)
    second = next(child for child in _workers(supervisor) if '"index": 1' in child.environ()["TF_CONFIG"])
    second.send_signal(signal.SIGKILL)
    second.wait(20)
    _wait_for(lambda: list(folder.root.glob("supervision/*/round-002/worker-0.log")), supervisor)
    reached = max(list_checkpoints(folder))
    _wait_for(lambda: max(list_checkpoints(folder)) > reached, supervisor)
    supervisor.send_signal(signal.SIGUSR1)
    told = _end(supervisor, 85)
    # Its peer may end of that before the supervisor looks.
    assert re.search("worker [01] (was ended|ended)", told) and "all workers start again" in told, told
    assert read_json(folder.training)["state"] == "interrupted"
    done = read_json(folder.training)["step"]
    assert max(list_checkpoints(folder)) == done < steps
    again = done + 5
    for model in (folder.root, tmp_path / "whole"):
        _end(start(*two, *_flags(demo_workspace, model, again, "--deterministic")))
    _assert_same_training(folder.root, tmp_path / "whole", again, tolerance=1e-6)


def test_window_read_by_tensorflow_alone_is_the_loaders(demo_workspace):
    files = open_partition(demo_workspace, "train")
    # Whole windows and a tail.
    rows = np.array([[[0, 0, 10], [0, 7, 10]], [[0, 20, 3], [0, 1, 1]]], np.int64)
    ones = list(window_dataset(files, rows, 10, ("valence", "arousal")))
    others = list(load_batches(files, lambda: iter(rows), 10, ("valence", "arousal")))
    for one, other in zip(ones, others, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def _serve(start: Command, *flags: str) -> str:
    """Starts a process of a data service, waits until it serves and returns its address."""
    process = start("tfrecords.data_service", "--host=127.0.0.1", *flags)
    for line in process.stdout:
        if found := re.match(r"(?:dispatcher|worker) at (\S+:\d+)", line):
            return found[1]
    raise AssertionError("it ended")


def test_data_service_gives_every_batch_of_an_epoch_once_and_resumes_by_epoch(start, demo_workspace):
    dispatcher = _serve(start)
    for _ in range(2):
        _serve(start, f"--dispatcher={dispatcher}")
    files = open_partition(demo_workspace, "train")
    expected = [training_windows(files, 10, 1, epoch) for epoch in range(2)]
    batches = len(expected[0]) // 4
    assert epoch_of(files, 10, 4, 1, batches + 1) == (1, 1)
    # In the middle of the second epoch: it begins again.
    shares = [
        service_batches(files, 10, 4, 1, ("valence",), dispatcher, first_step=batches + 1, share=(k, 2))
        for k in range(2)
    ]
    read = [next(share)["windows"].numpy() for share in shares for _ in range(batches)]
    assert all(part.shape == (2, 3) for part in read)
    assert sorted(map(tuple, np.concatenate(read))) == sorted(map(tuple, expected[1][: 4 * batches]))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_training_from_a_data_service_goes_on_from_its_epoch(start, tmp_path, demo_workspace):
    dispatcher = _serve(start)
    for _ in range(2):
        _serve(start, f"--dispatcher={dispatcher}")
    service = f"--data_service={dispatcher}"
    _end(start("affwildnet.train", *_flags(demo_workspace, tmp_path, 5, service)))
    told = _end(start("affwildnet.train", *_flags(demo_workspace, tmp_path, 9, service)))
    assert "with a data service the position is the epoch only" in told
    assert list(list_checkpoints(ModelFolder(tmp_path))) == [5, 9]
    assert sorted(_losses(tmp_path)) == list(range(1, 10))


def test_data_service_that_does_not_answer_is_refused(start, demo_workspace):
    files = open_partition(demo_workspace, "train")
    with pytest.raises(ValueError, match=r"--data_service=127\.0\.0\.1:1: nobody answers there"):
        next(service_batches(files, 10, 4, 1, ("valence",), "127.0.0.1:1"))


def _workers(supervisor: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(supervisor.pid).children()


def _wait_for(condition: Callable[[], object], process: subprocess.Popen[str], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None and time.monotonic() < end, process.communicate()[0]
        time.sleep(0.05)
