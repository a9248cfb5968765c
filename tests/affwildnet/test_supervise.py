"""The supervisor on worker processes that do what a training does to it: show steps, end, die, hang, save."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from affwildnet.cluster import config_from_slurm, free_addresses, tf_config
from affwildnet.rendezvous import Round
from affwildnet.supervise import SuperviseOptions, supervise
from tfrecords.errors import InputError
from tfrecords.workspace import read_json

ROOT = Path(__file__).parents[2]
QUICK = SuperviseOptions(workers=2, start_seconds=20, stall_seconds=20, grace_seconds=10, max_restarts=1)

# `start` is how often this worker was started before, `show(step)` what a training's heartbeat does.
PROLOGUE = """
import json, os, signal, sys, time
from pathlib import Path
model = Path(next(f for f in sys.argv if f.startswith("--model="))[8:])
task = json.loads(os.environ.get("TF_CONFIG", '{"task": {"index": 0}}'))
index = task["task"]["index"]
mine = model / f"starts-{index}"
start = len(mine.read_text().split()) if mine.exists() else 0
ports = ",".join(a.partition(":")[2] for a in task.get("cluster", {}).get("worker", []))
mine.open("a").write(f"{ports or 'alone'}\\n")
def show(step):
    beat = Path(os.environ["AFFWILDNET_HEARTBEAT"])
    beat.with_suffix(".new").write_text(str(step))
    beat.with_suffix(".new").rename(beat)
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., int]:
    """``run(code)`` supervises workers that run this code after `PROLOGUE`, on the folder `tmp_path`."""

    def run(code: str, options: SuperviseOptions = QUICK) -> int:
        return supervise(options, [f"--model={tmp_path}"], _program(tmp_path, code))

    return run


def _program(folder: Path, code: str) -> list[str]:
    path = folder / "worker.py"
    path.write_text(PROLOGUE + textwrap.dedent(code))
    return [sys.executable, str(path)]


def _start(folder: Path, program: list[str], chosen: str) -> subprocess.Popen[bytes]:
    """A supervisor in a process of its own."""
    call = f"supervise(SuperviseOptions({chosen}), ['--model={folder}'], {program})"
    code = f"import sys\nfrom affwildnet.supervise import SuperviseOptions, supervise\nsys.exit({call})"
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)


def _starts(folder: Path, index: int) -> list[str]:
    return (folder / f"starts-{index}").read_text().split()


def test_workers_that_finish_are_started_once_and_know_each_other(run, tmp_path, capfd):
    assert run("print('step', index, sys.argv[-1]); show(1)") == 0
    ports = _starts(tmp_path, 0)
    assert len(ports) == 1 and ports == _starts(tmp_path, 1) and len(set(ports[0].split(","))) == 2
    # What the chief prints is shown; the other's is in its log.
    assert "step 0 --strategy=multiworker" in capfd.readouterr().out
    assert "step 1" in next(tmp_path.glob("supervision/*/round-001/worker-1.log")).read_text()


@pytest.mark.parametrize("listens", ["", "signal.signal(signal.SIGTERM, lambda *_: sys.exit(85 if index else 1))\n"])
def test_workers_that_a_signal_ends_before_their_first_step_have_nothing_to_save(tmp_path, listens):
    program = _program(tmp_path, f"{listens}(model / f'ready-{{index}}').touch(); time.sleep(600)")
    process = _start(tmp_path, program, "workers=2")
    while not all((tmp_path / f"ready-{index}").exists() for index in range(2)):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 85


def test_killed_worker_ends_all_and_all_start_again_on_new_ports(run, tmp_path, capfd):
    code = """
    show(1 + start)
    if start == 0:
        (model / "training.json").write_text('{"state": "failed"}')
        if index == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600)
    """
    assert run(code) == 0
    # An evaluator beside it would end for a failed one.
    assert read_json(tmp_path / "training.json") == {"state": "running"}
    first, second = _starts(tmp_path, 0)
    assert not set(first.split(",")) & set(second.split(",")) and len(_starts(tmp_path, 1)) == 2
    assert "worker 1 was ended by SIGKILL" in capfd.readouterr().err
    ended = read_json(next(tmp_path.glob("supervision/*/round-001/ended-0.json")))
    assert ended["code"] == 1 and "SIGKILL" in ended["reason"]


