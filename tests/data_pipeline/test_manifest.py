import pytest

from data_pipeline.manifest import read_manifest, write_manifest
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace


def _read(tmp_path, text):
    (tmp_path / "manifest.csv").write_text(text, encoding="utf-8")
    return read_manifest(Workspace(tmp_path))


def test_rows_have_sources_from_the_workspace_and_entries_a_person(tmp_path):
    one, two = _read(tmp_path, "clip,source,subjects\na,sources/a.mp4,s1\nb,/videos/b.mkv,s2 s3\n")
    assert one.source == tmp_path / "sources/a.mp4" and str(two.source) == "/videos/b.mkv"
    assert one.entries() == ("a",) and two.entries() == ("b-p1", "b-p2")
    assert (one.line, two.line) == (2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,source\n../a,x.mp4\n", "line 2: the name '../a' cannot be a file's name"),
        ("clip,source\na,x.mp4\n,y.mp4\n", "line 3: the name '' cannot be"),
        ("clip,source\na,x.mp4\nA,y.mp4\n", "line 3: column 'clip': A is on line 2 already; rename"),
        ("clip,source\na,\n", "line 2: column 'source' is empty; name"),
        ("clip,source,subjects\na,x.mp4,s1 s2 s3\n", "line 2: column 'subjects' takes one or two different ids"),
        ("clip,source,subjects\na,x.mp4,s1 s1\n", "line 2: column 'subjects' takes one or two different ids"),
        ("clip,source,subjects\na,x.mp4,s/1\n", "line 2: the name 's/1' cannot be"),
        ("clip,source\n", "the manifest has no rows; add"),
        ("clip,video\na,x\n", "line 1: the column 'source' is missing"),
        ("", "line 1: the column 'clip' is missing"),
    ],
)
def test_fault_is_named_with_its_line_and_a_remedy(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        _read(tmp_path, text)
    assert str(tmp_path / "manifest.csv") in str(error.value) and message in str(error.value)


def test_empty_lines_do_not_shift_the_line_that_is_named(tmp_path):
    with pytest.raises(InputError, match="line 5: column 'source' is empty"):
        _read(tmp_path, "clip,source\n\na,x.mp4\n\nb,\n")


def test_missing_manifest_says_how_to_write_one(tmp_path):
    with pytest.raises(InputError, match=r"there is no manifest; write one with python -m data_pipeline\.manifest"):
        read_manifest(Workspace(tmp_path))


def test_clips_whose_entries_would_share_a_file_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"line 3: column 'clip': b-p1 is on line 2 already; rename"):
        _read(tmp_path, "clip,source,subjects\nb,x.mp4,s1 s2\nb-p1,y.mp4,s3\n")


def _videos(tmp_path, *names):
    for name in names:
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "videos"


def test_manifest_of_a_folder_names_every_video_below_it(tmp_path):
    folder = _videos(tmp_path, "a.mp4", "b/A.mkv", "b/My clip (1).MOV", "notes.txt", "人.mp4")
    workspace = Workspace(tmp_path / "w")
    assert write_manifest(workspace, folder) == 4
    rows = read_manifest(workspace)
    assert sorted(row.clip for row in rows) == ["A_2", "My_clip_1", "a", "clip"]
    assert {row.source for row in rows} == {path for path in folder.rglob("*") if path.suffix not in ("", ".txt")}
    assert all(row.subjects == (row.clip,) for row in rows)


def test_subject_is_taken_from_the_file_s_name(tmp_path):
    folder = _videos(tmp_path, "s7_take1.mp4", "s7_take2.mp4", "s8_take1.mp4")
    write_manifest(Workspace(tmp_path / "w"), folder, r"^(s\d+)_")
    assert [row.subjects for row in read_manifest(Workspace(tmp_path / "w"))] == [("s7",), ("s7",), ("s8",)]


def test_folder_without_videos_and_existing_manifest_are_refused(tmp_path):
    with pytest.raises(InputError, match="no video was found there; use a folder with"):
        write_manifest(Workspace(tmp_path), tmp_path)
    (tmp_path / "manifest.csv").write_text("mine")
    with pytest.raises(InputError, match="there is a manifest already; edit it, or move it away"):
        write_manifest(Workspace(tmp_path), _videos(tmp_path, "a.mp4"))
    assert (tmp_path / "manifest.csv").read_text() == "mine"
