"""Proposals from detections, through the command, to clips that hold exactly the frames that were chosen."""

import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from data_pipeline.clip_names import index_of, thesis_name
from data_pipeline.decode import clip_frames
from data_pipeline.manifest import read_manifest, source_file
from data_pipeline.stages import NoOptions, run_stage
from data_pipeline.transcode import TranscodeOptions
from tfrecords.detections import write_detections
from tfrecords.workspace import Workspace, read_csv, write_text

ROOT = Path(__file__).parents[2]
# The greys of two halves are a frame's number in base 16.
NUMBERED = "geq=lum='if(lt(X,W/2),mod(N,16),floor(N/16))*14+16':cb=128:cr=128"


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """A video of 8 s whose pictures say their numbers."""
    path = tmp_path_factory.mktemp("numbered") / "a.mp4"
    picture = f"color=black:size=64x48:rate=30:duration=8,format=yuv420p,{NUMBERED}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", picture, "-crf", "10", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def _numbers(clip):
    grey = np.array([[frame[:, 4:28].mean(), frame[:, 36:60].mean()] for frame in clip_frames(clip)]) * 219 / 255 + 16
    low, high = np.rint((grey - 16) / 14).astype(int).T
    return (16 * high + low).tolist()


def _workspace(root, *rows, header="clip,source,start,end,part,subjects"):
    write_text(root / "manifest.csv", header + "\n" + "".join(f"{row}\n" for row in rows))
    return Workspace(root)


def _transcode(workspace):
    for row in read_manifest(workspace):
        run_stage(workspace, row, "probe", NoOptions())
        run_stage(workspace, row, "transcode", TranscodeOptions(preset="ultrafast"))


def _detected(workspace, clip, faces):
    """Writes detections with ``faces[n]`` faces in frame n, from 0."""
    face = {"x": 0, "y": 0, "width": 1, "height": 1, "score": 1, "landmarks": [], "member": ""}
    rows = [{"frame": n + 1, "face": k, **face} for n, count in enumerate(faces) for k in range(count)]
    write_detections(workspace.detections(clip), rows, {"frames": len(faces)})


def _suggest(workspace, *flags):
    command = [sys.executable, "-m", "data_pipeline.suggest_trims", f"--workspace={workspace.root}"]
    command += ["--longest_gap=0.5", "--shortest_part=0.5", *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_applied_cuts_hold_exactly_the_frames_with_faces_and_stay(tmp_path, numbered):
    header = "clip,source,start,end,part,subjects,mine"
    workspace = _workspace(tmp_path, f"7-x,{numbered},,,,s1,own words", f"b,{numbered},1,7,,s1 s2,", header=header)
    before = workspace.manifest.read_text()
    _transcode(workspace)
    _detected(workspace, "7-x", [0] * 20 + [1] * 60 + [0] * 40 + [1] * 60 + [0] * 60)
    _detected(workspace, "b", [1] * 30 + [2] * 90 + [1] * 60)

    said = _suggest(workspace, "--apply")
    assert "7-x: no face in 50% of its frames, one in 50%, more in 0%: keep 0.65 to 2.65 s, 3.98 to 5.98 s" in said
    assert "2 of 2 clips to cut, 3 clips then" in said
    assert (tmp_path / "manifest-old-1.csv").read_text() == before
    assert (tmp_path / "trims.csv").read_text() == workspace.manifest.read_text()
    rows = read_manifest(workspace)
    assert [(row.clip, row.part, row.subjects) for row in rows] == [
        ("7-x-1", "1", ("s1",)),
        ("7-x-2", "2", ("s1",)),
        ("b", "", ("s1", "s2")),
    ]
    assert [row["mine"] for row in read_csv(workspace.manifest)] == ["own words", "own words", ""]

    # Until the clip is built anew its detections are of the old cut, and nothing is made of them.
    assert "b: its times changed since it was detected" in _suggest(workspace)
    _transcode(workspace)
    clips = {row.clip: _numbers(workspace.clip(row.clip)) for row in rows}
    assert clips == {"7-x-1": [*range(20, 80)], "7-x-2": [*range(120, 180)], "b": [*range(60, 150)]}
    for clip in ("7-x-1", "7-x-2"):
        _detected(workspace, clip, [1] * 60)
    _detected(workspace, "b", [2] * 90)
    assert "0 of 3 clips to cut, 3 clips then" in _suggest(workspace)
    assert read_manifest(workspace) == rows


@pytest.mark.parametrize("rate", ["24", "60", "15"])
def test_first_and_last_frame_show_what_the_chosen_frames_showed(tmp_path, rate):
    picture = f"color=black:size=64x48:rate={rate}:duration=4,format=yuv420p,{NUMBERED}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", picture, "-crf", "10"]
    subprocess.run([*command, str(tmp_path / "a.mkv")], check=True, stdin=subprocess.DEVNULL)
    workspace = _workspace(tmp_path, "a,a.mkv,,,,s1")
    _transcode(workspace)
    whole = _numbers(workspace.clip("a"))
    _detected(workspace, "a", [0] * 31 + [1] * 46 + [0] * 43)
    _suggest(workspace, "--apply")
    _transcode(workspace)
    cut = _numbers(workspace.clip("a"))
    assert (cut[0], cut[-1]) == (whole[31], whole[76])
    assert len(cut) == pytest.approx(46, abs=30 / float(rate))


