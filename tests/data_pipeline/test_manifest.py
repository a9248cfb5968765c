import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.manifest import COLUMNS, read_manifest, source_file
from data_pipeline.manifest_cells import read_time, write_time
from data_pipeline.new_manifest import write_example, write_manifest
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, write_csv


def _read(tmp_path, text):
    (tmp_path / "manifest.csv").write_text(text, encoding="utf-8")
    return read_manifest(Workspace(tmp_path))


def test_rows_have_sources_from_the_workspace_and_entries_a_person(tmp_path):
    one, two = _read(tmp_path, "clip,source,subjects\na,sources/a.mp4,s1\nb,/videos/b.mkv,s2 s3\n")
    assert source_file(Workspace(tmp_path), one) == tmp_path / "sources/a.mp4"
    assert source_file(Workspace(tmp_path), two) == Path("/videos/b.mkv")
    assert one.entries() == ("a",) and two.entries() == ("b-p1", "b-p2")
    assert (one.line, two.line) == (2, 3)


def test_every_column_is_read(tmp_path):
    header = ",".join(COLUMNS)
    (row,) = _read(
        tmp_path,
        header
        + ',mine\n7,http://x.org/v,1:05,0:01:10.5,2,s1 s2,female male,reaction,"happy, loud",CC BY,n,30 41,a b,\n',
    )
    assert dataclasses.asdict(row) == {
        "clip": "7",
        "source": "http://x.org/v",
        "start": 65.0,
        "end": 70.5,
        "part": "2",
        "subjects": ("s1", "s2"),
        "gender": "female male",
        "keyword": "reaction",
        "expected_affect": "happy, loud",
        "licence": "CC BY",
        "notes": "n",
        "age": "30 41",
        "ethnicity": "a b",
        "line": 2,
    }


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("https://www.youtube.com/watch?v=enk0b0v-gF8", r"enk0b0v-gF8-[0-9a-f]{8}\.mkv"),
        ("https://youtu.be/-abc_D", r"abc_D-[0-9a-f]{8}\.mkv"),
        ("https://x.org/talks/my%20talk.MP4?x=1", r"my_20talk-[0-9a-f]{8}\.mp4"),
        ("https://x.org/../../etc/passwd", r"passwd-[0-9a-f]{8}\.mkv"),
        ("http://x.org", r"x_org-[0-9a-f]{8}\.mkv"),
        ("http://x.org/人", r"video-[0-9a-f]{8}\.mkv"),
    ],
)
def test_download_of_a_link_lies_in_sources_under_a_name_of_its_own(tmp_path, link, name):
    one, two = _read(tmp_path, f"clip,source\na,{link}\nb,{link}\n")
    path = source_file(Workspace(tmp_path), one)
    assert path.parent == tmp_path / "sources" and re.fullmatch(name, path.name)
    assert path == source_file(Workspace(tmp_path), two)


def test_links_that_end_alike_have_two_downloads(tmp_path):
    one, two = _read(tmp_path, "clip,source\na,http://x.org/v.mp4\nb,http://y.org/v.mp4\n")
    assert source_file(Workspace(tmp_path), one) != source_file(Workspace(tmp_path), two)


