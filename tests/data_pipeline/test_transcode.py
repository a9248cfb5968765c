import av
import numpy as np
import pytest

from data_pipeline.decode import clip_frames, video_frames
from data_pipeline.probe import probe
from data_pipeline.transcode import TranscodeOptions, transcode
from tfrecords.errors import InputError

QUICK = TranscodeOptions(preset="ultrafast")


@pytest.mark.parametrize("rate", [14, 15, 24, "24000/1001", 25, 29.97, 30, 60])
def test_clip_has_30_frames_a_second(tmp_path, make_video, rate):
    facts = transcode(make_video(tmp_path / "a.mp4", 2.0, rate), tmp_path / "clip.mp4", QUICK)
    assert facts.frame_rate == 30 and abs(facts.frames - 60) <= 1
    assert sum(1 for _ in clip_frames(tmp_path / "clip.mp4")) == facts.frames


@pytest.mark.parametrize(("size", "even"), [("65x49", (64, 48)), ("64x49", (64, 48)), ("66x48", (66, 48))])
def test_odd_sides_lose_a_pixel(tmp_path, make_video, size, even):
    facts = transcode(make_video(tmp_path / "a.mp4", 0.5, 30, size), tmp_path / "clip.mp4", QUICK)
    assert (facts.width, facts.height) == even


def test_sound_is_kept_and_its_absence_too(tmp_path, make_video):
    assert transcode(make_video(tmp_path / "a.mkv", 1), tmp_path / "a-clip.mp4", QUICK).has_audio
    silent = make_video(tmp_path / "b.mkv", 1, 30, "64x48", "-an")
    assert not transcode(silent, tmp_path / "b-clip.mp4", QUICK).has_audio


def test_picture_stays_what_it_was(tmp_path, make_video):
    source = make_video(tmp_path / "a.mp4", 0.5, 30, "128x96")
    transcode(source, tmp_path / "clip.mp4", TranscodeOptions())
    for before, after in zip(clip_frames(source), clip_frames(tmp_path / "clip.mp4"), strict=True):
        assert np.abs(before.astype(int) - after).mean() < 6


def test_second_transcoding_gives_the_same_bytes(tmp_path, make_video):
    source = make_video(tmp_path / "a.mp4", 0.5)
    for name in ("one.mp4", "two.mp4"):
        transcode(source, tmp_path / name, QUICK)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_video_turned_on_its_side_becomes_upright(tmp_path, make_video):
    path = make_video(tmp_path / "a.mp4", 0.5, 30, "64x48")
    turned = tmp_path / "turned.mp4"
    with av.open(str(path)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.dts is not None]
        for packet in packets:
            packet.stream = stream
            target.mux(packet)
    data = bytearray(turned.read_bytes())
    # The track header's matrix, 16.16 fixed point: unity becomes a turn by 90 degrees.
    unity = b"".join(n.to_bytes(4, "big") for n in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
    quarter = b"".join(n.to_bytes(4, "big") for n in (0, 0x10000, 0, 0xFFFF0000, 0, 0, 0, 0, 0x40000000))
    at = data.index(unity, data.index(b"tkhd"))
    data[at : at + len(unity)] = quarter
    turned.write_bytes(data)
    facts = transcode(turned, tmp_path / "clip.mp4", QUICK)
    assert (facts.width, facts.height) == (48, 64)
    assert next(video_frames(turned)).shape == (64, 48, 3)


def _truncate(path, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return path


def test_mp4_that_breaks_off_is_named_with_both_lengths_and_a_remedy(tmp_path, make_video):
    source = make_video(tmp_path / "a.mp4", 6, 30, "64x48", "-movflags", "+faststart", "-g", "15")
    _truncate(source, 0.5)
    assert probe(source).seconds == pytest.approx(6, abs=0.1)
    message = r"a\.mp4: the video breaks off after \d\.\d s of the 6\.0 s that it declares; fetch it again, or trim"
    with pytest.raises(InputError, match=message):
        transcode(source, tmp_path / "clip.mp4", QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("share", [0.02, 0.25, 0.95])
def test_mp4_without_its_header_is_named_with_a_remedy(tmp_path, make_video, share):
    source = _truncate(make_video(tmp_path / "a.mp4", 4), share)
    with pytest.raises(InputError, match=r"a\.mp4: this is no readable video .*; fetch it again"):
        transcode(source, tmp_path / "clip.mp4", QUICK)


def test_faststart_mp4_with_hardly_any_picture_is_refused(tmp_path, make_video):
    source = make_video(tmp_path / "a.mp4", 4, 30, "64x48", "-movflags", "+faststart")
    with open(source, "rb") as stream:
        header = stream.read().index(b"mdat")
    source.write_bytes(source.read_bytes()[: header + 6])
    with pytest.raises(InputError, match=r"a\.mp4: .*; fetch it again"):
        transcode(source, tmp_path / "clip.mp4", QUICK)
    assert not (tmp_path / "clip.mp4").exists()


def test_real_clips_of_any_rate_keep_their_length(tmp_path, media):
    for name, seconds in (("WolfgangLanger_Pexels.mp4", 19.7), ("face_noface.mov", 6.4), ("single_face.mp4", 2.4)):
        facts = transcode(media(name), tmp_path / "clip.mp4", QUICK)
        assert facts.frames == pytest.approx(30 * seconds, abs=3), name
