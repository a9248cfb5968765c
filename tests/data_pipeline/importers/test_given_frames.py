import collections

import av
import numpy as np
import pytest

from data_pipeline.annotations import NO_VALUE
from data_pipeline.decode import video_frames
from data_pipeline.importers.frames import frame_times, trace_of_frames
from data_pipeline.nearest import nearest_values
from tfrecords.errors import InputError


@pytest.mark.parametrize(("rate", "name"), [(30, "a.mp4"), (25, "a.mp4"), (60, "a.mkv"), (15, "a.avi")])
def test_frames_are_evenly_spaced_from_the_first_frame_s_time(tmp_path, make_video, rate, name):
    times = frame_times(make_video(tmp_path / name, 2.0, rate))
    # Matroska keeps milliseconds.
    np.testing.assert_allclose(times, np.arange(2 * rate) / rate + 1 / 30, atol=0.0006)


def _grey_video(path, rate, frames):
    """A video whose frame k is grey of level 4 * k + 20."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        for number in range(frames):
            picture = np.full((48, 64, 3), 4 * number + 20, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("rate", "off"), [(25, 0), (30, 0), (60, 0), (24, 1), (50, 1)])
def test_clip_s_frame_takes_the_value_of_the_source_s_frame_that_it_shows(tmp_path, rate, off):
    video = _grey_video(tmp_path / "a.mp4", rate, 50)
    shown = [round((picture.mean() - 20) / 4) for picture in video_frames(video)]
    trace = trace_of_frames(frame_times(video), np.arange(50), collections.Counter())
    labels = nearest_values(trace, np.arange(1, len(shown) + 1))
    # ffmpeg rounds a frame to its place, so of 24 or 50 a second it at times shows the nearest one's neighbour.
    np.testing.assert_allclose(labels, shown, atol=off)


def test_frames_and_labels_too_many_are_counted_and_frames_without_label_marked():
    counts = collections.Counter()
    trace = trace_of_frames(np.array([1.0, 2.0, 3.0]), np.array([5, NO_VALUE]), counts)
    assert trace.values.tolist() == [5, NO_VALUE, NO_VALUE]
    assert trace_of_frames(np.array([1.0]), np.array([5, 6, 7]), counts).values.tolist() == [5]
    assert +counts == {
        "values that are marked invalid or lie off the scale": 1,
        "frames past the last label": 1,
        "labels past the last frame": 2,
    }


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match="no readable video"):
        frame_times(tmp_path / "a.mp4")