def test_annotated_and_undetected_clips_stay_as_they_are(tmp_path, numbered):
    workspace = _workspace(tmp_path, f"a,{numbered},,,,s1", f"b,{numbered},,,,s1", f"c,{numbered},,,,s1")
    _transcode(workspace)
    for clip in ("a", "c"):
        _detected(workspace, clip, [0] * 100 + [1] * 100 + [0] * 40)
    write_text(workspace.annotations / "anna" / "a" / "valence.txt", "0 1\n")
    said = _suggest(workspace, "--rename_as_in_thesis")
    assert "a: annotated: stays as it is" in said and "b: not detected yet: stays as it is" in said
    trims = read_csv(tmp_path / "trims.csv")
    assert [(row["clip"], row["start"]) for row in trims] == [("a", ""), ("2-30-64x48", ""), ("3-30-64x48", "3.317")]
    assert [row.clip for row in read_manifest(workspace)] == ["a", "b", "c"]  # not applied


def test_clip_whose_source_is_gone_stays_and_the_others_are_cut(tmp_path, numbered):
    workspace = _workspace(tmp_path, "a,gone.mp4,,,,s1", f"b,{numbered},,,,s1")
    for clip in "ab":
        _detected(workspace, clip, [0] * 100 + [1] * 100 + [0] * 40)
    said = _suggest(workspace)
    assert "a: " in said and "gone.mp4: the video file is missing" in said and "1 of 2 clips to cut" in said


def test_new_parts_take_numbers_that_are_free(tmp_path, numbered):
    workspace = _workspace(tmp_path, f"x-1,{numbered},0,4,1,s1", f"x-2,{numbered},4,8,2,s1")
    _transcode(workspace)
    _detected(workspace, "x-1", [1] * 40 + [0] * 40 + [1] * 40)
    _detected(workspace, "x-2", [1] * 120)
    _suggest(workspace, "--apply")
    assert [(row.clip, row.part) for row in read_manifest(workspace)] == [("x-1", "1"), ("x-3", "3"), ("x-2", "2")]


def test_proposal_that_would_name_two_clips_alike_is_not_applied(tmp_path, numbered):
    workspace = _workspace(tmp_path, f"x,{numbered},,,,s1", "x-1,other.mp4,,,,s1")
    before = workspace.manifest.read_text()
    run_stage(workspace, read_manifest(workspace)[0], "transcode", TranscodeOptions(preset="ultrafast"))
    _detected(workspace, "x", [1] * 100 + [0] * 40 + [1] * 100)
    command = [sys.executable, "-m", "data_pipeline.suggest_trims", f"--workspace={tmp_path}", "--longest_gap=1"]
    command += ["--shortest_part=1", "--apply"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "trims.csv, line 4: column 'clip': x-1 is on line 2 already" in done.stderr
    assert workspace.manifest.read_text() == before


def test_names_are_the_thesis_s():
    facts = {"frame_rate": 29.97, "width": 1920, "height": 1080}
    assert thesis_name(30, facts) == "30-30-1920x1080" and thesis_name(11, facts, "2") == "11-30-1920x1080-2"
    assert (index_of("140-30-632x360", 1), index_of("12", 1), index_of("interview", 7)) == (140, 12, 7)


def test_download_s_place_does_not_change_with_the_clip_s_name(tmp_path):
    link = "https://www.youtube.com/watch?v=enk0b0v-gF8"
    (one,) = read_manifest(_workspace(tmp_path, f"1,{link},,,,"))
    (two,) = read_manifest(_workspace(tmp_path, f"1-30-640x360-2,{link},3,4,2,"))
    assert source_file(Workspace(tmp_path), one) == source_file(Workspace(tmp_path), two)