LONG = "x" * 10_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,source\n../a,x.mp4\n", "line 2: column 'clip': the name '../a' cannot be a file's name"),
        ("clip,source\n$(rm),x.mp4\n", "line 2: column 'clip': the name '$(rm)' cannot be"),
        (f"clip,source\n{LONG},x.mp4\n", "line 2: column 'clip': the name 'xxx"),
        ("clip,source\na,x.mp4\n,y.mp4\n", "line 3: column 'clip': the name '' cannot be"),
        ("clip,source\na,x.mp4\nA,y.mp4\n", "line 3: column 'clip': A is on line 2 already; rename"),
        ("clip,source\na,\n", "line 2: column 'source': it is empty; give"),
        (f"clip,source\na,{LONG}\n", "line 2: column 'source': the path 'xxx"),
        ('clip,source\na,"x\x00.mp4"\n', "line 2: column 'source': it holds the control character U+0000"),
        ('clip,source\na,"x\ny.mp4"\n', "line 3: column 'source': it holds the control character U+000A"),
        (
            "clip,source\na,file:///etc/passwd\n",
            "column 'source': 'file:///etc/passwd' begins with file://; give an http",
        ),
        ("clip,source\na,https://\n", "column 'source': 'https://' is no link; copy"),
        ("clip,source\na,https://[x/v.mp4\n", "column 'source': 'https://[x/v.mp4' is no link; copy"),
        ("clip,source,start\na,x.mp4,-1\n", "line 2: column 'start': '-1' is no time; write seconds (75.5) or h:mm:ss"),
        ("clip,source,end\na,x.mp4,1:75\n", "line 2: column 'end': '1:75' is no time"),
        ("clip,source,end\na,x.mp4,nan\n", "line 2: column 'end': 'nan' is no time"),
        ("clip,source,start,end\na,x.mp4,5,5\n", "line 2: column 'end': it does not lie after the start"),
        ("clip,source,part\na,x.mp4,one\n", "line 2: column 'part': 'one' is no part"),
        ("clip,source,part\na,x.mp4,1\nb,x.mp4,1\n", "line 3: column 'part': line 2 is part 1 of this source already"),
        ("clip,source,subjects\na,x.mp4,s1 s2 s3\n", "line 2: column 'subjects': it takes one or two different ids"),
        ("clip,source,subjects\na,x.mp4,s1 S1\n", "line 2: column 'subjects': it takes one or two different ids"),
        ("clip,source,subjects\na,x.mp4,s/1\n", "line 2: column 'subjects': the name 's/1' cannot be"),
        ("clip,source,subjects,age\na,x.mp4,s1 s2,30\n", "line 2: column 'age': '30' does not say which subject"),
        (f"clip,source,notes\na,x.mp4,{LONG}x\n", "line 2: column 'notes': it holds 10001 characters"),
        (f"clip,source,notes\na,x.mp4,{20 * LONG}\n", "this is no CSV (field larger than field limit"),
        ("clip,source,subject\na,x.mp4,s1\n", "line 1: column 'subject': it looks like 'subjects'; mend the name"),
        ("clip,source,source\na,x.mp4,y\n", "line 1: the column 'source' is there twice"),
        ("clip,source\na,x.mp4,happy\n", "line 2: the row has more values than there are columns; put values"),
        ("clip,source\n", "the manifest has no rows; add"),
        ("clip,video\na,x\n", "line 1: the column 'source' is missing"),
        ("", "line 1: the column 'clip' is missing"),
    ],
)
def test_fault_is_named_with_its_line_and_a_remedy(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        _read(tmp_path, text)
    assert str(tmp_path / "manifest.csv") in str(error.value) and message in str(error.value)
    assert len(str(error.value)) < 500


def test_all_faults_are_named_at_once(tmp_path):
    with pytest.raises(InputError) as error:
        _read(tmp_path, "clip,source,start,subjects\na/b,,x,s1\nok,y.mp4,3,\nc,z.mp4,,s1 s1\n")
    assert str(error.value).splitlines() == [
        f"{tmp_path / 'manifest.csv'}: the manifest has 4 faults; mend them:",
        "  line 2: column 'start': 'x' is no time; write seconds (75.5) or h:mm:ss (0:01:15.5)",
        "  line 2: column 'clip': the name 'a/b' cannot be a file's name; use 1 to 120 letters, digits, '.', '_' and "
        "'-', beginning with a letter, a digit or '_'",
        "  line 2: column 'source': it is empty; give the video's link or path",
        "  line 4: column 'subjects': it takes one or two different ids; mend the row.",
    ]


def test_of_very_many_faults_the_first_fifty_are_listed(tmp_path):
    with pytest.raises(InputError) as error:
        _read(tmp_path, "clip,source\n" + "a b,x.mp4\n" * 200)
    assert "200 faults" in str(error.value) and str(error.value).endswith("and 150 more.")
    assert len(str(error.value).splitlines()) == 52


@pytest.mark.parametrize("source", ["../x.mp4", "/x/y.mp4", "a b$(c);'.mp4", "人/é.mp4", "-rf", "x:y.mp4"])
def test_any_path_may_be_a_source_for_it_is_only_read(tmp_path, source):
    (row,) = _read(tmp_path, f"clip,source\na,{source}\n")
    assert row.source == source and source_file(Workspace(tmp_path), row) == tmp_path / source


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("75", 75), ("75.25", 75.25), ("1:15", 75), ("90:00", 5400), ("1:01:15.5", 3675.5), ("", None)],
)
def test_times_are_seconds_or_hours_minutes_and_seconds(tmp_path, text, seconds):
    assert read_time(text, tmp_path, 1) == seconds
    if seconds is not None:
        assert read_time(write_time(seconds), tmp_path, 1) == seconds


