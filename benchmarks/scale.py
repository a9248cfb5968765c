"""What a large database costs: ``python -m benchmarks.scale --clips=100000`` and ``… --workspace=W``.

``--clips`` builds so many empty clips through the real engine: a Dask scheduler and its workers as processes of their
own, a manifest, a task a clip whose stage does nothing, provenance and its fsync; then a second build, which finds
nothing to do. ``--workspace`` reads the ``build.json`` of a workspace that was built from nothing and says what a
clip-hour takes on one core and on disk. Both print their table of ``docs/scale.md`` in Markdown. The last line is one
JSON object.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from data_pipeline.cluster import ClusterOptions
from data_pipeline.manifest import read_manifest
from data_pipeline.pipeline import BuildOptions, build
from data_pipeline.probe import probe
from data_pipeline.stages import STAGES
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_json

# The rows of the table: stages, and the folders that they fill.
ROWS = (
    (("download",), ("sources",)),
    (("probe", "transcode"), ("clips",)),
    (("detect",), ("detections", "crops")),
    (("filter", "match"), ("faces", "labels")),
    (("convert",), ("records",)),
    ((), ("provenance",)),
)


@dataclasses.dataclass(frozen=True)
class ScaleBenchmark:
    """What is measured."""

    clips: int = option(0, "empty clips to build", at_least=0)
    workers: int = option(2, "worker processes for them", at_least=1)
    workspace: str = option("", "a workspace, built whole, whose cost a clip-hour is told")
    videos: int = option(100_000, "videos to reckon for", at_least=1)
    minutes: float = option(6.0, "their mean length, minutes (Aff-Wild's: 30 hours in 298 videos)", at_least=0)


def dask_setup(worker: object) -> None:
    """Called by the workers that load this file with ``--preload``: their first stage does nothing."""
    STAGES["probe"] = dataclasses.replace(STAGES["probe"], run=lambda workspace, row, options: None)


def empty_clips(clips: int, workers: int) -> dict[str, Any]:
    """Figures of a build of `clips` empty clips, of its scheduler and of a second build."""
    with tempfile.TemporaryDirectory(prefix="affwildnet-scale-") as folder:
        workspace = Workspace(Path(folder) / "workspace")
        workspace.sources.mkdir(parents=True)
        (workspace.sources / "empty.mp4").touch()
        with open(workspace.manifest, "w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("clip", "source"))
            writer.writerows((f"{number}-30-0x0", "sources/empty.mp4") for number in range(clips))
        with _cluster(Path(folder), workers) as (address, scheduler, worker_processes):
            chosen, cluster = BuildOptions(str(workspace.root)), ClusterOptions(scheduler=address)
            before, ours = _cpu_seconds(scheduler), _cpu_seconds(psutil.Process())
            first = _seconds_of(workspace, chosen, cluster)
            figures = {
                "clips": clips,
                "workers": workers,
                "seconds": first,
                "tasks_a_second": clips / first,
                "scheduler_cpu_seconds": _cpu_seconds(scheduler) - before,
                "scheduler_peak_mib": _peak_mib(scheduler),
                "build_cpu_seconds": _cpu_seconds(psutil.Process()) - ours,
                "build_peak_mib": _peak_mib(psutil.Process()),
                "workers_cpu_seconds": sum(_cpu_seconds(process) for process in worker_processes),
            }
            figures["second_build_seconds"] = _seconds_of(workspace, chosen, cluster)
    return figures


def _seconds_of(workspace: Workspace, chosen: BuildOptions, cluster: ClusterOptions) -> float:
    begun = time.monotonic()
    failed = build(workspace, chosen, ["probe"], cluster=cluster).failed
    if failed:
        raise InputError(workspace.root, f"{len(failed)} clips failed: {failed[0].reason}", "mend that first")
    return time.monotonic() - begun


@contextlib.contextmanager
def _cluster(folder: Path, workers: int) -> Iterator[tuple[str, psutil.Process, list[psutil.Process]]]:
    """The address and process of a scheduler on loopback, and its workers' processes, one thread each."""
    told = folder / "scheduler.json"
    with contextlib.ExitStack() as stack:

        def start(command: str, *flags: str) -> psutil.Process:
            line = [sys.executable, "-m", f"distributed.cli.{command}", "--host=127.0.0.1", *flags]
            process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return psutil.Process(process.pid)

        scheduler = start("dask_scheduler", "--port=0", "--no-dashboard", f"--scheduler-file={told}")
        while not told.exists():
            time.sleep(0.1)
        flags = ["--nthreads=1", "--no-nanny", "--no-dashboard", f"--preload={Path(__file__).resolve()}"]
        started = [start("dask_worker", read_json(told)["address"], *flags) for _ in range(workers)]
        yield read_json(told)["address"], scheduler, started


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _peak_mib(process: psutil.Process) -> float:
    """The most memory that a process has held so far (Linux tells), MiB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def clip_hour(workspace: Workspace, videos: int, minutes: float) -> dict[str, Any]:
    """Core-seconds by stage and bytes by folder of a clip-hour, and what `videos` of `minutes` take.

    A clip-hour is an hour of clips as they were cut, whatever their sources hold beside.
    """
    clips = [row.clip for row in read_manifest(workspace) if workspace.clip(row.clip).exists()]
    hours = sum(probe(workspace.clip(clip)).seconds for clip in clips) / 3600
    built = read_json(workspace.root / "build.json") if hours else {"seconds": {}}
    if not built["seconds"].get("probe"):
        what = "its last build did not do everything"
        raise InputError(workspace.root, what, "build a fresh copy of it from nothing")
    # A stage of each clip is one task on one thread, so its seconds are core-seconds, where cores were not shared. The
    # partition is one task for all clips and does not grow with their length.
    seconds = {name: built["seconds"].get(name, 0.0) / hours for stages, _ in ROWS for name in stages}
    disk = {name: _bytes(workspace.root / name) / hours for _, folders in ROWS for name in folders}
    wanted = videos * minutes / 60
    return {
        "clip_hours": hours,
        "core_seconds_a_clip_hour": seconds | {"all": sum(seconds.values())},
        "mib_a_clip_hour": {name: size / 2**20 for name, size in disk.items()} | {"all": sum(disk.values()) / 2**20},
        "videos": videos,
        "minutes": minutes,
        "core_hours": wanted * sum(seconds.values()) / 3600,
        "tib": wanted * sum(disk.values()) / 2**40,
    }


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def clip_hour_rows(figures: dict[str, Any]) -> list[str]:
    """The table of ``docs/scale.md`` on a clip-hour, in Markdown."""
    seconds, mib = figures["core_seconds_a_clip_hour"], figures["mib_a_clip_hour"]
    rows = ["| stage | core-seconds a clip-hour | folder | MiB a clip-hour |", "| --- | --- | --- | --- |"]
    for stages, folders in ROWS:
        spent = f"{sum(seconds[name] for name in stages):,.1f}" if stages else ""
        places, size = ", ".join(f"`{name}/`" for name in folders), sum(mib[name] for name in folders)
        rows.append(f"| {', '.join(stages)} | {spent} | {places} | {size:,.1f} |")
    rows.append(f"| all | {seconds['all']:,.1f} | | {mib['all']:,.1f} |")
    wanted = f"{figures['videos']:,} videos of {figures['minutes']:g} minutes"
    return rows + [f"| {wanted} | {figures['core_hours']:,.0f} core-hours | | {figures['tib']:,.1f} TiB |"]


def empty_clip_rows(figures: dict[str, Any]) -> list[str]:
    """The table of ``docs/scale.md`` on a build of empty clips, in Markdown."""
    clips = figures["clips"]

    def process(name: str) -> str:
        spent = figures[f"{name}_cpu_seconds"]
        return f"{spent:,.1f} s of CPU ({1000 * spent / clips:.1f} ms a task)"

    machine = f"{figures['workers']} workers, {os.cpu_count()} cores, load {figures['load']:.1f} before"
    title = f"{clips:,} empty clips, {machine}"
    return [
        f"| {title} | |",
        "| --- | --- |",
        f"| first build | {figures['seconds']:,.0f} s, {figures['tasks_a_second']:,.0f} tasks a second |",
        f"| scheduler | {process('scheduler')}, {figures['scheduler_peak_mib']:,.0f} MiB at most |",
        f"| build process | {process('build')}, {figures['build_peak_mib']:,.0f} MiB at most |",
        f"| workers, together | {process('workers')} |",
        f"| second build, nothing to do | {figures['second_build_seconds']:,.0f} s |",
    ]


def main(argv: list[str]) -> None:
    chosen = options.from_flags(ScaleBenchmark)
    if not chosen.clips and not chosen.workspace:
        raise InputError("--clips or --workspace", "neither is given", "say what to measure, see --help")
    figures: dict[str, Any] = {}
    if chosen.workspace:
        figures |= clip_hour(Workspace(Path(chosen.workspace)), chosen.videos, chosen.minutes)
        print("\n".join(clip_hour_rows(figures)), flush=True)
    if chosen.clips:
        figures |= {"load": os.getloadavg()[0]} | empty_clips(chosen.clips, chosen.workers)
        print("\n".join(empty_clip_rows(figures)))
    print(json.dumps(figures))


if __name__ == "__main__":
    options.run_main(main, ScaleBenchmark)
