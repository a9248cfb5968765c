"""Frames a second, time to the first batch and peak memory of the loader: ``python -m benchmarks.loader``.

Compared from the page cache on two cores, in turn, each in its own process: (a) the original's pipeline word for word
(float32 records, its shuffle buffer of 10 x batch x length sequences, which takes 14 GiB at the paper's settings:
``--original_buffer`` shrinks it), (b) the usual loader of a folder of JPEGs (a file a frame, read and decoded in
parallel, uint8, no resizing), and ours with uint8 and with JPEG records, checksums verified. `decoder` is no loader but
what bounds those of JPEGs: the same pictures decoded from memory, nothing read or parsed. Then ours again with a
quarter of the clips: memory must not follow the database's size. Medians over the rounds. The last line is one JSON
object.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.loader_data import LABELS, SIDE, jpegs_of, labels_of, write_clip, write_jpeg_folder
from benchmarks.original_pipeline import original_batches
from tfrecords import options
from tfrecords.loader import training_dataset
from tfrecords.loader_options import LoaderOptions
from tfrecords.options import option
from tfrecords.schema import decode_pictures

CORES = 2
TARGETS = {
    "raw_times_original": 6.0,
    "jpeg_times_original": 2.5,
    "jpeg_times_folder": 1.5,
    "first_batch_part_of_original": 0.1,
    "peak_mib": 1024.0,
    "peak_times_small_database": 1.05,
}


@dataclasses.dataclass(frozen=True)
class LoaderBenchmark:
    """The size of the comparison; the defaults are the paper's settings."""

    folder: str = option("build/benchmark-loader", "working folder, about 2 GB; kept for the next run")
    clips: int = option(8, "clips", at_least=4)
    frames: int = option(1600, "frames a clip", at_least=80)
    batch: int = option(2, "sequences a batch", at_least=1)
    length: int = option(80, "frames a sequence", at_least=1)
    original_buffer: int = option(0, "sequences in the original's shuffle buffer; 0 for 10 x batch x length")
    seconds: float = option(8.0, "how long each loader is timed after its first batch")
    rounds: int = option(3, "rounds of all of them", at_least=1)
    one: str = option("", "time this one in this process and print JSON; what the rounds call")


def original(chosen: LoaderBenchmark, clips: int) -> tf.data.Dataset:
    paths = [str(_record(chosen, clip, "float32", "original").path) for clip in range(clips)]
    buffer = chosen.original_buffer or 10 * chosen.batch * chosen.length
    return original_batches(paths, chosen.length, chosen.batch, buffer).map(lambda names, images, labels: images)