@given(st.floats(0, 900_000))
def test_time_that_is_written_is_read_to_a_millisecond(seconds):
    assert read_time(write_time(seconds), Path("m"), 1) == pytest.approx(seconds, abs=0.00051)


# Lone surrogates can be no part of a UTF-8 file.
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(st.lists(st.tuples(_TEXT, _TEXT, _TEXT, _TEXT, _TEXT), max_size=4))
def test_any_manifest_is_read_or_refused_in_words_and_keeps_every_name_in_the_workspace(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("fuzz")
    write_csv(
        folder / "manifest.csv",
        ("clip", "source", "start", "subjects", "notes"),
        [dict(zip(("clip", "source", "start", "subjects", "notes"), row, strict=True)) for row in rows],
    )
    try:
        read = read_manifest(Workspace(folder))
    except InputError as error:
        assert "manifest.csv" in str(error)
        return
    for row in read:
        for entry in (row.clip, *row.entries()):
            assert Workspace(folder).clip(entry).resolve().parent == (folder / "clips").resolve()


def test_example_holds_the_links_of_the_thesis(tmp_path):
    workspace = Workspace(tmp_path / "w")
    assert write_example(workspace) == 140
    rows = read_manifest(workspace)
    assert [row.clip for row in rows] == [str(number) for number in range(1, 141)]
    assert rows[0].source == "https://www.youtube.com/watch?v=enk0b0v-gF8"
    assert len({source_file(workspace, row) for row in rows}) == 140
    assert not any(row.subjects for row in rows)
    with pytest.raises(InputError, match="there is a manifest already"):
        write_example(workspace)


def test_empty_lines_do_not_shift_the_line_that_is_named(tmp_path):
    with pytest.raises(InputError, match="line 5: column 'source': it is empty"):
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
    assert write_manifest(workspace, folder, COLUMNS) == 4
    rows = read_manifest(workspace)
    assert sorted(row.clip for row in rows) == ["A_2", "My_clip_1", "a", "clip"]
    assert {row.source for row in rows} == {str(path) for path in folder.rglob("*") if path.suffix not in ("", ".txt")}
    assert all(row.subjects == (row.clip,) for row in rows)


def test_subject_is_taken_from_the_file_s_name(tmp_path):
    folder = _videos(tmp_path, "s7_take1.mp4", "s7_take2.mp4", "s8_take1.mp4")
    write_manifest(Workspace(tmp_path / "w"), folder, COLUMNS, r"^(s\d+)_")
    assert [row.subjects for row in read_manifest(Workspace(tmp_path / "w"))] == [("s7",), ("s7",), ("s8",)]


def test_folder_without_videos_and_existing_manifest_are_refused(tmp_path):
    with pytest.raises(InputError, match="no video was found there; use a folder with"):
        write_manifest(Workspace(tmp_path), tmp_path, COLUMNS)
    (tmp_path / "manifest.csv").write_text("mine")
    with pytest.raises(InputError, match="there is a manifest already; edit it, or move it away"):
        write_manifest(Workspace(tmp_path), _videos(tmp_path, "a.mp4"), COLUMNS)
    assert (tmp_path / "manifest.csv").read_text() == "mine"
