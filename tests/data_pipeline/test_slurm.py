"""A build on SLURM itself: one machine's, with a job cancelled in the middle."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from processes import ROOT, wait_for

from tfrecords.workspace import read_csv

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is missing: pip install 'affwildnet[slurm]'")

TOOL = ROOT / "tools" / "one_machine_slurm.sh"
# Debian's daemons lie where only root looks.
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
MISSING = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name, path=PATH) is None]
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]


def _root_works():
    return not AS_ROOT or (
        shutil.which("sudo") and subprocess.run([*AS_ROOT, "true"], capture_output=True).returncode == 0
    )


pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} missing: apt-get install slurm-wlm munge"),
    pytest.mark.skipif(not _root_works(), reason="slurmd has to be root, and there is no sudo without a password"),
]


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A SLURM of this machine; commands find it by the environment."""
    folder = Path(f"{tmp_path}/slurm")
    done = subprocess.run([*AS_ROOT, TOOL, "start", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"SLURM does not start here: {done.stderr.strip()}")
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    yield
    subprocess.run([*AS_ROOT, TOOL, "stop", folder], check=True)


def _jobs():
    """Id -> state of the jobs in the queue."""
    listed = subprocess.run(["squeue", "--noheader", "--format=%i %T"], check=True, capture_output=True, text=True)
    return dict(line.split() for line in listed.stdout.splitlines())


def test_work_of_a_cancelled_job_moves_to_another_a_crash_costs_its_clip_and_no_job_is_left_queued(
    short_clips, start_build, slurm, tmp_path, monkeypatch
):
    names = [f"slow-{number}" for number in range(16)]
    workspace = short_clips([*names, "dies"])
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD", repr([str(Path(__file__).parent / "staged_faults.py")]))
    refused = start_build(workspace, "--to=probe", "--slurm", "--slurm_queue=none", "--slurm_interface=lo")
    _, told = refused.communicate(timeout=60)
    assert refused.returncode == 1 and "SLURM refuses the job" in told and "invalid partition" in told.lower(), told
    # The jobs' output goes to the folder that they are sent from.
    flags = ["--slurm", "--slurm_jobs=2", "--slurm_memory=500MB", "--slurm_walltime=00:10:00", "--slurm_interface=lo"]
    build = start_build(workspace, "--to=probe", *flags, f"--slurm_extra=--output={tmp_path}/%j.out,--job-name=faces")
    attempts = workspace.root / "attempts"
    wait_for(lambda: attempts.is_dir() and len(list(attempts.iterdir())) >= 3)
    first = next(job for job, state in _jobs().items() if state == "RUNNING")
    subprocess.run(["scancel", first], check=True)
    _, told = build.communicate(timeout=120)
    assert build.returncode == 1, told
    assert sorted(path.stem for path in (workspace.root / "clips").glob("[!.]*.json")) == sorted(names)
    (failure,) = read_csv(workspace.failures)
    assert failure["clip"] == "dies" and "the worker process died of it twice" in failure["reason"]
    assert len(list(attempts.glob("dies.*"))) == 2
    wait_for(lambda: not {"RUNNING", "PENDING"} & set(_jobs().values()))
