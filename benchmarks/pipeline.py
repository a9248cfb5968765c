"""Frames a second from a 720p MP4 to face crops, on one core: ``python -m benchmarks.pipeline``.

`fast` looking at every frame and with its adaptive stride, OpenCV's Haar cascade and MTCNN, both untuned on whole
frames, take turns on one core with one thread each. Transcoding and loading do not count, and the quickest round does;
CPU seconds stand beside, which other work on the machine disturbs less. Then two workers against one, in real builds
and as bare processes, and recall against MTCNN on every frame of the real clips. The last line is one JSON object,
whose `met` says of each target whether it was met (null: not measured); one that was missed makes the exit code 1. The
folder keeps MTCNN's boxes, and sheets of the faces found to look at.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import json
import math
import multiprocessing
import os
import shutil
import time
from pathlib import Path
from typing import Any

# Before anything loads TensorFlow, which MTCNN does.
os.environ.update(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3")

import cv2
import ffmpeg

from benchmarks.engine_speedup import engine_speedup
from benchmarks.face_recall import ONE_FACE, compare_on_media
from data_pipeline.decode import ffmpeg_binary
from data_pipeline.demo_faces import DemoFacesOptions, write_demo_database
from data_pipeline.detect import DetectOptions, detect_faces, load_chosen_detector
from data_pipeline.detectors import Detect
from tfrecords import options
from tfrecords.options import option
from tfrecords.workspace import Workspace

# What the project holds itself to: from … to. `times_mtcnn` is of the default, the adaptive stride; of recalls and of
# faces where nobody is the worse stride counts; linearity is a frame's cost in the whole clip by that in its half.
TARGETS = {
    "every_frame": (120.0, math.inf),
    "adaptive": (200.0, math.inf),
    "times_mtcnn": (40.0, math.inf),
    "one_face_recall": (0.98, 1.0),
    "stage_recall": (0.9, 1.0),
    "boxes_without_face": (0.0, 0.0),
    "two_workers": (1.7, math.inf),
    "every_frame_linearity": (0.8, 1.25),
    "adaptive_linearity": (0.8, 1.25),
}
DETECTORS = {
    "every_frame": DetectOptions(stride="1"),
    "adaptive": DetectOptions(stride="adaptive"),
    "haar": DetectOptions(detector="haar"),
    "mtcnn": DetectOptions(detector="mtcnn"),
}
# Untuned detectors take a fraction of the clip, or the benchmark would take an hour.
SHARES = {"every_frame": 1.0, "adaptive": 1.0, "haar": 0.1, "mtcnn": 0.05}


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What is measured."""

    folder: str = option("build/benchmark", "working folder: clips, MTCNN's boxes, sheets")
    media: str = option("../shared/media", "folder of real clips; where absent, a clip is drawn and recall is left out")
    seconds: float = option(20.0, "length of the 720p clip", at_least=4)
    bit_rate: str = option("1400k", "of the 720p clip")
    rounds: int = option(3, "rounds over the detectors; the quickest counts", at_least=1)
    core: int = option(0, "the one core that everything but the second worker runs on", at_least=0)
    worker_clips: int = option(8, "clips of this length that real builds with one and two workers take", at_least=2)
    recall: bool = option(True, "compare with MTCNN on every frame of the real clips, which takes minutes")


def make_clip(source: Path, clip: Path, chosen: Benchmark) -> None:
    """The source as 720p at 30 FPS, repeated to the length wanted."""
    read = ffmpeg.input(str(source), stream_loop=-1).video.filter("scale", 1280, 720).filter("fps", 30)
    clip.parent.mkdir(parents=True, exist_ok=True)
    write = ffmpeg.output(
        read, str(clip), t=chosen.seconds, vcodec="libx264", pix_fmt="yuv420p", video_bitrate=chosen.bit_rate, g=30
    )
    ffmpeg.run(write.overwrite_output().global_args("-v", "error", "-nostdin"), cmd=ffmpeg_binary())


def cut_clip(clip: Path, shorter: Path, share: float, chosen: Benchmark) -> None:
    """The clip's first part, its coded frames as they are."""
    write = ffmpeg.output(ffmpeg.input(str(clip)), str(shorter), t=share * chosen.seconds, vcodec="copy")
    ffmpeg.run(write.overwrite_output().global_args("-v", "error", "-nostdin"), cmd=ffmpeg_binary())


@functools.cache
def loaded(chosen: DetectOptions) -> Detect:
    """The detector, loaded once a process."""
    return load_chosen_detector(chosen)


def time_detection(folder: str, clip: str, chosen: DetectOptions) -> tuple[float, float, int]:
    """Seconds from a clip's MP4 to its ZIP of crops, CPU seconds of them, and the clip's frames."""
    detect = loaded(chosen)
    start, cpu = time.perf_counter(), time.process_time()
    frames = detect_faces(Workspace(Path(folder)), clip, chosen, detect)
    return time.perf_counter() - start, time.process_time() - cpu, frames


