"""Video frames as arrays, one at a time: 30 FPS clips through PyAV, any other video through ffmpeg."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import ffmpeg
import imageio_ffmpeg
import numpy as np

from data_pipeline.frames import Frame, decoded_frame
from data_pipeline.probe import probe
from tfrecords.errors import InputError

FRAME_RATE = 30


def at_frame_rate(
    video: ffmpeg.nodes.FilterableStream, frame_rate: float = FRAME_RATE
) -> ffmpeg.nodes.FilterableStream:
    """The ffmpeg stream `video` with one frame for each 1 / `frame_rate` s from its own first frame on.

    Frames that are flagged as interlaced are deinterlaced, others left as they are. The transcoder and `video_frames`
    share it, so that a video is cut into the same frames whether it goes through the database or straight into a
    prediction.
    """
    whole = video.filter("bwdif", mode="send_frame", deint="interlaced")
    return whole.filter("setpts", "PTS-STARTPTS").filter("fps", frame_rate)


def first_picture_time(path: Path, seconds: float, seek: bool) -> float:
    """When the first picture at or after `seconds` is shown; both count from the file's beginning.

    With `seek` the file is read from the key frame before only. `seconds` itself where no picture comes after it.
    """
    with contextlib.suppress(av.error.FFmpegError), av.open(str(path.resolve())) as container:
        beginning = (container.start_time or 0) / av.time_base
        if seek:
            container.seek(int((seconds + beginning) * av.time_base))
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time - beginning >= seconds:
                return float(frame.time) - beginning
    return seconds


def ffmpeg_binary() -> str:
    """The ffmpeg that comes with the environment (imageio-ffmpeg), or the one IMAGEIO_FFMPEG_EXE names."""
    return imageio_ffmpeg.get_ffmpeg_exe()


def clip_frames(path: Path) -> Iterator[np.ndarray]:
    """The frames of a transcoded clip, uint8 RGB (height, width, 3), decoded by one thread.

    Raises:
      InputError: the file is missing or cannot be decoded.
    """
    for frame in decoded_frames(path):
        yield frame.to_ndarray(format="rgb24")


def clip_planes(path: Path) -> Iterator[Frame]:
    """The frames of a transcoded clip as the decoder gives them, of which parts can be turned into RGB.

    Raises:
      InputError: the file is missing or cannot be decoded.
    """
    for frame in decoded_frames(path):
        yield decoded_frame(frame)


def decoded_frames(path: Path) -> Iterator[av.VideoFrame]:
    """`clip_frames` as the decoder gives them, in the clip's own pixel format."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            yield from container.decode(stream)
    except (av.error.FFmpegError, IndexError) as error:
        what = f"the clip cannot be decoded ({error})"
        raise InputError(path, what, "delete it and run python -m data_pipeline.transcode again") from None


def video_frames(path: Path, frame_rate: float = FRAME_RATE) -> Iterator[np.ndarray]:
    """The frames of any video at `frame_rate`, upright, uint8 RGB (height, width, 3).

    A damaged end of the file is left out; frame n (from 0) is shown at n / `frame_rate` seconds.

    Raises:
      InputError: the file is missing, is no video, or gives no frame at all.
    """
    probe(path)
    read = (
        at_frame_rate(ffmpeg.input(str(path.resolve())).video, frame_rate)
        .output("pipe:", format="yuv4mpegpipe", pix_fmt="yuv444p", strict=-1)
        .global_args("-nostdin", "-v", "error")
    )
    command = ffmpeg.compile(read, cmd=ffmpeg_binary())
    frames = 0
    # PyAV reads ffmpeg's pipe, which carries the size of the upright picture in its header.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            with av.open(process.stdout, mode="r", format="yuv4mpegpipe") as container:
                for frame in container.decode(video=0):
                    frames += 1
                    yield frame.to_ndarray(format="rgb24")
        except av.error.FFmpegError:
            pass
        finally:
            process.kill()
    if not frames:
        raise InputError(path, "no frame of this video can be decoded", "fetch it again or convert it to H.264 MP4")
