"""What ``failures.csv`` holds: commands that a shell runs, and failures while a build still runs."""

import csv
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from processes import ROOT, wait_for

from data_pipeline.failures import Outcome, read_failures, retry_command, update_failures
from tfrecords.detections import read_detections
from tfrecords.workspace import Workspace, read_csv


def _in_a_shell(command):
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_recorded_command_tries_the_clip_again_with_the_build_s_own_flags(tmp_path, short_video):
    workspace = Workspace(tmp_path / "it's a workspace; $(touch outside)")
    workspace.sources.mkdir(parents=True)
    shutil.copy(short_video, workspace.sources / "short.mp4")
    with open(workspace.manifest, "w", newline="") as stream:
        rows = [("clip", "source"), ("good", "sources/short.mp4"), ("late", "sources/late video.mp4")]
        csv.writer(stream).writerows(rows)
    flags = ["--to=detect", "--detector=haar", "--min_score=0.25", "--crop_margin=0.1", "--workers=1", "--subtitles="]
    flags += ["--slurm_extra=--exclusive,--comment=a b", "--worker_memory=3GiB"]
    first = [sys.executable, "-m", "data_pipeline.build", f"--workspace={workspace.root}", *flags]
    assert subprocess.run(first, cwd=ROOT, capture_output=True).returncode == 1
    (failure,) = read_csv(workspace.failures)
    assert failure["clip"] == "late" and "sources/late video.mp4: the video file is missing" in failure["reason"]
    assert set(flags) <= set(shlex.split(failure["command"]))
    good = workspace.detections("good").stat().st_mtime_ns
    shutil.copy(short_video, workspace.sources / "late video.mp4")
    done = _in_a_shell(failure["command"])
    assert done.returncode == 0, done.stderr
    _, facts = read_detections(workspace.detections("late"))
    assert (facts["detector"], facts["min_score"], facts["crop_margin"]) == ("haar", 0.25, 0.1)
    assert workspace.detections("good").stat().st_mtime_ns == good and not workspace.failures.exists()
    assert not (ROOT / "outside").exists()


def test_failure_of_an_earlier_build_keeps_that_build_s_command(tmp_path):
    workspace = Workspace(tmp_path)
    update_failures(workspace, [Outcome("a", {}, "probe", "why")], ["probe"], {"a", "b"}, ["--detector=haar"])
    known = read_failures(workspace)["a"]
    assert known.command == retry_command(workspace, "a", ["--detector=haar"])
    # A later stage leaves the clip alone and enters what it found of it again.
    update_failures(workspace, [known, Outcome("b", {}, "convert", "x")], ["convert"], {"a", "b"}, ["--from=convert"])
    assert read_failures(workspace)["a"] == known
    assert read_failures(workspace)["b"].command.endswith("--clips=b --from=convert")


def test_failures_are_on_disk_while_the_build_still_runs(short_clips, start_build):
    workspace = short_clips(["gone", "waits"])
    with open(workspace.manifest, "w", newline="") as stream:
        csv.writer(stream).writerows([("clip", "source"), ("gone", "sources/gone.mp4"), ("waits", "sources/short.mp4")])
    build = start_build(workspace, "--to=probe", "--workers=1", faults=True)
    wait_for(workspace.failures.exists)
    assert build.poll() is None
    os.killpg(build.pid, signal.SIGKILL)
    build.wait()
    assert [row["clip"] for row in read_csv(workspace.failures)] == ["gone"]
