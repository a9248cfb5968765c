"""Cuts are made at the pictures that were asked for: every picture carries its own number, and a tone begins at 2 s."""

import struct
import subprocess

import av
import imageio_ffmpeg
import numpy as np
import pytest

from data_pipeline.decode import clip_frames
from data_pipeline.probe import probe
from data_pipeline.transcode import TranscodeOptions, transcode
from tfrecords.errors import InputError

QUICK = TranscodeOptions(preset="ultrafast")
# The greys of two halves are a frame's number in base 16.
NUMBERED = "geq=lum='if(lt(X,W/2),mod(N,16),floor(N/16))*14+16':cb=128:cr=128"


def _numbered(path, rate, seconds, *output):
    picture = f"color=black:size=64x48:rate={rate}:duration={seconds},format=yuv420p,{NUMBERED}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "lavfi", "-i", picture]
    command += ["-f", "lavfi", "-i", f"aevalsrc='gte(t,2)*sin(2*PI*440*t)':duration={seconds}:sample_rate=16000"]
    # One key frame only.
    command += ["-c:v", "libx264", "-preset", "veryfast", "-g", "500", "-bf", "3", "-crf", "10", *output, str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.fixture(scope="module")
def thirty(tmp_path_factory):
    return _numbered(tmp_path_factory.mktemp("trim") / "a.mp4", 30, 6)


def _numbers(clip):
    """The numbers of the source's pictures that the clip's frames show."""
    # Grey is decoded from video's range, 16 to 235.
    grey = np.array([[frame[:, 4:28].mean(), frame[:, 36:60].mean()] for frame in clip_frames(clip)]) * 219 / 255 + 16
    low, high = np.rint((grey - 16) / 14).astype(int).T
    return (16 * high + low).tolist()


def _tone_begins(clip):
    """The second at which the clip's sound is first loud."""
    with av.open(str(clip)) as container:
        frames = list(container.decode(audio=0))
    sound = np.concatenate([frame.to_ndarray().mean(axis=0) for frame in frames])
    return frames[0].time + np.argmax(np.abs(sound) > 0.3) / frames[0].sample_rate


@pytest.mark.parametrize(
    ("start", "end", "first", "frames"),
    [
        (None, None, 0, 180),
        (1.5, None, 45, 135),
        (None, 2.0, 0, 60),
        (1.0, 3.0, 30, 60),
        (0.667, 1.333, 20, 20),  # to the millisecond, as people write two thirds
        (0.033, 0.1, 1, 2),
        (4.9, 5.0, 147, 3),
        (0.0, 6.0, 0, 180),
    ],
)
def test_cut_has_the_pictures_from_start_up_to_end(tmp_path, thirty, start, end, first, frames):
    transcode(thirty, tmp_path / "clip.mp4", QUICK, start, end)
    assert _numbers(tmp_path / "clip.mp4") == list(range(first, first + frames))


@pytest.mark.parametrize(
    ("rate", "name", "codec"),
    [
        (24, "a.mp4", "libx264"),
        (25, "a.mkv", "libx264"),
        ("30000/1001", "a.ts", "libx264"),
        (60, "a.mov", "libx264"),
        (24, "a.avi", "mpeg4"),
    ],
)
def test_cut_is_exact_at_every_frame_rate_and_container(tmp_path, rate, name, codec):
    source = _numbered(tmp_path / name, rate, 4, "-c:v", codec, "-q:v", "2", "-bf", "3" if codec == "libx264" else "0")
    with av.open(str(source)) as container:
        beginning = container.start_time / av.time_base
        times = np.array([frame.time for frame in container.decode(video=0)]) - beginning
    transcode(source, tmp_path / "clip.mp4", QUICK, 1.3, 3.3)
    numbers = np.array(_numbers(tmp_path / "clip.mp4"))
    first = int(np.argmax(times >= 1.299))
    assert numbers[0] == first
    assert len(numbers) == pytest.approx(60, abs=1)
    # Frame n of the clip shows what the source shows n / 30 s after the first, to half a frame.
    shown = times[first] + np.arange(len(numbers)) / 30
    assert np.abs(times[numbers] - shown).max() <= 1 / 30


@pytest.mark.parametrize(("start", "begins"), [(None, 2.0), (1.0, 1.0), (1.7, 0.3)])
def test_sound_stays_with_its_picture(tmp_path, thirty, start, begins):
    transcode(thirty, tmp_path / "clip.mp4", QUICK, start)
    assert _tone_begins(tmp_path / "clip.mp4") == pytest.approx(begins, abs=0.03)


def test_cut_counts_from_the_file_s_beginning_where_its_time_stamps_start_late(tmp_path, thirty):
    late = tmp_path / "late.ts"  # a transport stream starts at 1.4 s
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(thirty), "-c", "copy", str(late)]
    subprocess.run(command, check=True)
    facts = probe(late)
    assert 0 < facts.start < 0.1  # its sound begins first
    transcode(late, tmp_path / "clip.mp4", QUICK, 1.0 + facts.start, 2.5)
    assert _numbers(tmp_path / "clip.mp4")[:2] == [30, 31]
    assert _tone_begins(tmp_path / "clip.mp4") == pytest.approx(1.0, abs=0.05)


