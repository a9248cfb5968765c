import resource
import subprocess

import numpy as np
import pytest

from data_pipeline.decode import clip_frames, video_frames
from data_pipeline.transcode import TranscodeOptions, transcode
from tfrecords.errors import InputError


@pytest.mark.parametrize(("rate", "suffix"), [(24, ".mp4"), (30, ".mkv"), (60, ".mov"), (29.97, ".mp4"), (15, ".mkv")])
def test_video_is_cut_into_the_frames_that_its_clip_has(tmp_path, make_video, rate, suffix):
    source = make_video(tmp_path / f"a{suffix}", 1.7, rate, "320x240", "-pix_fmt", "yuv420p")
    transcode(source, tmp_path / "clip.mp4", TranscodeOptions())
    pairs = list(zip(video_frames(source), clip_frames(tmp_path / "clip.mp4"), strict=True))
    assert abs(len(pairs) - 51) <= 1
    assert max(np.abs(one.astype(int) - other).mean() for one, other in pairs) < 4


def test_frames_are_uint8_rgb(tmp_path, make_video):
    path = make_video(tmp_path / "a.mp4", 0.2, 30, "64x48", "-vf", "drawbox=c=red:t=fill")
    for frames in (video_frames(path), clip_frames(path)):
        picture = next(frames)
        assert picture.shape == (48, 64, 3) and picture.dtype == np.uint8
        assert np.abs(picture.reshape(-1, 3).mean(axis=0) - [254, 0, 0]).max() < 4


def test_other_rates_can_be_asked_for(tmp_path, make_video):
    path = make_video(tmp_path / "a.mp4", 2.0, 30)
    assert [sum(1 for _ in video_frames(path, rate)) for rate in (10, 30, 60)] == pytest.approx([20, 60, 120], abs=1)


def test_damaged_end_is_left_out(tmp_path, make_video):
    path = make_video(tmp_path / "a.mp4", 6, 30, "64x48", "-movflags", "+faststart", "-g", "15")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 30 < sum(1 for _ in video_frames(path)) < 150


def test_reader_that_stops_early_leaves_no_process(tmp_path, make_video, monkeypatch):
    path = make_video(tmp_path / "a.mp4", 6, 30, "640x480")
    started = []
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **how: started.append(start(*words, **how)) or started[-1])
    frames = video_frames(path)
    next(frames)
    assert started[0].poll() is None
    frames.close()
    assert started[0].poll() is not None


def test_memory_does_not_grow_with_the_video(tmp_path, make_video):
    path = make_video(tmp_path / "a.mp4", 5, 30, "640x480")  # 138 MB of frames
    next(video_frames(path))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(1 for _ in video_frames(path)) == 150
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


@pytest.mark.parametrize("read", [clip_frames, video_frames])
def test_file_that_is_no_video_is_named_with_a_remedy(tmp_path, read):
    (tmp_path / "a.mp4").write_text("notes")
    for name in ("a.mp4", "missing.mp4"):
        with pytest.raises(InputError, match=rf"{name}: .*; "):
            next(read(tmp_path / name))


def test_real_video_with_a_damaged_end_gives_the_frames_before_it(media):
    assert sum(1 for _ in video_frames(media("no_face.mp4"))) == pytest.approx(120, abs=2)
