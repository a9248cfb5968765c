"""The stage as a whole: a clip's Parquet and ZIP."""

import json
import subprocess
import sys
import zipfile

import imageio_ffmpeg
import numpy as np
import pytest

from data_pipeline.decode import clip_planes
from data_pipeline.detect import DetectOptions, detect_faces
from data_pipeline.detectors.face import Face
from tfrecords.crops import read_crops
from tfrecords.detections import read_detections
from tfrecords.workspace import Workspace, read_csv


@pytest.fixture
def drawn(tmp_path, demo_workspace):
    """A workspace that holds one drawn clip of 4 s and one person, and the clip's name."""
    clip = next(row["clip"] for row in read_csv(demo_workspace.manifest) if len(row["subjects"].split()) == 1)
    workspace = Workspace(tmp_path)
    workspace.clip(clip).parent.mkdir()
    workspace.clip(clip).symlink_to(demo_workspace.clip(clip))
    return workspace, clip


def _bytes(workspace, clip):
    return workspace.detections(clip).read_bytes(), workspace.crops(clip).read_bytes()


def test_same_clip_gives_the_same_bytes(drawn):
    workspace, clip = drawn
    made = []
    for _ in range(2):
        assert detect_faces(workspace, clip, DetectOptions()) == 120
        made.append(_bytes(workspace, clip))
    assert made[0] == made[1]


def test_rows_and_crops_belong_together(drawn):
    workspace, clip = drawn
    detect_faces(workspace, clip, DetectOptions(crop_margin=0.1))
    rows, facts = read_detections(workspace.detections(clip))
    assert [row["frame"] for row in rows] == list(range(1, 121)) and {row["face"] for row in rows} == {0}
    assert facts == {
        "frames": 120, "frame_rate": 30, "detector": "fast", "min_score": 0.7, "stride": "adaptive",
        "crop_margin": 0.1, "landmarks_68": False,
    }  # fmt: skip
    assert 20 < sum(row["interpolated"] for row in rows) <= 80
    assert all(row["landmarks"].shape == (6, 2) and 0.7 <= row["score"] <= 1 for row in rows)
    frames = list(clip_planes(workspace.clip(clip)))
    with read_crops(workspace.crops(clip)) as read:
        for row in rows[::17]:
            box = [row[name] for name in ("x", "y", "width", "height")]
            left, top, right, bottom = Face(*box, 1, np.zeros((0, 2))).bounds(640, 360, 0.1)
            expected = frames[row["frame"] - 1].picture()[top:bottom, left:right]
            crop = read(row["member"])
            assert crop.shape == expected.shape
            assert np.abs(crop.astype(int) - expected).mean() < 4  # JPEG
    assert len(zipfile.ZipFile(workspace.crops(clip)).namelist()) == 120


def test_another_detector_writes_the_same_files(drawn):
    workspace, clip = drawn
    detect_faces(workspace, clip, DetectOptions(detector="blazeface"))
    rows, facts = read_detections(workspace.detections(clip))
    assert facts["detector"] == "blazeface" and facts["min_score"] == 0.6
    assert len({row["frame"] for row in rows}) > 110 and not any(row["interpolated"] for row in rows)


_MEASURED = """
import json, resource, sys
from pathlib import Path
from data_pipeline.detect import DetectOptions, detect_faces
from tfrecords.workspace import Workspace
frames = detect_faces(Workspace(Path(sys.argv[1])), "long", DetectOptions())
print(json.dumps([frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def _long_clip(tmp_path, source, minutes):
    """`source` on 1080p, again and again."""
    workspace = Workspace(tmp_path)
    workspace.clip("long").parent.mkdir()
    once = tmp_path / "once.mp4"
    binary = imageio_ffmpeg.get_ffmpeg_exe()
    encode = ["-vf", "scale=1920:1080,fps=30", "-an", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    subprocess.run([binary, "-v", "error", "-i", str(source), *encode, str(once)], check=True)
    again = ["-stream_loop", "-1", "-i", str(once), "-t", str(60 * minutes), "-c", "copy"]
    subprocess.run([binary, "-v", "error", *again, str(workspace.clip("long"))], check=True)
    return workspace


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifteen_minutes_of_1080p_stay_under_1_5_gib(tmp_path, demo_workspace):
    source = next(demo_workspace.sources.glob("*.mp4"))
    workspace = _long_clip(tmp_path, source, 15)
    done = subprocess.run([sys.executable, "-c", _MEASURED, str(tmp_path)], check=True, capture_output=True, text=True)
    frames, peak = json.loads(done.stdout)
    assert frames == pytest.approx(15 * 60 * 30, rel=0.01)
    assert peak < 1.5 * 2**20  # KiB on Linux
    assert workspace.crops("long").exists()
