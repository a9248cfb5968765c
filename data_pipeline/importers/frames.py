"""Annotations that came frame by frame -> annotations by time."""

from __future__ import annotations

import collections
from pathlib import Path

import av
import numpy as np

from data_pipeline.annotations import NO_VALUE, Trace
from data_pipeline.decode import FRAME_RATE
from data_pipeline.probe import probe
from tfrecords.errors import InputError

OFF_SCALE = "values that are marked invalid or lie off the scale"


def frame_times(path: Path) -> np.ndarray:
    """When each frame of a video is shown by the pipeline's clock, seconds float64 (N,), whatever its frame rate.

    Frame n of a clip is at n / 30 s (§3.2.4), so the first picture is at 1 / 30 s and the others follow as they do in
    the file; a 30 FPS video's frames lie on the clip's exactly. Only packets are read, nothing is decoded.

    Raises:
      InputError: the file is missing or no readable video.
    """
    probe(path)
    try:
        with av.open(str(path.resolve())) as container:
            stream = container.streams.video[0]
            packets = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
            # AVI has no presentation times, but its frames are evenly spaced.
            timed = all(packet.pts is not None for packet in packets)
            stamps = sorted((packet.pts if timed else packet.dts) or 0 for packet in packets)
            unit = float(stream.time_base or 0)
    except av.error.FFmpegError as error:
        what = f"this is no readable video ({error.strerror})"
        raise InputError(path, what, "fetch it again, or replace it with a whole video file") from None
    if not stamps:
        raise InputError(path, "the video has no frame", "fetch it again, or replace it with a whole video file")
    return (np.array(stamps, np.float64) - stamps[0]) * unit + 1 / FRAME_RATE


def trace_of_frames(times: np.ndarray, values: np.ndarray, counts: collections.Counter[str]) -> Trace:
    """The annotation of a video whose frames are at `times` (N,) and have `values` int64 (L,), one after another.

    Frames past the last value are marked invalid, values past the last frame are left out; both, and invalid values,
    are counted.
    """
    both = min(len(times), len(values))
    whole = np.full(len(times), NO_VALUE, np.int64)
    whole[:both] = values[:both]
    counts[OFF_SCALE] += int(np.sum(values[:both] == NO_VALUE))
    counts["frames past the last label"] += len(times) - both
    counts["labels past the last frame"] += len(values) - both
    return Trace(times, whole)


def trace_of_numbers(frames: list[int], values: np.ndarray, counts: collections.Counter[str]) -> Trace:
    """The annotation of numbered frames (from 1, ascending) of a clip of images, taken as 30 a second."""
    counts[OFF_SCALE] += int(np.sum(values == NO_VALUE))
    return Trace(np.array(frames, np.float64) / FRAME_RATE, values)
