import subprocess

import av
import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from data_pipeline.decode import clip_frames, clip_planes
from data_pipeline.frames import Frame
from tfrecords.crops import encode_jpeg

KINDS = {
    "bt601": ("-pix_fmt", "yuv420p", "-vf", "scale=out_color_matrix=bt601", "-colorspace", "smpte170m"),
    "bt709": ("-pix_fmt", "yuv420p", "-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709"),
    "unnamed": ("-pix_fmt", "yuv420p"),
    "full_range": ("-pix_fmt", "yuvj420p"),
    "full_range_709": (
        "-pix_fmt", "yuv420p", "-vf", "scale=out_color_matrix=bt709:out_range=pc", "-colorspace", "bt709",
        "-color_range", "pc",
    ),
    "ten_bit": ("-pix_fmt", "yuv420p10le"),
    "chroma_444": ("-pix_fmt", "yuv444p"),
}  # fmt: skip
PLANAR = {"bt601", "bt709", "unnamed", "full_range", "full_range_709"}


# ffmpeg's quick conversion takes the nearest chroma; this one spreads it.
EXACT = ("-sws_flags", "accurate_rnd+full_chroma_int+bilinear")


def _ffmpeg_rgb(path, height, width, *arguments):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-frames:v", "1", *arguments]
    done = subprocess.run([*command, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"], check=True, capture_output=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(height, width, 3).astype(int)


def _first(path):
    return next(clip_planes(path))


@pytest.fixture(scope="module")
def smooth(tmp_path_factory, make_video):
    """A function that makes a soft picture in any pixel format and size: without edges all chroma filters agree."""

    def make(kind, size="322x240", codec=("-c:v", "libx264", "-qp", "4")):
        path = tmp_path_factory.mktemp(kind) / "a.mkv"
        picture = f"gradients=size={size}:duration=0.2:rate=10:c0=red:c1=lime:c2=blue:c3=gray:n=4:seed=3"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", picture, *codec, *KINDS[kind]]
        subprocess.run([*command, str(path)], check=True)
        return path

    return make


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_colours_are_ffmpeg_s_in_every_matrix_range_and_depth(smooth, kind):
    path = smooth(kind)
    frame = _first(path)
    assert (len(frame.planes) == 3) == (kind in PLANAR)
    picture = frame.picture()
    assert picture.shape == (240, 322, 3) and picture.dtype == np.uint8
    expected = _ffmpeg_rgb(path, 240, 322, *(EXACT if kind in PLANAR else ()))
    assert np.abs(picture - expected).mean() < 1
    assert np.abs(picture - expected).max() <= (8 if kind in PLANAR else 16)
    assert expected.std(axis=(0, 1)).min() > 20
    assert np.abs(picture - next(clip_frames(path)).astype(int)).mean() < 1.5


def test_matrices_differ_so_that_the_wrong_one_would_show(smooth):
    frame = _first(smooth("bt709"))
    wrong = Frame(frame.planes, _first(smooth("bt601")).to_rgb)
    assert np.abs(frame.picture().astype(int) - wrong.picture()).mean() > 2


@pytest.mark.parametrize("kind", ["bt601", "chroma_444"])
@pytest.mark.parametrize("bounds", [(0, 0, 40, 30), (7, 11, 100, 96), (301, 201, 321, 239), (5, 5, 6, 6)])
def test_region_is_that_part_of_the_picture(smooth, kind, bounds):
    frame = _first(smooth(kind))
    left, top, right, bottom = bounds
    region = frame.region(*bounds)
    assert region.shape == (bottom - top, right - left, 3)
    difference = np.abs(region.astype(int) - frame.picture()[top:bottom, left:right])
    # At a region's rim colour is spread from within only.
    assert difference.mean() < 1 and difference[2:-2, 2:-2].max(initial=0) <= 1


@pytest.mark.parametrize("kind", ["bt601", "bt709"])
@pytest.mark.parametrize("bounds", [(0, 0, 320, 240), (7, 11, 200, 196), (301, 201, 322, 239), (5, 5, 6, 6)])
def test_region_for_jpeg_is_the_region_once_it_is_a_jpeg(smooth, kind, bounds):
    frame = _first(smooth(kind))
    assert frame.plain == (kind == "bt601")
    quick, whole = (
        cv2.imdecode(np.frombuffer(encode_jpeg(picture, 95), np.uint8), cv2.IMREAD_COLOR).astype(int)
        for picture in (frame.region_for_jpeg(*bounds), frame.region(*bounds))
    )
    assert quick.shape == whole.shape
    assert np.abs(quick - whole).mean() < 1.5 and np.abs(quick - whole).max() <= 24


def test_region_for_jpeg_of_an_odd_frame_reaches_its_rim(smooth):
    frame = _first(smooth("unnamed", "321x241", ("-c:v", "ffv1")))
    assert frame.plain
    np.testing.assert_array_equal(frame.region_for_jpeg(300, 220, 321, 241), frame.region(300, 220, 321, 241))


@pytest.mark.parametrize("size", ["321x241", "641x358", "320x181"])
def test_odd_sizes_lose_no_pixel(smooth, size):
    width, height = map(int, size.split("x"))
    path = smooth("unnamed", size, ("-c:v", "ffv1"))
    frame = _first(path)
    assert (frame.width, frame.height) == (width, height) and frame.planes[1].shape == (
        (height + 1) // 2,
        (width + 1) // 2,
    )
    assert np.abs(frame.picture() - _ffmpeg_rgb(path, height, width, *EXACT)).mean() < 1
    assert frame.region(width - 9, height - 9, width, height).shape == (9, 9, 3)


def test_resized_and_luma_are_those_of_the_picture(smooth):
    frame = _first(smooth("bt709"))
    picture = frame.picture()
    assert np.abs(frame.resized(64, 48).astype(int) - cv2.resize(picture, (64, 48))).mean() < 2
    of_picture = Frame((picture,))
    np.testing.assert_array_equal(of_picture.resized(64, 48), cv2.resize(picture, (64, 48)))
    assert frame.luma(64, 36).shape == of_picture.luma(64, 36).shape == (36, 64)


def test_square_around_a_point_is_sampled_from_the_picture_and_goes_on_at_its_edge(smooth):
    frame = _first(smooth("bt601"))
    picture = frame.picture().astype(int)
    square = frame.square(150, 120, 96, 48)
    assert np.abs(square - cv2.resize(picture[72:168, 102:198].astype(np.uint8), (48, 48)).astype(int)).mean() < 2
    of_picture = Frame((frame.picture(),)).square(150, 120, 48, 48)
    np.testing.assert_array_equal(of_picture, picture[96:144, 126:174])
    corner = frame.square(0, 0, 40, 40).astype(int)
    assert np.abs(corner[:20, :20] - picture[0, 0]).max() <= 4


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_video_is_upright(tmp_path, make_video, turn):
    source = make_video(tmp_path / "a.mp4", 0.2, 10, "64x48", "-pix_fmt", "yuv420p")
    turned = tmp_path / "turned.mp4"
    binary = imageio_ffmpeg.get_ffmpeg_exe()
    command = [binary, "-v", "error", "-display_rotation", str(turn), "-i", str(source), "-c", "copy", str(turned)]
    subprocess.run(command, check=True)
    with av.open(str(turned)) as container:
        assert next(container.decode(video=0)).rotation % 360 == turn
    frame = _first(turned)
    np.testing.assert_array_equal(frame.picture(), _ffmpeg_rgb(turned, frame.height, frame.width))