def use_one_core(core: int) -> None:
    """Keeps this process, with all threads that it starts from now on, to one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    cv2.setNumThreads(1)


def measure_rates(workspace: Workspace, clip: Path, chosen: Benchmark) -> dict[str, dict[str, float]]:
    """Detector -> frames a second, by the clock and by CPU seconds, and a frame's cost in the whole by that in half."""
    for name, share in SHARES.items():
        for part in (0.5, 1.0):
            cut_clip(clip, workspace.clip(f"{name}-{part}"), share * part, chosen)
        time_detection(str(workspace.root), f"{name}-0.5", DETECTORS[name])  # loads, and traces what is traced
    best: dict[tuple[str, float], list[tuple[float, float, int]]] = {}
    for _ in range(chosen.rounds):
        for name, how in DETECTORS.items():
            for part in (0.5, 1.0):
                best.setdefault((name, part), []).append(time_detection(str(workspace.root), f"{name}-{part}", how))
    rates = {}
    for name in DETECTORS:
        half, whole = (tuple(map(min, zip(*best[name, part], strict=True))) for part in (0.5, 1.0))
        rates[name] = {
            "frames": whole[2],
            "frames_per_second": whole[2] / whole[0],
            "frames_per_cpu_second": whole[2] / whole[1],
            "linearity": (whole[0] / whole[2]) / (half[0] / half[2]),
            "cpu_linearity": (whole[1] / whole[2]) / (half[1] / half[2]),
        }
        figures = ", ".join(f"{key} {value:.2f}" for key, value in rates[name].items())
        print(f"{name:>12}  {figures}", flush=True)
    return rates


def measure_workers(workspace: Workspace, clip: str, cores: list[int]) -> float | None:
    """How many times as quick two processes are as one at two clips, each process on a core; None with one core."""
    if len(cores) < 2:
        return None
    context = multiprocessing.get_context("spawn")
    pools = [concurrent.futures.ProcessPoolExecutor(1, context, use_one_core, (core,)) for core in cores[:2]]
    how = DETECTORS["adaptive"]
    for number, pool in enumerate(pools):
        shutil.copyfile(workspace.clip(clip), workspace.clip(f"worker-{number}"))
        pool.submit(time_detection, str(workspace.root), f"worker-{number}", how).result()  # imports and loads
    seconds = []
    for used in (pools[:1] * 2, pools):
        start = time.perf_counter()
        tasks = [
            pool.submit(time_detection, str(workspace.root), f"worker-{number}", how)
            for number, pool in enumerate(used)
        ]
        concurrent.futures.wait(tasks)
        seconds.append(time.perf_counter() - start)
    for pool in pools:
        pool.shutdown()
    return seconds[0] / seconds[1]


def run_benchmark(chosen: Benchmark) -> dict[str, Any]:
    """All figures, printed as they are known."""
    folder, media = Path(chosen.folder), Path(chosen.media)
    workspace = Workspace(folder / "workspace")
    workspace.clip("a").parent.mkdir(parents=True, exist_ok=True)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    source = media / ONE_FACE[0]
    if not source.exists():
        write_demo_database(Workspace(folder / "drawn"), DemoFacesOptions(subjects=1, two_person_clips=0, workers=1))
        source = folder / "drawn" / "sources" / "1.mp4"
    clip = folder / "720p.mp4"
    make_clip(source, clip, chosen)
    results: dict[str, Any] = {"source": source.name}
    use_one_core(chosen.core)
    rates = measure_rates(workspace, clip, chosen)
    results |= rates
    for name in ("every_frame", "adaptive"):
        for key in ("frames_per_second", "frames_per_cpu_second"):
            results[f"{name}_times_mtcnn_{key[11:]}"] = rates[name][key] / rates["mtcnn"][key]
    results["two_bare_workers"] = measure_workers(workspace, "adaptive-1.0", cores)
    if len(cores) > 1:
        os.sched_setaffinity(0, cores)
        results["engine"] = engine_speedup(folder, clip, chosen.worker_clips)
        use_one_core(chosen.core)
        print(f"builds: {results['engine']}", flush=True)
    if chosen.recall and media.exists():
        for stride in ("1", "adaptive"):
            results[f"recall_{stride}"] = compare_on_media(media, folder, stride)
            print(f"stride {stride}: {results[f'recall_{stride}']}", flush=True)
    return results


def reached(results: dict[str, Any]) -> dict[str, float | None]:
    """Target -> the figure that it is held to, None where it was not measured."""
    recalls = [results[name] for name in ("recall_1", "recall_adaptive") if name in results]
    found: dict[str, float | None] = {
        "times_mtcnn": results["adaptive_times_mtcnn_second"],
        "two_workers": results.get("engine", {}).get("two_workers"),
        "boxes_without_face": max((recall["boxes_without_face"] for recall in recalls), default=None),
    }
    for name in ("every_frame", "adaptive"):
        found[name], found[f"{name}_linearity"] = results[name]["frames_per_second"], results[name]["linearity"]
    for name in ("one_face_recall", "stage_recall"):
        found[name] = min((recall[name] for recall in recalls), default=None)
    return found


def met_targets(found: dict[str, float | None]) -> dict[str, bool | None]:
    """Target -> whether its figure lies within its bounds, None where there is no figure."""
    met: dict[str, bool | None] = {}
    for name, (low, high) in TARGETS.items():
        value = found[name]
        met[name] = None if value is None else low <= value <= high
    return met


def main(argv: list[str]) -> int:
    chosen = options.from_flags(Benchmark)
    load = os.getloadavg()[0]
    results = run_benchmark(chosen)
    found = reached(results)
    met = met_targets(found)
    for name, value in found.items():
        word = {True: "met", False: "MISSED", None: "not measured"}[met[name]]
        print(f"{name:>22}  {'' if value is None else f'{value:.3f}':>10}  {word}")
    # JSON knows no infinity.
    bounds = {name: [low, None if high == math.inf else high] for name, (low, high) in TARGETS.items()}
    facts = {"benchmark": "pipeline", "cores": os.cpu_count(), "load_before": load, "targets": bounds}
    facts |= {"options": dataclasses.asdict(chosen), "results": results, "reached": found, "met": met}
    print(json.dumps(facts))
    return 1 if False in met.values() else 0


if __name__ == "__main__":
    options.run_main(main, Benchmark)
