"""Workspaces of very short clips, and builds of them in processes of their own."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from processes import ROOT

from tfrecords.workspace import Workspace


@pytest.fixture(scope="session")
def short_video(tmp_path_factory: pytest.TempPathFactory, make_video: Callable[..., Path]) -> Path:
    """A quarter of a second of ffmpeg's test picture, 64×48."""
    return make_video(tmp_path_factory.mktemp("short") / "short.mp4", 0.25)


@pytest.fixture
def short_clips(tmp_path: Path, short_video: Path) -> Callable[[Sequence[str]], Workspace]:
    """``short_clips(names)`` makes a workspace whose clips of these names all show `short_video`."""

    def make(names: Sequence[str]) -> Workspace:
        workspace = Workspace(tmp_path / "workspace")
        workspace.sources.mkdir(parents=True)
        shutil.copy(short_video, workspace.sources / "short.mp4")
        with open(workspace.manifest, "w", newline="") as stream:
            csv.writer(stream).writerows([("clip", "source"), *((name, "sources/short.mp4") for name in names)])
        return workspace

    return make


@pytest.fixture
def start_build() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``start_build(workspace, *flags, faults=False)`` starts a build in a process group of its own.

    With `faults` its workers load ``staged_faults.py``. What is left of the group is killed after the test.
    """
    started = []

    def start(workspace: Workspace, *flags: str, faults: bool = False) -> subprocess.Popen[str]:
        environment = dict(os.environ)
        if faults:
            preloaded = [str(Path(__file__).parent / "staged_faults.py")]
            environment["DASK_DISTRIBUTED__WORKER__PRELOAD"] = repr(preloaded)
        command = [sys.executable, "-m", "data_pipeline.build", f"--workspace={workspace.root}", *flags]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