@pytest.mark.parametrize(
    ("code", "limits", "reason"),
    [
        ("time.sleep(600)", {"start_seconds": 1}, "no worker made a step within 1 s"),
        ("show(3); time.sleep(600)", {"stall_seconds": 1}, "no worker made a step for 1 s after step 3"),
        ("show(1); index or time.sleep(600)", {"grace_seconds": 1}, "not all workers ended within 1 s"),
    ],
)
def test_silence_is_an_end_too_and_is_given_up_after_the_limit(run, tmp_path, capfd, code, limits, reason):
    assert run(code, dataclasses.replace(QUICK, **limits)) == 1
    assert reason in capfd.readouterr().err
    # The limit is one restart that reaches no further; a first step is further than none.
    assert len(_starts(tmp_path, 0)) == (2 if "start_seconds" in limits else 3)
    assert read_json(tmp_path / "training.json") == {"state": "failed"}


def test_restarts_that_reach_further_steps_are_not_limited(run, tmp_path):
    assert run("show(start); time.sleep(0.5); sys.exit(0 if start == 4 else 7)") == 0
    assert len(_starts(tmp_path, 0)) == 5


def test_what_a_person_has_to_mend_is_not_tried_again(run, tmp_path, capfd):
    assert run("print('error: W: it is no workspace; name one.', file=sys.stderr); sys.exit(1)") == 1
    assert len(_starts(tmp_path, 0)) == 1
    assert "it is no workspace" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_signal_is_passed_on_and_the_end_after_saving_is_not_a_failure(tmp_path, number):
    worker = _program(
        tmp_path,
        """
        def save(number, frame):
            (model / f"saved-{index}").write_text(str(int(number)))
            sys.exit(85)
        signal.signal(signal.SIGTERM, save)
        signal.signal(signal.SIGUSR1, save)
        show(1)
        (model / f"ready-{index}").touch()
        while True:
            time.sleep(0.1)
        """,
    )
    process = _start(tmp_path, worker, "workers=2")
    while not all((tmp_path / f"ready-{index}").exists() for index in range(2)):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(timeout=60) == 85
    expected = str(int(signal.SIGTERM if number == signal.SIGINT else number))
    assert [(tmp_path / f"saved-{index}").read_text() for index in range(2)] == [expected] * 2


def test_supervisors_of_two_nodes_meet_and_restart_together(tmp_path):
    program = _program(
        tmp_path,
        """
        show(1 + start)
        if start == 0:
            if index == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(600)
        """,
    )
    flags = "workers=2, nodes=2, node={}, launch='monday', host='127.0.0.1'"
    processes = [_start(tmp_path, program, flags.format(node)) for node in range(2)]
    assert [process.wait(timeout=100) for process in processes] == [0, 0]
    starts = [_starts(tmp_path, index) for index in range(4)]
    assert starts[0] == starts[1] == starts[2] == starts[3] and len(starts[0]) == 2
    assert len(set(",".join(starts[0]).split(","))) == 8


def test_node_that_does_not_come_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no supervisor of node 1 came within 0.3 s; start one on each node"):
        Round(tmp_path, 0, 2).meet(["a:1"], 0.3, lambda: False)


def test_nodes_need_a_name_of_their_start(tmp_path, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(InputError, match="give each the same new name of this start"):
        supervise(SuperviseOptions(nodes=2), [f"--model={tmp_path}"])


def test_name_of_an_earlier_start_is_refused(run):
    named = dataclasses.replace(QUICK, workers=1, launch="monday")
    assert run("show(1)", named) == 0
    with pytest.raises(InputError, match="monday was the name of an earlier start"):
        run("show(1)", named)


def test_flags_without_a_model_are_refused():
    with pytest.raises(InputError, match="--model: it is missing behind the --"):
        supervise(QUICK, ["--workspace=W"])


def test_slurms_variables_name_every_task_in_the_order_of_nodes(tmp_path, monkeypatch):
    # SLURM's own command expands the list of nodes; here one that knows this list.
    tool = tmp_path / "scontrol"
    tool.write_text('#!/bin/sh\n[ "$*" = "show hostnames node[2,10]" ] && printf "node2\\nnode10\\n"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    environment = {
        "SLURM_STEP_NUM_TASKS": "3",
        "SLURM_STEP_NODELIST": "node[2,10]",
        "SLURM_STEP_TASKS_PER_NODE": "2,1",
        "SLURM_PROCID": "2",
        "SLURM_JOB_ID": "7",
    }
    found = config_from_slurm(environment)
    assert found == tf_config(["node2:15707", "node2:15708", "node10:15707"], 2)
    assert config_from_slurm(environment | {"SLURM_STEP_NUM_TASKS": "1"}) is None
    assert config_from_slurm({}) is None
    with pytest.raises(InputError, match="use srun --distribution=block"):
        config_from_slurm(environment | {"SLURM_DISTRIBUTION": "cyclic"})


def test_free_addresses_differ():
    assert len(set(free_addresses("127.0.0.1", 20))) == 20
