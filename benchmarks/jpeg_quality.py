"""What a record's JPEG quality costs and gives: ``python -m benchmarks.jpeg_quality``.

The same faces are stored in each quality and decoded in turn with TensorFlow's own choice of the inverse transform and
with the accurate one, which the loader uses. Medians over the rounds. Prints a Markdown table; the last line is one
JSON object, whose ratios compare the default with quality 95 decoded in TensorFlow's own way.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import statistics
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.loader_data import SIDE, draw_faces
from tfrecords import options
from tfrecords.crops import RECORD_JPEG_QUALITY, read_crops
from tfrecords.errors import InputError
from tfrecords.faces import resize_face
from tfrecords.options import option
from tfrecords.schema import encode_face

TRANSFORMS = ("INTEGER_FAST", "INTEGER_ACCURATE")
BEFORE = "95 INTEGER_FAST"


@dataclasses.dataclass(frozen=True)
class JpegQualityBenchmark:
    """The faces, and how often they are decoded."""

    crops: str = option("", "a workspace's crops/CLIP.zip to take faces from; drawn ones by default")
    faces: int = option(160, "faces, evenly from the clip", at_least=1)
    rounds: int = option(20, "rounds over all of them", at_least=1)


def faces_of(crops: Path, count: int) -> list[np.ndarray]:
    """At most `count` faces uint8 RGB (96, 96, 3) of a clip's crops, evenly from its whole length."""
    with read_crops(crops) as read, zipfile.ZipFile(crops) as archive:
        members = sorted(archive.namelist())
        chosen = np.linspace(0, len(members) - 1, min(count, len(members))).round().astype(int)
        return [resize_face(read(members[place]), SIDE) for place in chosen]


def decoder(transform: str) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    """One graph that decodes all pictures of a batch side by side."""

    @tf.function
    def decode(pictures: tf.Tensor) -> list[tf.Tensor]:
        return [tf.io.decode_jpeg(one, channels=3, dct_method=transform) for one in tf.unstack(pictures)]

    return decode


def measure(faces: list[np.ndarray], rounds: int) -> dict[str, dict[str, float]]:
    """By quality and transform: bytes a face, mean and largest difference in grey values, µs of one core a face."""
    whole = np.stack(faces).astype(int)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    decoders = {transform: decoder(transform) for transform in TRANSFORMS}
    results, decodings = {}, {}
    for quality in sorted({90, RECORD_JPEG_QUALITY, 95}):
        stored = [encode_face(face, "jpeg", quality) for face in faces]
        batch = tf.constant(stored)
        for transform, decode in decoders.items():
            name = f"{quality} {transform}"
            decodings[name] = functools.partial(decode, batch)
            off = np.abs(np.stack(decodings[name]()).astype(int) - whole)
            results[name] = {
                "bytes_per_face": sum(map(len, stored)) / len(stored),
                "mean_difference": float(off.mean()),
                "largest_difference": float(off.max()),
            }
    times: dict[str, list[float]] = {name: [] for name in decodings}
    for _ in range(rounds):
        for name, decoding in decodings.items():
            begin = time.perf_counter()
            decoding()
            times[name].append(time.perf_counter() - begin)
    for name, own in times.items():
        results[name]["decode_us_per_face"] = 1e6 * cores * statistics.median(own) / len(faces)
    return results


def main(argv: list[str]) -> int:
    chosen = options.from_flags(JpegQualityBenchmark)
    if chosen.crops and not zipfile.is_zipfile(chosen.crops):
        raise InputError(Path(chosen.crops), "it is no clip's crops", "name a workspace's crops/CLIP.zip")
    load = os.getloadavg()[0]
    faces = faces_of(Path(chosen.crops), chosen.faces) if chosen.crops else list(draw_faces(0, chosen.faces))
    results = measure(faces, chosen.rounds)
    print("| quality, inverse transform | bytes | difference, mean | largest | decoding, µs |")
    print("| --- | --- | --- | --- | --- |")
    for name, one in results.items():
        off = f"{one['mean_difference']:.2f} | {one['largest_difference']:.0f}"
        print(f"| {name} | {one['bytes_per_face']:,.0f} | {off} | {one['decode_us_per_face']:.0f} |")
    now = results[f"{RECORD_JPEG_QUALITY} INTEGER_ACCURATE"]
    ratios = {key: value / results[BEFORE][key] for key, value in now.items()}
    facts = {"benchmark": "jpeg_quality", "load_before": load, "options": dataclasses.asdict(chosen)}
    print(json.dumps(facts | {"faces": len(faces), "results": results, "ratios": ratios}))
    return 0


if __name__ == "__main__":
    options.run_main(main, JpegQualityBenchmark)
