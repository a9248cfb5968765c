"""The batch scripts of docs/slurm.md on SLURM itself, a one-machine one: for the CPU, with a signal in the middle."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from affwildnet.checkpoints import list_checkpoints
from affwildnet.model_folder import ModelFolder
from tfrecords.workspace import read_csv, read_json

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "one_machine_slurm.sh"
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
MISSING = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name, path=PATH) is None]
SMALL = "--gpu=-1 --cell=none --sequence_length=10 --batch=4 --checkpoint_steps=20 --image_steps=0"

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} missing: apt-get install slurm-wlm munge"),
    pytest.mark.skipif(os.geteuid() != 0, reason="slurmd has to be root"),
]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    done = subprocess.run([TOOL, "start", tmp_path / "slurm"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"SLURM does not start here: {done.stderr.strip()}")
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm" / "slurm.conf"))
    yield
    subprocess.run([TOOL, "stop", tmp_path / "slurm"], check=True)


def _script(name: str, folder: Path) -> Path:
    """The script of that name from the page, for two cores without GPU and this environment."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "slurm.md").read_text(), re.DOTALL)
    text = next(block for block in blocks if f"# {name}\n" in block)
    text = re.sub(r"#SBATCH --gres=.*\n", "", text)
    text = re.sub(r" --mem=\S+", "", text)
    text = re.sub(r"--cpus-per-task=\d+", "--cpus-per-task=1", text)
    text = re.sub(r"--nodes=4 --ntasks-per-node=1", "--nodes=1 --ntasks=2", text)
    text = re.sub(r"--output=\S+", f"--output={folder}/job.log", text)
    text = text.replace("--gpu=1", "").replace("--gpu=0", "")
    text = text.replace("source .venv/bin/activate", f"export PATH={Path(sys.executable).parent}:$PATH")
    path = folder / name
    path.write_text(text)
    return path


def _submit(script: Path, **environment: str) -> str:
    sent = subprocess.run(
        ["sbatch", "--parsable", script],
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return sent.stdout.strip()


def _state(job: str) -> str:
    shown = subprocess.run(["scontrol", "show", "job", job], check=True, capture_output=True, text=True).stdout
    return re.search(r"JobState=(\w+)", shown)[1]


def _wait_for(condition: Callable[[], object], log: Path, seconds: float = 270) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, log.read_text() if log.exists() else "nothing printed"
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "signal_to"), [("train.sbatch", ["--batch"]), ("nodes.sbatch", [])], ids=["one_node", "several_nodes"]
)
def test_training_saves_at_the_signal_is_requeued_and_finishes(name, signal_to, slurm, tmp_path, demo_workspace):
    folder, log = ModelFolder(tmp_path / "model"), tmp_path / "job.log"
    steps = 1500
    job = _submit(
        _script(name, tmp_path),
        W=str(demo_workspace.root),
        M=str(folder.root),
        TRAIN_FLAGS=f"{SMALL} --steps={steps}",
        EVALUATE_FLAGS="--gpu=-1 --poll_seconds=1 --grace_seconds=30",
    )
    _wait_for(lambda: len(list_checkpoints(folder)) >= 2, log)
    subprocess.run(["scancel", "--signal=USR1", *signal_to, job], check=True)
    _wait_for(lambda: read_json(folder.training)["state"] == "interrupted", log)
    done = read_json(folder.training)["step"]
    assert max(list_checkpoints(folder)) == done < steps
    _wait_for(lambda: _state(job) == "PENDING", log)
    # SLURM lets a job that was put back wait for two minutes.
    subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=True)
    _wait_for(lambda: _state(job) in ("COMPLETED", "FAILED"), log)
    assert _state(job) == "COMPLETED", log.read_text()
    assert f"resumed from {folder.checkpoints / f'ckpt-{done}'}" in log.read_text()
    assert read_json(folder.training) == {"state": "finished", "step": steps}
    if name == "train.sbatch":
        assert int(read_csv(folder.evaluations())[-1]["step"]) == steps
        assert folder.best.exists()
