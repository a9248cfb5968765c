"""How much quicker two workers of a real build are than one, its start-up apart."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import time
from pathlib import Path

import ffmpeg

from data_pipeline.decode import ffmpeg_binary
from tfrecords.workspace import Workspace

ROOT = Path(__file__).parents[1]


def engine_speedup(folder: Path, clip: Path, clips: int) -> dict[str, float]:
    """Seconds of ``data_pipeline.build --from=detect --to=detect`` on copies of `clip`, with one worker and with two.

    The same command on clips of a tenth of a second gives the start-up (Python, Dask, its workers, the detector), which
    is taken off: `two_workers` is the ratio of what is left, `two_workers_with_start_up` of the whole.
    """
    short = folder / "short.mp4"
    cut = ffmpeg.output(ffmpeg.input(str(clip)), str(short), t=0.1, vcodec="copy")
    ffmpeg.run(cut.overwrite_output().global_args("-v", "error", "-nostdin"), cmd=ffmpeg_binary())
    seconds: dict[str, float] = {}
    for workers in (1, 2):
        seconds[f"start_up_{workers}"] = _build_seconds(folder, short, workers, workers)
        seconds[f"build_{workers}"] = _build_seconds(folder, clip, clips, workers)
    one, two = (seconds[f"build_{workers}"] - seconds[f"start_up_{workers}"] for workers in (1, 2))
    whole = seconds["build_1"] / seconds["build_2"]
    return {"clips": clips, **seconds, "two_workers": one / two, "two_workers_with_start_up": whole}


def _build_seconds(folder: Path, clip: Path, clips: int, workers: int) -> float:
    """Seconds of one build of so many copies, which are clips already: none is transcoded."""
    workspace = Workspace(folder / "build")
    shutil.rmtree(workspace.root, ignore_errors=True)
    names = [f"copy-{number}" for number in range(clips)]
    for name in names:
        workspace.clip(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clip, workspace.clip(name))
    with open(workspace.manifest, "w", newline="") as stream:
        csv.writer(stream).writerows([("clip", "source"), *((name, clip.resolve()) for name in names)])
    command = [sys.executable, "-m", "data_pipeline.build", f"--workspace={workspace.root.resolve()}"]
    command += ["--from=detect", "--to=detect", f"--workers={workers}"]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    spent = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return spent
