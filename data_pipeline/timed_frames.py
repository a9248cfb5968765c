"""Any video or stream -> frames at an even rate, each with the picture of the source that it shows and its real time.

A frame n (from 0) stands for the moment n / rate after the first picture, and shows what a player shows then. That is
ffmpeg's filter ``fps`` as `decode.at_frame_rate` uses it, so a video is cut into the same frames whether it goes
through the database or straight into a prediction, only that here nothing is forgotten of where they are from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import av.filter
import cv2

from data_pipeline.decode import FRAME_RATE
from data_pipeline.frames import Frame, decoded_frame
from data_pipeline.probe import VideoFacts, probe
from tfrecords.errors import InputError

# A stream that says nothing for longer is given up.
STREAM_TIMEOUT = 15.0
# A stream that was away for longer goes on with the frame of that later moment; none are made up between.
LONGEST_REPEAT = 1.0
NO_FRAME = "no frame of this video can be decoded"


@dataclasses.dataclass(frozen=True)
class TimedFrame:
    """Frame `number` (from 0) at the even rate, and the source's picture that it shows.

    `seconds` is the frame's moment, `source_seconds` when the picture `source_number` (from 0) comes up: both on the
    clock that players show, which begins where the file (its sound, say) does.
    """

    number: int
    seconds: float
    source_number: int
    source_seconds: float
    frame: Frame


@dataclasses.dataclass(frozen=True)
class Picture:
    """A decoded picture and its `seconds` (see `TimedFrame`); it is shown for `duration` if none follows."""

    seconds: float
    duration: float
    frame: Frame


def timed_frames(path: Path, frame_rate: float = FRAME_RATE) -> Iterator[TimedFrame]:
    """The frames of a video file at `frame_rate`; a damaged end is left out. Memory does not grow with the length.

    Raises:
      InputError: the file is missing or no video, gives no frame at all, or its time stamps do not end.
    """
    facts = probe(path)
    with av.open(str(path.resolve())) as container:
        beginning = (container.start_time or 0) / av.time_base
        shown = at_even_rate(_pictures(container, facts, beginning), frame_rate)
        # Broken time stamps can make hours of repeated pictures.
        most = math.inf if not facts.seconds else (1.02 * facts.seconds + 1) * frame_rate
        number = -1
        for timed in shown:
            number = timed.number
            if number > most:
                what = f"its time stamps are broken: the {facts.seconds:.1f} s that it declares do not end"
                raise InputError(path, what, "convert it with another program first")
            yield timed
    if number < 0:
        raise InputError(path, NO_FRAME, "fetch it again or convert it to H.264 MP4")


def stream_frames(address: str, frame_rate: float = FRAME_RATE) -> Iterator[TimedFrame]:
    """`timed_frames` of what a server sends (RTSP, HTTP, …), as it comes; time 0 is its first picture.

    Raises:
      InputError: nothing answers there, it is no video, or it gives no frame at all.
    """
    options = {"rtsp_transport": "tcp"} if address.startswith("rtsp") else {}
    number = -1
    try:
        with av.open(address, options=options, timeout=STREAM_TIMEOUT) as container:
            if not container.streams.video:
                raise InputError(address, "the stream holds no picture", "name the address of a video")
            for timed in at_even_rate(stream_pictures(container), frame_rate, LONGEST_REPEAT):
                number = timed.number
                yield timed
    except (av.error.FFmpegError, OSError) as error:
        if number < 0:
            what = f"no video stream answers there ({getattr(error, 'strerror', None) or error})"
            raise InputError(address, what, "check the address, and that the camera or server sends") from None
    if number < 0:
        raise InputError(address, "the stream ended before a picture came", "check that the camera or server sends")


def stream_pictures(container: av.container.InputContainer) -> Iterator[Picture]:
    """The pictures of an open stream, time 0 being the first one's."""
    beginning: float | None = None
    for picture in _pictures(container, None, 0.0):
        beginning = picture.seconds if beginning is None else beginning
        yield dataclasses.replace(picture, seconds=picture.seconds - beginning)


