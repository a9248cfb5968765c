"""Any video -> an MP4 of 30 FPS (H.264 by libx264), as the thesis's §3.2 (5): ``python -m data_pipeline.transcode``."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path

import ffmpeg

from data_pipeline.decode import FRAME_RATE, at_frame_rate, decoded_frames, ffmpeg_binary, first_picture_time
from data_pipeline.probe import VideoFacts, check_length, probe
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import atomic_path

# People write times to a millisecond, which may lie just after the picture that they mean.
_TOLERANCE = 0.001
# PyAV's names of the containers that can be sought at key frames, with right time stamps; others are read from their
# beginning.
_SOUGHT = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")


@dataclasses.dataclass(frozen=True)
class TranscodeOptions:
    """How clips are encoded."""

    preset: str = option("veryfast", "libx264's preset: slower makes smaller files")
    crf: int = option(
        18,
        "libx264's constant rate factor: 0 is lossless, 18 looks like the source, 51 is worst",
        at_least=0,
        at_most=51,
    )


def transcode(
    source: Path, clip: Path, options: TranscodeOptions, start: float | None = None, end: float | None = None
) -> VideoFacts:
    """Writes `source` as a 30 FPS MP4 at `clip`, upright, with even sides, the sound kept; returns the clip's facts.

    With `start` or `end`, in seconds from the source's beginning, only what is shown from the first picture at or
    after `start` up to `end` is kept: cut before the frame rate changes, at any picture, not only at key frames.

    Raises:
      InputError: the source cannot be read, or is shorter or longer than it declares, or no picture lies in the cut.
      OSError: the disk is full.
    """
    declared = probe(source)
    span = _span(source, declared, start, end)
    with atomic_path(clip) as temporary:
        write = (
            ffmpeg.output(
                *_cut_streams(source, declared, span),
                str(temporary),
                vcodec="libx264",
                preset=options.preset,
                crf=options.crf,
                pix_fmt="yuv420p",
                threads=1,
                **({"acodec": "aac"} if declared.has_audio else {}),
                # Broken time stamps can make hours of repeated pictures; what is too long is refused below.
                **({"t": span.longest} if declared.seconds else {}),
            )
            .global_args("-nostdin", "-v", "error")
            .overwrite_output()
        )
        try:
            ffmpeg.run(write, cmd=ffmpeg_binary(), capture_stdout=True, capture_stderr=True)
        except ffmpeg.Error as error:
            if b"No space left on device" in error.stderr:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(clip)) from None
            what = f"ffmpeg cannot convert it ({_last_line(error.stderr)})"
            raise InputError(source, what, "fetch it again, or replace it with a whole video file") from None
        facts = _facts_of_clip(source, temporary, span.is_cut)
        _check_frames(source, temporary, facts, declared, span)
    return facts


def clip_beginning(source: Path, start: float | None) -> float:
    """When the first picture of the clip cut from `start` on is shown, in seconds from the source's beginning."""
    declared = probe(source)
    if start is None or start <= declared.start:
        return declared.start
    return first_picture_time(source, start - _TOLERANCE, declared.container in _SOUGHT)


@dataclasses.dataclass(frozen=True)
class _Span:
    """What is kept of a source: from `start` (None: its first picture) to `end` (None: its last), `seconds` long."""

    start: float | None
    end: float | None
    seconds: float

    @property
    def is_cut(self) -> bool:
        return self.start is not None or self.end is not None

    @property
    def longest(self) -> float:
        return 1.02 * self.seconds + 1.0


def _span(source: Path, declared: VideoFacts, start: float | None, end: float | None) -> _Span:
    last = declared.start + declared.seconds
    if declared.seconds and start is not None and start >= last:
        what = f"the cut begins at {start:g} s and the video ends at {last:.1f} s"
        raise InputError(source, what, "mend the manifest's column 'start'")
    if declared.seconds and end is not None and end > last + 0.5:
        what = f"the cut ends at {end:g} s and the video at {last:.1f} s"
        raise InputError(source, what, "mend the manifest's column 'end' or leave it empty")
    if start is not None and start <= declared.start:
        start = None  # nothing is shown before the first picture
    if end is not None and end <= max(declared.start, start or 0.0):
        what = f"the cut ends at {end:g} s, before its first picture"
        raise InputError(source, what, "mend the manifest's columns 'start' and 'end'")
    return _Span(start, end, min(last, end or last) - max(declared.start, start or 0.0))


def _cut_streams(source: Path, declared: VideoFacts, span: _Span) -> list[ffmpeg.nodes.FilterableStream]:
    # ffmpeg may seek to a second before the cut; the filters cut exactly. Time is then counted from there.
    before = max(0.0, (span.start or 0.0) - 1.0) if declared.container in _SOUGHT else 0.0
    read = ffmpeg.input(str(source.resolve()), **({"ss": before} if before else {}))
    cut = {}
    if span.start is not None:
        cut["start"] = span.start - before - _TOLERANCE
    if span.end is not None:
        cut["end"] = span.end - before - _TOLERANCE
    # In microseconds, for `trim` rounds to the stream's unit, which may be a whole frame.
    picture = read.video.filter("settb", "AVTB").filter("trim", **cut) if cut else read.video
    streams = [at_frame_rate(picture).filter("scale", "trunc(iw/2)*2", "trunc(ih/2)*2")]
    if declared.has_audio:
        # The clip begins with its first picture, so what sounds before that goes and the rest moves along.
        start = clip_beginning(source, span.start) - before
        sound = read["a:0"].filter("atrim", start=start, **({"end": cut["end"]} if "end" in cut else {}))
        streams.append(sound.filter("asetpts", f"PTS-{start}/TB"))
    return streams


def _facts_of_clip(source: Path, clip: Path, cut: bool) -> VideoFacts:
    try:
        return probe(clip)
    except InputError:  # what ffmpeg leaves where no picture came through
        if cut:
            what = "no picture of it lies in the cut"
            raise InputError(source, what, "mend the manifest's columns 'start' and 'end'") from None
        raise InputError(source, "no picture of it can be decoded", "fetch it again, or replace it") from None


def _check_frames(source: Path, clip: Path, facts: VideoFacts, declared: VideoFacts, span: _Span) -> None:
    """Decodes the clip that was written: as many frames as it declares, and as the cut's seconds × 30 promise."""
    frames = sum(1 for _ in decoded_frames(clip))
    if frames != facts.frames or abs(frames - facts.seconds * FRAME_RATE) > 1:
        what = f"its clip has {frames} frames where {facts.frames} were written in {facts.seconds:.2f} s"
        raise InputError(source, what, "check the disk and run the stage again")
    if not span.is_cut:
        check_length(source, declared, frames / FRAME_RATE)
    elif frames / FRAME_RATE < 0.99 * span.seconds - 0.5:
        what = f"the cut of {span.seconds:.1f} s holds only {frames / FRAME_RATE:.1f} s of video"
        raise InputError(source, what, "fetch it again, or mend the manifest's columns 'start' and 'end'")
    if declared.seconds and frames / FRAME_RATE >= span.longest - 1 / FRAME_RATE:
        what = f"its time stamps are broken: the {span.seconds:.1f} s that it declares do not end"
        raise InputError(source, what, "convert it with another program first")


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else "no reason given"


if __name__ == "__main__":
    from data_pipeline.stage_binary import run_one_stage  # it imports this file as a module

    run_one_stage("transcode")
