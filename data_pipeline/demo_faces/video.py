"""A clip's frames, its truth, and its MP4."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import cv2
import ffmpeg
import imageio_ffmpeg
import numpy as np

from data_pipeline.demo_faces import clips
from data_pipeline.demo_faces.action_units import UNITS, unit_intensities
from data_pipeline.demo_faces.clips import Clip, Performance
from data_pipeline.demo_faces.objects import put_object, random_object
from data_pipeline.demo_faces.puppet import Puppet, draw, face_box, make_puppet
from data_pipeline.demo_faces.sampling import Image
from data_pipeline.demo_faces.scene import background
from data_pipeline.demo_faces.subjects import light_gains

TRUTH_COLUMNS = (
    "frame", "seconds", "person", "visible", "valence", "arousal", "x", "y", "width", "height", *UNITS,
)  # fmt: skip


def make_puppets(performances: tuple[Performance, ...]) -> tuple[Puppet, ...]:
    """A puppet a person."""
    return tuple(make_puppet(performance.subject, performance.scale) for performance in performances)


def frames(
    clip: Clip, performances: tuple[Performance, ...], puppets: tuple[Puppet, ...], rng: np.random.Generator
) -> Iterator[Image]:
    """The clip's frames, (360, 640, 3) uint8 RGB each."""
    wall = background(rng, clips.WIDTH, clips.HEIGHT, light_gains(performances[0].subject))
    sprite = random_object(rng) if clip.distracting_object else None
    path = clips.object_path(clip, rng)
    guesses: list[Any] = [None] * len(puppets)
    for number in range(clip.frames):
        frame = wall
        if sprite is not None:
            frame = wall.copy()
            put_object(frame, sprite, *path[number])
        for person, (performance, puppet) in enumerate(zip(performances, puppets, strict=True)):
            pose = performance.poses[number]
            if pose.opacity > 0:
                levels = performance.levels[number]
                frame, guesses[person] = draw(frame, puppet, levels, pose, guesses[person])
        yield frame


def truth_rows(
    clip: Clip, performances: tuple[Performance, ...], puppets: tuple[Puppet, ...]
) -> Iterator[dict[str, str | int]]:
    """The rows of ``truth/CLIP.csv``: what was drawn, a frame and person each."""
    seconds = clip.frame_seconds()
    felt = [(performance.valence(seconds), performance.arousal(seconds)) for performance in performances]
    units = [unit_intensities(performance.levels) for performance in performances]
    for number in range(clip.frames):
        for person, (performance, puppet) in enumerate(zip(performances, puppets, strict=True)):
            pose = performance.poses[number]
            x, y, width, height = face_box(puppet, performance.levels[number], pose)
            in_frame = -width / 2 < x < clips.WIDTH - width / 2 and -height / 2 < y < clips.HEIGHT - height / 2
            row: dict[str, str | int] = {
                "frame": number + 1,
                "seconds": f"{seconds[number]:.4f}",
                "person": person + 1,
                "visible": int(in_frame and pose.opacity > 0.3),
                "valence": f"{felt[person][0][number]:.4f}",
                "arousal": f"{felt[person][1][number]:.4f}",
            }
            row.update(x=f"{x:.1f}", y=f"{y:.1f}", width=f"{width:.1f}", height=f"{height:.1f}")
            row.update({unit: f"{value:.3f}" for unit, value in zip(UNITS, units[person][number], strict=True)})
            yield row


def write_video(path: str | os.PathLike[str], images: Iterator[Image], fps: int) -> None:
    """Encodes RGB frames of 640x360 as H.264 in an MP4, pixel format yuv420p.

    One encoding thread and no tool's name inside, so that the same frames give the same bytes.
    """
    size = f"{clips.WIDTH}x{clips.HEIGHT}"
    process = (
        ffmpeg.input("pipe:", format="rawvideo", pix_fmt="yuv420p", s=size, r=fps)
        .output(
            os.fspath(path),
            vcodec="libx264",
            preset="ultrafast",
            crf=20,
            pix_fmt="yuv420p",
            threads=1,
            fflags="+bitexact",
            **{"flags:v": "+bitexact"},
            loglevel="error",
        )
        .overwrite_output()
        .run_async(cmd=imageio_ffmpeg.get_ffmpeg_exe(), pipe_stdin=True)
    )
    try:
        for image in images:
            process.stdin.write(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).data)
    finally:
        process.stdin.close()
        code = process.wait()
    if code:
        raise RuntimeError(f"ffmpeg ended with code {code} while writing {path}")