def camera_frames(number: int, frame_rate: float = FRAME_RATE) -> Iterator[TimedFrame]:
    """`timed_frames` of the camera `number` of this machine (OpenCV's), by this machine's clock, without an end.

    Raises:
      InputError: there is no such camera.
    """
    capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            what = f"there is no camera {number} here, or another program has it"
            raise InputError(f"camera {number}", what, "name another number, or end the other program")
        yield from at_even_rate(_captured(capture, frame_rate), frame_rate, LONGEST_REPEAT)
    finally:
        capture.release()


def _captured(capture: cv2.VideoCapture, frame_rate: float) -> Iterator[Picture]:
    beginning: float | None = None
    while True:
        there, picture = capture.read()
        if not there:
            return
        now = time.monotonic()
        beginning = now if beginning is None else beginning
        yield Picture(now - beginning, 1 / frame_rate, Frame((cv2.cvtColor(picture, cv2.COLOR_BGR2RGB),)))


def at_even_rate(
    pictures: Iterable[Picture], frame_rate: float, longest_repeat: float = math.inf
) -> Iterator[TimedFrame]:
    """Frames of `pictures` (in the order of their times), each showing the picture whose time, rounded, it reaches.

    A picture is repeated for as long as it is shown, at most for `longest_repeat` seconds; those that fall between two
    frames are passed over.
    """
    start = last = 0.0
    at = number = 0
    held: Picture | None = None
    for number, picture in enumerate(pictures):
        if held is None:
            start = picture.seconds
        # Stamps that go back are taken for equal ones.
        last = max(last, picture.seconds - start)
        index = _nearest(last * frame_rate)
        if held is not None:
            yield from _repeated(held, number - 1, start, at, index, frame_rate, longest_repeat)
        at, held = index, picture
    if held is not None:
        end = max(1, _nearest((last + held.duration) * frame_rate))
        yield from _repeated(held, number, start, at, end, frame_rate, longest_repeat)


def _repeated(
    held: Picture, number: int, start: float, first: int, end: int, frame_rate: float, longest: float
) -> Iterator[TimedFrame]:
    most = end if math.isinf(longest) else min(end, first + math.ceil(longest * frame_rate))
    for index in range(first, most):
        yield TimedFrame(index, start + index / frame_rate, number, held.seconds, held.frame)


def _nearest(value: float) -> int:
    """Halves go up, as ffmpeg rounds; a millionth of a frame below one is a half that the float has missed."""
    return math.floor(value + 0.5 + 1e-6)


def _pictures(container: av.container.InputContainer, facts: VideoFacts | None, beginning: float) -> Iterator[Picture]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    rate = float(stream.average_rate or stream.base_rate or FRAME_RATE)
    seconds = facts.start if facts else 0.0
    duration = 0.0
    for frame in _deinterlaced(_decoded(container, stream), stream):
        # Without a stamp it follows the one before.
        seconds = seconds + duration if frame.time is None else float(frame.time) - beginning
        length: Any = getattr(frame, "duration", None)
        duration = float(length * frame.time_base) if length and frame.time_base else 1 / rate
        yield Picture(seconds, duration, decoded_frame(frame))


def _decoded(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """What can be decoded: a damaged packet is passed over, and where the file breaks off the pictures end."""
    packets = container.demux(stream)
    with contextlib.suppress(av.error.InvalidDataError, av.error.EOFError):
        for packet in packets:
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue


def _deinterlaced(frames: Iterable[av.VideoFrame], stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Frames from the first that is flagged as interlaced on go through ffmpeg's ``bwdif``, as in the transcoder."""
    graph: av.filter.Graph | None = None
    for frame in frames:
        if graph is None and frame.interlaced_frame:
            graph = _bwdif(stream)
        if graph is None:
            yield frame
        else:
            graph.push(frame)
            yield from _pulled(graph)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph)


def _bwdif(stream: av.VideoStream) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(template=stream)
    deinterlace = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(deinterlace)
    deinterlace.link_to(sink)
    graph.configure()
    return graph


def _pulled(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
        while True:
            yield graph.pull()  # type: ignore[misc]
