"""Any video -> an MP4 of 30 FPS (H.264 by libx264), as the thesis's §3.2 (5): ``python -m data_pipeline.transcode``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import ffmpeg

from data_pipeline.decode import FRAME_RATE, at_frame_rate, ffmpeg_binary
from data_pipeline.probe import VideoFacts, check_length, probe
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import atomic_path


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


def transcode(source: Path, clip: Path, options: TranscodeOptions) -> VideoFacts:
    """Writes `source` as a 30 FPS MP4 at `clip`, upright, with even sides, the sound kept; returns the clip's facts.

    Raises:
      InputError: the source cannot be read, or ends well before the length that it declares.
    """
    declared = probe(source)
    read = ffmpeg.input(str(source.resolve()))
    streams = [at_frame_rate(read.video).filter("scale", "trunc(iw/2)*2", "trunc(ih/2)*2")]
    if declared.has_audio:
        # The clip begins with its first picture, so what sounds before that goes and the rest moves along.
        sound = read["a:0"].filter("atrim", start=declared.start)
        streams.append(sound.filter("asetpts", f"PTS-{declared.start}/TB"))
    with atomic_path(clip) as temporary:
        write = (
            ffmpeg.output(
                *streams,
                str(temporary),
                vcodec="libx264",
                preset=options.preset,
                crf=options.crf,
                pix_fmt="yuv420p",
                threads=1,
                **({"acodec": "aac"} if declared.has_audio else {}),
            )
            .global_args("-nostdin", "-v", "error")
            .overwrite_output()
        )
        try:
            ffmpeg.run(write, cmd=ffmpeg_binary(), capture_stdout=True, capture_stderr=True)
        except ffmpeg.Error as error:
            what = f"ffmpeg cannot convert it ({_last_line(error.stderr)})"
            raise InputError(source, what, "fetch it again, or replace it with a whole video file") from None
        facts = probe(temporary)
        check_length(source, declared, facts.frames / FRAME_RATE)
    return facts


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else "no reason given"


if __name__ == "__main__":
    from data_pipeline.stage_binary import run_one_stage  # it imports this file as a module

    run_one_stage("transcode")
