import pytest

from data_pipeline.probe import probe
from tfrecords.errors import InputError


def test_facts_are_those_the_video_was_made_with(tmp_path, make_video):
    facts = probe(make_video(tmp_path / "a.mp4", 2.0, 25, "64x48"))
    assert (facts.codec, facts.width, facts.height, facts.frame_rate) == ("h264", 64, 48, 25)
    assert facts.frames == 50 and facts.seconds == pytest.approx(2, abs=0.05) and facts.has_audio


def test_video_without_sound_is_known_as_such(tmp_path, make_video):
    assert not probe(make_video(tmp_path / "a.mp4", 1, 30, "64x48", "-an")).has_audio


def test_missing_video_is_named_with_a_remedy(tmp_path):
    with pytest.raises(InputError, match=r"a\.mp4: the video file is missing; put it there or mend the manifest"):
        probe(tmp_path / "a.mp4")


def test_sound_alone_is_no_video(tmp_path, make_video):
    with pytest.raises(InputError, match=r"a\.m4a: the file holds no video stream; use a file with a picture"):
        probe(make_video(tmp_path / "a.m4a", 1, 30, "64x48", "-vn"))


@pytest.mark.parametrize("data", [b"these are notes, no video\n", b"", b"\0" * 5000])
def test_file_that_only_is_named_mp4_is_refused_with_a_remedy(tmp_path, data):
    (tmp_path / "a.mp4").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.mp4: this is no readable video .*; fetch it again, or replace"):
        probe(tmp_path / "a.mp4")


def test_mp4_cut_off_before_its_header_is_refused(tmp_path, make_video):
    path = make_video(tmp_path / "a.mp4", 2)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"a\.mp4: this is no readable video"):
        probe(path)


def test_codec_that_ffmpeg_does_not_know_is_named(tmp_path, make_video):
    whole = make_video(tmp_path / "whole.mp4", 0.25).read_bytes()
    strange = tmp_path / "strange.mp4"
    strange.write_bytes(whole.replace(b"avc1", b"zzzz"))
    with pytest.raises(InputError, match="the picture's codec is not known to ffmpeg; fetch it again"):
        probe(strange)
