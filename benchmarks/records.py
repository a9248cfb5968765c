"""Sizes and speeds of the four encodings of a face: ``python -m benchmarks.records``.

The same faces are written and read (through the training loader, from the page cache) in each encoding, in turn; the
quickest round counts. Prints a Markdown table; the last line is one JSON object.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.loader_data import LABELS, draw_faces, write_clip
from tfrecords import options
from tfrecords.loader import training_dataset
from tfrecords.options import option
from tfrecords.schema import ENCODINGS, encode_face


@dataclasses.dataclass(frozen=True)
class RecordsBenchmark:
    """The size of the comparison."""

    clips: int = option(4, "clips", at_least=1)
    frames: int = option(1600, "frames a clip", at_least=80)
    read_frames: int = option(16000, "frames that are read a round", at_least=160)
    rounds: int = option(3, "rounds over the encodings", at_least=1)


def measure(folder: Path, encoding: str, chosen: RecordsBenchmark) -> dict[str, float]:
    """Bytes a frame, frames written and read a second, and how far the faces read are from those written."""
    faces = np.stack(list(draw_faces(0, min(200, chosen.frames))))
    begin = time.perf_counter()
    for face in faces:
        encode_face(face, encoding)
    encoding_s = (time.perf_counter() - begin) / len(faces)
    begin = time.perf_counter()
    files = [write_clip(folder, clip, chosen.frames, encoding) for clip in range(chosen.clips)]
    written = chosen.clips * chosen.frames / (time.perf_counter() - begin)
    batches = iter(training_dataset(files, 80, 2, 1, LABELS))
    next(batches)
    begin, read = time.perf_counter(), 0
    while read < chosen.read_frames:
        read += int(np.prod(next(batches)["faces"].shape[:2]))
    rate = read / (time.perf_counter() - begin)
    batch = next(batches)
    clip = int(batch["windows"][0, 0])
    frames = [int(name.decode().split("/")[1]) for name in batch["names"][0].numpy()]
    drawn = list(draw_faces(clip, chosen.frames))
    off = np.abs(batch["faces"][0].numpy().astype(int) - np.stack([drawn[frame - 1] for frame in frames]).astype(int))
    size = sum(int(file.offsets[-1]) for file in files) / (chosen.clips * chosen.frames)
    return {
        "bytes_per_frame": size,
        "encode_us_per_frame": 1e6 * encoding_s,
        "drawn_and_written_per_second": written,
        "read_per_second": rate,
        "mean_difference": float(off.mean()),
        "largest_difference": float(off.max()),
    }


def main(argv: list[str]) -> int:
    chosen = options.from_flags(RecordsBenchmark)
    load = os.getloadavg()[0]
    rounds: dict[str, list[dict[str, float]]] = {encoding: [] for encoding in ENCODINGS}
    for _ in range(chosen.rounds):
        for encoding in ENCODINGS:
            with tempfile.TemporaryDirectory() as folder:
                rounds[encoding].append(measure(Path(folder), encoding, chosen))
    results = {}
    for encoding, found in rounds.items():
        quickest = {name: max(one[name] for one in found) for name in found[0] if name.endswith("per_second")}
        results[encoding] = found[0] | quickest
        results[encoding]["encode_us_per_frame"] = min(one["encode_us_per_frame"] for one in found)
    print("| encoding | bytes a frame | encoding, us | written, frames/s | read, frames/s | off, mean | off, most |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for encoding, one in results.items():
        numbers = f"{one['bytes_per_frame']:,.0f} | {one['encode_us_per_frame']:.0f}"
        speeds = f"{one['drawn_and_written_per_second']:,.0f} | {one['read_per_second']:,.0f}"
        print(f"| {encoding} | {numbers} | {speeds} | {one['mean_difference']:.2f} | {one['largest_difference']:.0f} |")
    print("Written: drawing included, which takes as long for each. Off: gray values of 255 between face and record.")
    facts = {"benchmark": "records", "cores": os.cpu_count(), "load_before": load}
    print(json.dumps(facts | {"options": dataclasses.asdict(chosen), "results": results}))
    return 0


if __name__ == "__main__":
    options.run_main(main, RecordsBenchmark)