def folder(chosen: LoaderBenchmark, clips: int) -> tf.data.Dataset:
    """The usual loader: paths of sequences are shuffled, then every file is read and decoded."""
    whole = chosen.frames // chosen.length * chosen.length
    files = [write_jpeg_folder(Path(chosen.folder), clip, chosen.frames)[:whole] for clip in range(clips)]
    paths = np.array([str(path) for own in files for path in own]).reshape(-1, chosen.length)
    rows = [list(labels_of(number).values()) for _ in files for number in range(1, whole + 1)]
    labels = np.array(rows, np.float32).reshape(-1, chosen.length, 2) / 1000

    def load(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.ensure_shape(tf.io.decode_jpeg(tf.io.read_file(path), channels=3), [SIDE, SIDE, 3]), label

    dataset = tf.data.Dataset.from_tensor_slices((paths, labels)).shuffle(len(paths)).repeat().unbatch()
    dataset = dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(chosen.length).batch(chosen.batch)
    return dataset.prefetch(tf.data.AUTOTUNE).map(lambda faces, labels: faces)


def ours(encoding: str) -> Callable[[LoaderBenchmark, int], tf.data.Dataset]:
    def build(chosen: LoaderBenchmark, clips: int) -> tf.data.Dataset:
        files = [_record(chosen, clip, encoding) for clip in range(clips)]
        dataset = training_dataset(files, chosen.length, chosen.batch, 1, LABELS, chosen=LoaderOptions())
        return dataset.map(lambda batch: batch["faces"])

    return build


def decoder(chosen: LoaderBenchmark, clips: int) -> tf.data.Dataset:
    pictures = jpegs_of(_record(chosen, 0, "jpeg")) * clips
    frames = chosen.batch * chosen.length
    batches = tf.reshape(pictures[: len(pictures) // frames * frames], [-1, frames])
    decode = lambda batch: tf.reshape(  # noqa: E731
        decode_pictures(batch, "jpeg", SIDE), [chosen.batch, chosen.length, SIDE, SIDE, 3]
    )
    return tf.data.Dataset.from_tensor_slices(batches).repeat().map(decode, tf.data.AUTOTUNE).prefetch(2)


LOADERS = {"original": original, "folder": folder, "raw": ours("raw"), "jpeg": ours("jpeg"), "decoder": decoder}


def _record(chosen: LoaderBenchmark, clip: int, encoding: str, profile: str = "face") -> Any:
    return write_clip(Path(chosen.folder), clip, chosen.frames, encoding, profile)


def write_data(chosen: LoaderBenchmark) -> None:
    """Writes all that the loaders read, and reads it once into the page cache."""
    for clip in range(chosen.clips):
        records = [_record(chosen, clip, "float32", "original"), _record(chosen, clip, "raw")]
        paths = [record.path for record in [*records, _record(chosen, clip, "jpeg")]]
        for path in [*paths, *write_jpeg_folder(Path(chosen.folder), clip, chosen.frames)]:
            path.read_bytes()


def time_loader(chosen: LoaderBenchmark, name: str, clips: int) -> dict[str, float]:
    """Figures of one loader in this process, which does nothing else."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    build = LOADERS[name]
    begin = time.perf_counter()
    batches = iter(build(chosen, clips))
    next(batches)
    first = time.perf_counter() - begin
    frames, begin, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - begin < chosen.seconds:
        shape = next(batches).shape
        frames += shape[0] * shape[1]
    rate, cpu = frames / (time.perf_counter() - begin), 1e6 * (time.process_time() - cpu) / frames
    return {"frames_per_second": rate, "cpu_us_per_frame": cpu, "first_batch_s": first, "peak_mib": peak_mib()}


def peak_mib() -> float:
    """The most memory that this process has held at once."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says on Linux may be the parent's, kept over the start of this program
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def call(chosen: LoaderBenchmark, name: str, clips: int) -> dict[str, float]:
    """`time_loader` in a process of its own."""
    told = dataclasses.asdict(chosen) | {"one": f"{name}:{clips}"}
    words = [sys.executable, "-m", "benchmarks.loader", *(f"--{key}={value}" for key, value in told.items())]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    if done.returncode:
        raise RuntimeError(f"{name} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def run_benchmark(chosen: LoaderBenchmark) -> dict[str, dict[str, float]]:
    """Medians by loader; prints each measurement."""
    write_data(chosen)
    few = max(1, chosen.clips // 4)
    runs = [(name, chosen.clips) for name in LOADERS] + [("raw", few), ("jpeg", few)]
    found: dict[str, list[dict[str, float]]] = {}
    print(
        f"{'loader':>10}  {'clips':>5}  {'frames/s':>8}  {'CPU us/frame':>12}  {'first batch, s':>14}  {'peak, MiB':>9}"
    )
    for _ in range(chosen.rounds):
        for name, clips in runs:
            one = call(chosen, name, clips)
            found.setdefault(name if clips == chosen.clips else f"{name}_small", []).append(one)
            speed = f"{one['frames_per_second']:8.0f}  {one['cpu_us_per_frame']:12.1f}"
            figures = f"{speed}  {one['first_batch_s']:14.2f}  {one['peak_mib']:9.0f}"
            print(f"{name:>10}  {clips:5}  {figures}", flush=True)
    return {
        name: {key: statistics.median(one[key] for one in several) for key in several[0]}
        for name, several in found.items()
    }


def compare(medians: dict[str, dict[str, float]]) -> dict[str, float]:
    """The figures that have targets."""
    rate = {name: one["frames_per_second"] for name, one in medians.items()}
    mine = [medians[name] for name in ("raw", "jpeg")]
    return {
        "raw_times_original": rate["raw"] / rate["original"],
        "jpeg_times_original": rate["jpeg"] / rate["original"],
        "jpeg_times_folder": rate["jpeg"] / rate["folder"],
        "jpeg_times_decoder": rate["jpeg"] / rate["decoder"],
        "first_batch_part_of_original": max(one["first_batch_s"] for one in mine)
        / medians["original"]["first_batch_s"],
        "peak_mib": max(one["peak_mib"] for one in mine),
        "peak_times_small_database": max(
            medians[name]["peak_mib"] / medians[f"{name}_small"]["peak_mib"] for name in ("raw", "jpeg")
        ),
    }


def main(argv: list[str]) -> int:
    chosen = options.from_flags(LoaderBenchmark)
    if chosen.one:
        name, clips = chosen.one.split(":")
        print(json.dumps(time_loader(chosen, name, int(clips))))
        return 0
    load = os.getloadavg()[0]
    medians = run_benchmark(chosen)
    ratios = compare(medians)
    met = {
        name: ratios[name] <= target if name.startswith(("first", "peak")) else ratios[name] >= target
        for name, target in TARGETS.items()
    }
    for name, value in ratios.items():
        said = f", target {TARGETS[name]:g}: {'met' if met[name] else 'missed'}" if name in TARGETS else ""
        print(f"{name}: {value:.2f}{said}")
    facts = {"benchmark": "loader", "cores": CORES, "load_before": load, "options": dataclasses.asdict(chosen)}
    print(json.dumps(facts | {"results": medians, "ratios": ratios, "targets": TARGETS, "met": met}))
    return 0


if __name__ == "__main__":
    options.run_main(main, LoaderBenchmark)
