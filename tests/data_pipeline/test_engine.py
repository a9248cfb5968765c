"""Builds whose workers die, are killed, stopped or lost: what they cost."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import distributed
import psutil
import pytest
from processes import ROOT, tree, wait_for

from data_pipeline.cluster import ClusterOptions, open_client
from data_pipeline.engine import process_clips
from data_pipeline.manifest import read_manifest
from data_pipeline.stages import STAGES
from tfrecords.workspace import Workspace, read_csv, read_json

NAMES = [f"clip{number}" for number in range(6)]


def _attempts(workspace, clip):
    """The processes that have tried a clip."""
    return [int(path.name.split(".")[1]) for path in (workspace.root / "attempts").glob(f"{clip}.*")]


def _probed(workspace):
    return sorted(path.stem for path in (workspace.root / "clips").glob("[!.]*.json"))


def test_crash_or_too_much_memory_is_tried_again_once_and_costs_its_clip_only(short_clips, start_build):
    workspace = short_clips([*NAMES[:3], "dies", *NAMES[3:], "hungry"])
    build = start_build(workspace, "--to=probe", "--worker_memory=500MB", faults=True)
    _, told = build.communicate(timeout=120)
    assert build.returncode == 1, told
    assert _probed(workspace) == NAMES
    failures = {row["clip"]: row for row in read_csv(workspace.failures)}
    assert sorted(failures) == ["dies", "hungry"]
    for clip, failure in failures.items():
        assert failure["stage"] == "probe"
        assert "short.mp4: the worker process died of it twice" in failure["reason"] and failure["reason"] in told
        wanted = f"--workspace={workspace.root} --clips={clip} --to=probe --worker_memory=500MB"
        assert failure["command"].endswith(wanted)
        assert len(_attempts(workspace, clip)) == len(set(_attempts(workspace, clip))) == 2
    assert "Traceback" not in told


@pytest.mark.slow
def test_clip_whose_worker_is_killed_is_done_by_another(short_clips, start_build):
    workspace = short_clips([*NAMES[:3], "waits", *NAMES[3:]])
    build = start_build(workspace, "--to=probe", faults=True)
    (worker,) = wait_for(lambda: _attempts(workspace, "waits"))
    os.kill(worker, signal.SIGKILL)
    _, told = build.communicate(timeout=120)
    assert build.returncode == 0, told
    assert _probed(workspace) == [*NAMES, "waits"] and not workspace.failures.exists()
    assert len(_attempts(workspace, "waits")) == 2


@pytest.mark.parametrize("signal_number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_stopped_build_leaves_no_process_and_goes_on_later(short_clips, start_build, signal_number):
    workspace = short_clips([*NAMES, "waits"])
    build = start_build(workspace, "--to=probe", "--workers=1", faults=True)
    wait_for(lambda: _attempts(workspace, "waits"))
    processes = tree(build.pid)
    assert len(processes) > 1
    # Ctrl-C reaches every process of the terminal, a SIGTERM only the one.
    (os.killpg if signal_number == signal.SIGINT else os.kill)(build.pid, signal_number)
    _, told = build.communicate(timeout=30)
    assert build.returncode == 130 and "run the same command again" in told and "Traceback" not in told
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive
    before = {path: path.stat().st_mtime_ns for path in (workspace.root / "clips").iterdir()}
    build = start_build(workspace, "--to=probe", "--workers=1", faults=True)
    assert build.wait(timeout=60) == 0
    assert _probed(workspace) == [*NAMES, "waits"]
    assert all(path.stat().st_mtime_ns == changed for path, changed in before.items())
    # Where nothing is stale nothing is started: a cluster that cannot be reached is not missed.
    again = start_build(workspace, "--to=probe", "--scheduler=tcp://127.0.0.1:1")
    assert again.wait(timeout=60) == 0


def test_worker_up_to_labels_has_no_tensorflow_and_all_listen_on_loopback_only(tmp_path, demo_workspace):
    workspace = Workspace(tmp_path)
    for name in ("sources", "annotations"):
        shutil.copytree(demo_workspace.root / name, tmp_path / name)
    shutil.copy(demo_workspace.manifest, workspace.manifest)
    rows = read_manifest(workspace)[-1:]
    stages = {name: stage.options() for name, stage in STAGES.items() if name != "convert"}
    already = {connection.laddr.port for connection in psutil.Process().net_connections("tcp")}
    with open_client(workspace, ClusterOptions(workers=1)) as client:
        processed = process_clips(lambda: client, workspace, rows, stages)
        (loaded,) = client.run(_modules).values()
        listening = [
            connection.laddr
            for process in tree(os.getpid())
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port not in already
        ]
    assert set(processed.outcomes[0].seconds) == set(stages) and not processed.outcomes[0].reason
    assert "cv2" in loaded and not {"tensorflow", "tf_keras", "keras"} & set(loaded)
    assert len(listening) >= 3 and {address.ip for address in listening} == {"127.0.0.1"}


def _modules():
    return list(sys.modules)


@pytest.fixture
def dask_process(tmp_path):
    """``dask_process(command, *flags, folder=ROOT, faults=False)`` starts a part of a Dask cluster."""
    started = []

    def start(command, *flags, folder=ROOT, faults=False):
        environment = os.environ | {"PYTHONPATH": str(folder)}
        if faults:
            environment["DASK_DISTRIBUTED__WORKER__PRELOAD"] = repr([str(Path(__file__).parent / "staged_faults.py")])
        line = [sys.executable, "-m", "distributed.cli." + command, *flags]
        with open(tmp_path / f"{command}{len(started)}.log", "w") as log:
            started.append(subprocess.Popen(line, cwd=folder, env=environment, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        for each in tree(process.pid) if process.poll() is None else ():
            each.kill()
        process.wait()


def _start_scheduler(dask_process, told, folder=ROOT):
    flags = ["--host=127.0.0.1", "--port=0", "--no-dashboard", f"--scheduler-file={told}/s.json"]
    dask_process("dask_scheduler", *flags, folder=folder)
    wait_for((told / "s.json").exists)
    return read_json(told / "s.json")["address"]


@pytest.fixture
def other_code(tmp_path):
    """A folder with our packages, a line of which differs."""
    folder = tmp_path / "other"
    for package in ("data_pipeline", "tfrecords"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    with open(folder / "data_pipeline" / "engine.py", "a") as stream:
        stream.write("\nCHANGED = True\n")
    return folder


def test_running_cluster_of_separate_processes_finishes_though_one_worker_is_lost(
    short_clips, start_build, dask_process, tmp_path
):
    names = [f"slow-{number}" for number in range(8)]
    workspace = short_clips(["waits", *names])
    address = _start_scheduler(dask_process, tmp_path)
    workers = [dask_process("dask_worker", address, "--nthreads=1", "--host=127.0.0.1", faults=True) for _ in range(2)]
    build = start_build(workspace, "--to=probe", f"--scheduler={address}")
    (busy,) = wait_for(lambda: _attempts(workspace, "waits"))
    (lost,) = [worker for worker in workers if busy in {process.pid for process in tree(worker.pid)}]
    # With its nanny, as if its machine had gone.
    for process in tree(lost.pid):
        process.kill()
    _, told = build.communicate(timeout=120)
    assert build.returncode == 0, told
    assert _probed(workspace) == sorted(["waits", *names])
    (left,) = [worker for worker in workers if worker is not lost]
    assert left.poll() is None


@pytest.mark.slow
def test_crash_on_a_running_cluster_is_tried_again_once_and_costs_its_clip_only(
    short_clips, start_build, dask_process, tmp_path
):
    workspace = short_clips([*NAMES[:2], "dies", *NAMES[2:]])
    address = _start_scheduler(dask_process, tmp_path)
    dask_process("dask_worker", address, "--nthreads=1", "--nworkers=2", "--host=127.0.0.1", faults=True)
    build = start_build(workspace, "--to=probe", f"--scheduler={address}")
    _, told = build.communicate(timeout=120)
    assert build.returncode == 1 and "Traceback" not in told, told
    assert _probed(workspace) == NAMES
    (failure,) = read_csv(workspace.failures)
    assert failure["clip"] == "dies" and "the worker process died of it twice" in failure["reason"]
    assert len(_attempts(workspace, "dies")) == len(set(_attempts(workspace, "dies"))) == 2
    # It is other people's scheduler: its own setting is as it was.
    with distributed.Client(address, set_as_default=False) as client:
        assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.allowed_failures) == 3


@pytest.mark.slow
def test_worker_with_other_code_that_joins_late_stops_the_build_with_a_sentence(
    short_clips, start_build, dask_process, other_code, tmp_path
):
    workspace = short_clips(["waits", *(f"slow-{number}" for number in range(20))])
    address = _start_scheduler(dask_process, tmp_path)
    dask_process("dask_worker", address, "--nthreads=1", "--host=127.0.0.1", faults=True)
    build = start_build(workspace, "--to=probe", f"--scheduler={address}")
    wait_for(lambda: _attempts(workspace, "waits"))
    dask_process("dask_worker", address, "--nthreads=1", "--host=127.0.0.1", folder=other_code)
    _, told = build.communicate(timeout=60)
    assert build.returncode == 1 and "runs other code of data_pipeline; start the workers again" in told, told
    assert "error: worker process" in told and "Traceback" not in told and _probed(workspace) == []


@pytest.mark.slow
def test_cluster_that_does_not_answer_is_named(short_clips, start_build):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        begun = time.monotonic()
        build = start_build(short_clips(NAMES), "--to=probe", f"--scheduler={address}")
        _, told = build.communicate(timeout=60)
    assert build.returncode == 1 and f"error: {address}: no Dask scheduler answers there" in told
    assert "Traceback" not in told and time.monotonic() - begun < 40


@pytest.mark.slow
def test_scheduler_with_other_code_is_refused(short_clips, start_build, dask_process, other_code, tmp_path):
    address = _start_scheduler(dask_process, tmp_path, folder=other_code)
    dask_process("dask_worker", address, "--nthreads=1", "--host=127.0.0.1")
    build = start_build(short_clips(NAMES), "--to=probe", f"--scheduler={address}")
    _, told = build.communicate(timeout=60)
    assert build.returncode == 1 and f"error: {address}: the scheduler runs other code of" in told, told
    assert "Traceback" not in told


@pytest.mark.slow
def test_worker_with_other_code_is_refused(short_clips, start_build, dask_process, other_code, tmp_path):
    address = _start_scheduler(dask_process, tmp_path)
    dask_process("dask_worker", address, "--nthreads=1", "--host=127.0.0.1", folder=other_code)
    build = start_build(short_clips(NAMES), "--to=probe", f"--scheduler={address}")
    _, told = build.communicate(timeout=60)
    assert build.returncode == 1 and "runs other code of data_pipeline; start the workers again" in told, told
