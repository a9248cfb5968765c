import itertools

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.decode import video_frames
from data_pipeline.frames import Frame
from data_pipeline.probe import probe
from data_pipeline.timed_frames import Picture, at_even_rate, camera_frames, stream_frames, timed_frames
from tfrecords.errors import InputError

VARIABLE = ("-vf", "select='not(mod(n\\,7))+not(mod(n\\,3))'", "-fps_mode", "vfr", "-pix_fmt", "yuv420p")
INTERLACED = ("-vf", "interlace", "-flags", "+ildct+ilme", "-pix_fmt", "yuv420p")


def _pictures(seconds, duration=1 / 30):
    return [Picture(at, duration, Frame((np.zeros((2, 2, 3), np.uint8),))) for at in seconds]


@pytest.mark.parametrize(
    ("rate", "suffix", "arguments"),
    [
        (25, ".mp4", VARIABLE),
        (24, ".mp4", ("-pix_fmt", "yuv420p")),
        (60, ".mov", ("-pix_fmt", "yuv420p")),
        (25, ".mp4", INTERLACED),
    ],
)
def test_frames_are_those_that_ffmpeg_makes(tmp_path, make_video, rate, suffix, arguments):
    video = make_video(tmp_path / f"a{suffix}", 1.7, rate, "128x96", *arguments)
    pairs = list(zip(timed_frames(video), video_frames(video), strict=True))
    assert len(pairs) > 45
    # What is left is the rounding of the two ways from YUV to RGB; a neighbouring frame of the test picture is at 3.
    assert max(np.abs(timed.frame.picture().astype(int) - picture).mean() for timed, picture in pairs) < 2.5


def test_variable_rate_keeps_every_pictures_own_time(tmp_path, make_video):
    video = make_video(tmp_path / "a.mp4", 2, 25, "64x48", *VARIABLE)
    with av.open(str(video)) as container:
        stamps = [frame.time for frame in container.decode(video=0)]
    frames = list(timed_frames(video))
    assert [timed.seconds for timed in frames] == pytest.approx([n / 30 for n in range(len(frames))])
    assert {round(b - a, 3) for a, b in itertools.pairwise(stamps)} == {0.04, 0.08, 0.12}
    for timed in frames:
        assert timed.source_seconds == pytest.approx(stamps[timed.source_number])
        due = [stamp for stamp in stamps if np.floor(stamp * 30 + 0.5) <= timed.number]
        assert timed.source_number == len(due) - 1


def test_picture_that_begins_after_the_sound_is_timed_from_the_sound(tmp_path, make_video):
    video = make_video(tmp_path / "a.mkv", 1, 25, "64x48", "-vf", "setpts=PTS+0.7/TB", "-pix_fmt", "yuv420p")
    first = next(timed_frames(video))
    assert first.seconds == first.source_seconds == pytest.approx(probe(video).start) == pytest.approx(0.7, abs=0.03)


@given(st.lists(st.floats(0.001, 0.4), min_size=1, max_size=40), st.sampled_from([10.0, 30.0]))
def test_every_moment_has_one_frame_that_shows_what_is_up_then(gaps, rate):
    times = [0.0, *itertools.accumulate(gaps)]
    frames = list(at_even_rate(_pictures(times), rate))
    assert [timed.number for timed in frames] == list(range(len(frames)))
    assert len(frames) == max(1, int(np.floor((times[-1] + 1 / 30) * rate + 0.5 + 1e-6)))
    for timed in frames:
        assert timed.source_seconds == times[timed.source_number] <= (timed.number + 0.5 + 1e-5) / rate
        if timed.source_number + 1 < len(times):
            assert times[timed.source_number + 1] * rate > timed.number - 0.5 - 1e-5


def test_stream_that_was_away_goes_on_later_and_nothing_is_made_up_between():
    frames = list(at_even_rate(_pictures([0, 1 / 30, 5.0]), 30, longest_repeat=1.0))
    assert [timed.number for timed in frames] == [0, *range(1, 31), 150]
    assert [timed.source_number for timed in frames] == [0, *[1] * 30, 2]


def test_stamps_that_go_back_cost_no_frame():
    assert [timed.number for timed in at_even_rate(_pictures([0, 0.1, 0.05, 0.2]), 30)] == list(range(7))


def test_address_and_camera_that_are_not_there_are_named():
    with pytest.raises(InputError, match=r"http://127.0.0.1:9/x.ts: no video stream answers there"):
        next(stream_frames("http://127.0.0.1:9/x.ts"))
    with pytest.raises(InputError, match="camera 97: there is no camera 97 here"):
        next(camera_frames(97))


def test_cameras_pictures_are_rgb_and_timed_by_this_machine(tmp_path, make_video, monkeypatch):
    video = make_video(tmp_path / "a.mp4", 0.5, 30, "64x48", "-vf", "drawbox=c=red:t=fill", "-pix_fmt", "yuv420p")
    # No camera is here: OpenCV reads a file in its place.
    open_file = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: open_file(str(video)))
    frames = list(camera_frames(0))
    assert frames[0].number == 0 and frames[0].seconds == 0
    assert np.abs(frames[0].frame.picture().reshape(-1, 3).mean(axis=0) - [254, 0, 0]).max() < 6
