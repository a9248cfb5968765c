import numpy as np
import pytest

from data_pipeline.corrections import check_corrections, clip_corrections, correct_choices, sheet_code
from data_pipeline.manifest import COLUMNS
from data_pipeline.new_manifest import write_manifest
from data_pipeline.pipeline import BuildOptions, build
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace

HEADER = "entry,from_frame,to_frame,take,sheet\n"
CROP = np.full((20, 20, 3), 90, np.uint8)


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def test_without_a_file_there_are_no_corrections(workspace):
    assert clip_corrections(workspace, ["clip"]) == []
    check_corrections(workspace, [])


def test_rows_are_read_whole(workspace):
    workspace.corrections.write_text(HEADER + "clip,,,track 3 5,ab12\nclip-p1,5,9,face 1,\nclip, 7 ,,NONE,\n")
    first, second = clip_corrections(workspace, ["clip"])
    assert (first.first, first.last, first.take, first.numbers, first.sheet) == (1, None, "track", (3, 5), "ab12")
    assert (second.first, second.last, second.take, second.numbers, second.line) == (7, None, "none", (), 4)


def test_changed_file_is_read_again(workspace):
    workspace.corrections.write_text(HEADER + "clip,,,none,\n")
    assert clip_corrections(workspace, ["clip"])[0].take == "none"
    workspace.corrections.write_text(HEADER + "clip,,,face 12,\n")
    assert clip_corrections(workspace, ["clip"])[0].take == "face"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (",,,none,", "column 'entry' is empty"),
        ("other,x,,none,", "column 'from_frame': 'x' is no frame"),
        ("other,0,,none,", "column 'from_frame': '0' is no frame"),
        ("other,,-3,none,", "column 'to_frame': '-3' is no frame"),
        ("other,9,5,none,", "the frames end at 5, before they begin at 9"),
        ("other,,,,", "column 'take': '' is no choice"),
        ("other,,,track,", "column 'take': 'track' is no choice"),
        ("other,,,track one,", "column 'take': 'track one' is no choice"),
        ("other,,,face 1 2,", "column 'take': 'face 1 2' is no choice"),
    ],
)
def test_fault_is_named_by_line_whichever_clip_it_is_about(workspace, line, what):
    workspace.corrections.write_text(HEADER + "clip,,,none,\n" + line + "\n")
    with pytest.raises(InputError) as caught:
        clip_corrections(workspace, ["clip"])
    assert str(caught.value).startswith(f"{workspace.corrections}, line 3: {what}")


def test_missing_column_is_named(workspace):
    workspace.corrections.write_text("entry,take\nclip,none\n")
    with pytest.raises(InputError, match="the column 'from_frame' is missing"):
        clip_corrections(workspace, ["clip"])


def test_build_refuses_an_entry_that_the_manifest_does_not_make(workspace, make_video):
    (workspace.root / "videos").mkdir()
    make_video(workspace.root / "videos" / "clip.mp4")
    write_manifest(workspace, workspace.root / "videos", COLUMNS)
    workspace.corrections.write_text(HEADER + "clip,,,none,\nclip-p1,,,none,\n")
    with pytest.raises(InputError, match=r"line 3: column 'entry': the manifest makes no entry 'clip-p1'"):
        build(workspace, BuildOptions(), ("probe",))
    assert not workspace.probe("clip").exists()


def test_tracks_of_an_older_sheet_are_refused(workspace, clip_faces):
    clip = clip_faces([[CROP, CROP]] * 3)
    moved = clip_faces([[CROP, CROP]] * 3, [[(0, 0, 50, 50), (101, 0, 50, 50)]] * 3)
    assert sheet_code(clip) != sheet_code(moved) != sheet_code(clip_faces([[CROP, CROP]] * 2))
    workspace.corrections.write_text(HEADER + f"clip,,,track 2,{sheet_code(clip)}\n")
    rows = clip_corrections(workspace, ["clip"])
    chosen = [[(0, 0.5)]] * 3
    found = correct_choices(workspace.corrections, clip, ["clip"], chosen, rows)
    assert [row[0][0] for row in found] == [1, 1, 1]
    with pytest.raises(InputError, match="line 2: the tracks of clip are from an older contact sheet"):
        correct_choices(workspace.corrections, moved, ["clip"], chosen, rows)


def test_detection_that_a_frame_does_not_have_leaves_it_without_a_face(workspace, clip_faces):
    workspace.corrections.write_text(HEADER + "clip,,,face 1,\n")
    rows = clip_corrections(workspace, ["clip"])
    found = correct_choices(
        workspace.corrections, clip_faces([[CROP, CROP], [CROP]]), ["clip"], [[(0, 0.5)], [(0, 0.5)]], rows
    )
    assert [row[0][0] for row in found] == [1, -1]


def test_face_that_stays_keeps_what_the_filter_measured(workspace, clip_faces):
    workspace.corrections.write_text(HEADER + "clip,,,face 0,\n")
    rows = clip_corrections(workspace, ["clip"])
    assert correct_choices(workspace.corrections, clip_faces([[CROP]]), ["clip"], [[(0, 0.25)]], rows) == [[(0, 0.25)]]
