"""What a video file is: container, codec, size, frame rate, length, read with PyAV."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import av

from tfrecords.errors import InputError

# H.273's numbers of the transfer functions PQ and HLG.
_HDR = (16, 18)


@dataclasses.dataclass(frozen=True)
class VideoFacts:
    """Facts from a video's headers.

    `frames` is 0 where the container does not say; `seconds` is the picture's declared length, and `start` how long
    after the file's beginning (its sound's, say) the picture begins. Videos of high dynamic range (`hdr`) look pale in
    a clip, which keeps 8 bits and does not map their tones.
    """

    container: str
    codec: str
    width: int
    height: int
    frame_rate: float
    frames: int
    seconds: float
    start: float
    has_audio: bool
    hdr: bool


def probe(path: Path) -> VideoFacts:
    """Reads the headers of the video at `path`.

    Raises:
      InputError: the file is missing, is no video or was cut off, or holds no video stream.
    """
    if not path.is_file():
        raise InputError(path, "the video file is missing", "put it there or mend the manifest's column 'source'")
    try:
        # Resolved: PyAV takes a relative name with a colon for a protocol.
        with av.open(str(path.resolve())) as container:
            if not container.streams.video:
                raise InputError(path, "the file holds no video stream", "use a file with a picture")
            stream = container.streams.video[0]
            codec: Any = stream.codec_context
            if codec is None:
                what = "the picture's codec is not known to ffmpeg"
                raise InputError(path, what, "fetch it again, or convert it to H.264 first")
            return VideoFacts(
                container=container.format.name,
                codec=codec.name,
                width=stream.width,
                height=stream.height,
                frame_rate=float(stream.average_rate or stream.base_rate or 0),
                frames=stream.frames,
                seconds=_declared_seconds(container, stream),
                start=_start_seconds(container, stream),
                has_audio=bool(container.streams.audio),
                hdr=stream.codec_context.color_trc in _HDR,
            )
    except av.error.FFmpegError as error:
        what = f"this is no readable video ({error.strerror})"
        raise InputError(path, what, "fetch it again, or replace it with a whole video file") from None


def check_length(path: Path, declared: VideoFacts, seconds: float) -> None:
    """Raises `InputError` if only `seconds` of the video could be decoded, well short of what its headers declare.

    A file that was cut off decodes to its cut without an error, so what came is held against the headers.
    """
    if seconds < 0.99 * declared.seconds - 0.5:
        what = f"the video breaks off after {seconds:.1f} s of the {declared.seconds:.1f} s that it declares"
        raise InputError(path, what, "fetch it again, or trim it to the part that plays")


def _start_seconds(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return max(0.0, float(stream.start_time * stream.time_base) - (container.start_time or 0) / av.time_base)


def _declared_seconds(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else 0.0


if __name__ == "__main__":
    from data_pipeline.stage_binary import run_one_stage  # it imports this file as a module

    run_one_stage("probe")
