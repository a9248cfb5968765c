"""A plan of two tiny runs, of which the second starts from the first, killed in the middle and run again."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from experiments.places import Places
from tfrecords.workspace import read_json

if TYPE_CHECKING:
    from tfrecords.workspace import Workspace

ROOT = Path(__file__).parents[2]
TINY = "weights=none,layers=1,units=8,attention_length=5,sequence_length=10,learning_rate=1e-3"


def run_command(workspace: Path, output: Path, *flags: str) -> list[str]:
    """``experiments.run`` with all as small as can be; of a flag that is given twice the last counts."""
    words = [sys.executable, "-m", "experiments.run", f"--workspace={workspace}", f"--output={output}"]
    return [*words, f"--set={TINY}", "--steps=2", "--checkpoints=2", "--poll_seconds=0.2", *flags]


@dataclasses.dataclass(frozen=True)
class KilledAndResumed:
    """The folder after the second start, the model folders, and what was known when the first was killed."""

    places: Places
    workspace: Workspace
    first: Path
    second: Path
    first_state_at_kill: tuple[str, int]
    second_finished_at_kill: bool


@pytest.fixture(scope="session")
def killed_and_resumed(tmp_path_factory: pytest.TempPathFactory, demo_workspace: Workspace) -> KilledAndResumed:
    """Cases 2 and 3 of the small CNN, killed when case 2 is finished and case 3 at work, and run again."""
    places = Places(tmp_path_factory.mktemp("experiment"))
    command = run_command(demo_workspace.root, places.root, "--table=6.4", "--variants=small_cnn_case3,small_cnn_case2")
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 500
    while not (second := next((places.root / "runs").glob("*case3*/model.json"), None)):
        assert process.poll() is None and time.monotonic() < end, process.communicate()[0]
        time.sleep(0.05)
    second = second.parent
    first = next((places.root / "runs").glob("*case2*"))
    state = places.state(first.name)
    known = (read_json(state)["state"], state.stat().st_mtime_ns)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    finished = read_json(places.state(second.name))["state"] == "finished"
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert again.returncode == 0, again.stdout + again.stderr
    return KilledAndResumed(places, demo_workspace, first, second, known, finished)