def test_video_of_a_variable_frame_rate_keeps_its_time(tmp_path):
    # Every picture of the first second, then every third.
    source = _numbered(tmp_path / "a.mkv", 30, 4, "-vf", "select='lt(t,1)+not(mod(n,3))'", "-fps_mode", "vfr")
    facts = transcode(source, tmp_path / "clip.mp4", QUICK)
    numbers = _numbers(tmp_path / "clip.mp4")
    assert facts.frames == pytest.approx(120, abs=3)
    expected = [n if n < 30 else n - n % 3 for n in range(len(numbers))]
    assert np.abs(np.array(numbers) - expected).max() <= 1
    transcode(source, tmp_path / "cut.mp4", QUICK, 2.0, 3.0)
    cut = _numbers(tmp_path / "cut.mp4")
    assert cut[0] == 60 and len(cut) == pytest.approx(30, abs=2)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (9.0, None, r"the cut begins at 9 s and the video ends at 6\.0 s; mend the manifest's column 'start'"),
        (1.0, 9.0, r"the cut ends at 9 s and the video at 6\.0 s; mend the manifest's column 'end'"),
        (1.005, 1.01, r"no picture of it lies in the cut; mend the manifest's columns 'start' and 'end'"),
        (3.0, 2.0, r"the cut ends at 2 s, before its first picture; mend"),
    ],
)
def test_cut_outside_the_video_is_refused(tmp_path, thirty, start, end, message):
    with pytest.raises(InputError, match=message):
        transcode(thirty, tmp_path / "clip.mp4", QUICK, start, end)
    assert list(tmp_path.iterdir()) == []


def test_cut_reaching_into_a_missing_end_is_refused_and_one_before_it_is_not(tmp_path):
    source = _numbered(tmp_path / "a.mp4", 30, 6, "-movflags", "+faststart", "-g", "15")
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(InputError, match=r"the cut of 5\.0 s holds only \d\.\d s of video; fetch it again, or mend"):
        transcode(source, tmp_path / "clip.mp4", QUICK, 1.0)
    transcode(source, tmp_path / "clip.mp4", QUICK, 0.5, 1.5)
    assert _numbers(tmp_path / "clip.mp4") == list(range(15, 45))


def test_interlaced_video_is_deinterlaced_and_progressive_video_is_left_alone(tmp_path, make_video):
    # Two fields of a moving picture: combed where it is not deinterlaced.
    field = (
        "-vf",
        "tinterlace=interleave_top,setfield=tff",
        "-flags",
        "+ilme+ildct",
        "-c:v",
        "mpeg2video",
        "-q:v",
        "2",
    )
    source = make_video(tmp_path / "a.mpg", 2, 50, "320x240", *field, "-pix_fmt", "yuv420p")
    plain = make_video(tmp_path / "b.mp4", 2, 25, "320x240", "-pix_fmt", "yuv420p")

    def combing(path, **how):
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="gray").astype(int) for frame in container.decode(video=0)]
        # Neighbouring lines differ and those two apart do not.
        return np.mean(
            [np.abs(f[1:-1] - (f[:-2] + f[2:]) / 2).mean() - np.abs(f[2:] - f[:-2]).mean() / 2 for f in frames]
        )

    with av.open(str(source)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    for name in (source, plain):
        transcode(name, tmp_path / f"{name.stem}-clip.mp4", QUICK)
    assert combing(tmp_path / "a-clip.mp4") < 0.5 * combing(source)
    assert combing(tmp_path / "b-clip.mp4") == pytest.approx(combing(plain), abs=0.1)


def test_ten_bit_video_becomes_eight_bit(tmp_path, make_video):
    source = make_video(tmp_path / "a.mkv", 1, 30, "64x48", "-c:v", "ffv1", "-pix_fmt", "yuv420p10le")
    transcode(source, tmp_path / "clip.mp4", QUICK)
    with av.open(str(tmp_path / "clip.mp4")) as clip, av.open(str(source)) as before:
        assert before.streams.video[0].format.name == "yuv420p10le"
        assert clip.streams.video[0].format.name == "yuv420p"
        for one, two in zip(before.decode(video=0), clip.decode(video=0), strict=True):
            assert np.abs(one.to_ndarray(format="rgb24").astype(int) - two.to_ndarray(format="rgb24")).mean() < 6


def test_video_of_high_dynamic_range_is_marked_and_becomes_eight_bit(tmp_path, make_video):
    tones = "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
    codec = ("-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", tones)
    source = make_video(tmp_path / "a.mkv", 0.5, 30, "64x48", *codec)
    assert probe(source).hdr and not probe(make_video(tmp_path / "b.mkv", 0.5)).hdr
    transcode(source, tmp_path / "clip.mp4", QUICK)
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        assert clip.streams.video[0].format.name == "yuv420p"


def test_video_of_one_picture_is_a_clip_of_one_frame(tmp_path, make_video):
    source = make_video(tmp_path / "a.mp4", 0.03, 30, "64x48", "-an")
    assert transcode(source, tmp_path / "clip.mp4", QUICK).frames == 1


def test_time_stamps_that_jump_by_hours_are_refused(tmp_path, make_video):
    source = make_video(tmp_path / "a.mkv", 2, 30, "64x48", "-an", "-vf", "setpts='PTS+if(gte(N,30),36000/TB,0)'")
    data = source.read_bytes()
    at = data.index(b"\x44\x89\x88") + 3  # Matroska's duration, made what the header of a whole file would say
    source.write_bytes(data[:at] + struct.pack(">d", 2000.0) + data[at + 8 :])
    with pytest.raises(InputError, match=r"time stamps are broken: the 2\.0 s that it declares do not end"):
        transcode(source, tmp_path / "clip.mp4", QUICK)
