import json
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrecords.errors import InputError
from tfrecords.workspace import (
    Workspace,
    atomic_path,
    check_name,
    read_csv,
    read_json,
    write_csv,
    write_json,
    write_text,
)


def test_failing_block_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "labels.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["labels.txt"]


def test_reader_sees_the_old_file_until_the_block_has_ended(tmp_path):
    path = tmp_path / "new" / "labels.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert not path.exists() and temporary.suffix == ".txt"
    assert path.read_text() == "new"


def test_block_that_wrote_nothing_is_an_error_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(FileNotFoundError), atomic_path(path):
        pass
    assert read_json(path) == {"a": 1}


@pytest.mark.parametrize("name", ["140-30-632x360", "30-30-1920x1080-p1", "_x", "a.b", "a" * 120])
def test_plain_names_are_taken(name):
    assert check_name(name, "manifest.csv") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../up",
        "/etc/passwd",
        "C:\\clip",
        "a/b",
        ".hidden",
        "-rf",
        "a b",
        "a;rm",
        "$(x)",
        "`x`",
        "a|b",
        "a&b",
        "a*",
        "a'b",
        'a"b',
        "a\n",
        "a\0",
        "Größe",
        "人",
        "a\u202eb",
        "٣",
        "a" * 121,
        "a" * 10_000,
    ],
)
def test_names_that_are_more_than_a_file_name_are_refused_in_a_short_sentence(name):
    with pytest.raises(InputError, match=r"^manifest\.csv, line 7: the name .* cannot be a file's name; use ") as error:
        check_name(name, "manifest.csv", 7)
    assert len(str(error.value)) < 600


@given(st.text(max_size=200))
def test_taken_names_stay_in_their_folder(name):
    try:
        check_name(name, "manifest.csv")
    except InputError:
        return
    root = Path("/w")
    assert name.isascii() and Workspace(root).labels(name).parent == root / "labels"
    assert os.path.normpath(root / name) == f"/w/{name}"


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"])), st.integers())))
def test_csv_read_back_is_the_one_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    write_csv(path, ("text", "number"), [{"text": text, "number": number} for text, number in rows])
    assert [(row["text"], int(row["number"])) for row in read_csv(path, ("text",))] == rows


def test_missing_column_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("clip,src\n1,2\n")
    with pytest.raises(InputError, match=r"a\.csv, line 1: the column 'source' is missing; add it"):
        read_csv(tmp_path / "a.csv", ("clip", "source"))


def test_csv_saved_by_a_spreadsheet_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfclip,source\r\n1,2\r\n")
    assert read_csv(tmp_path / "a.csv", ("clip",)) == [{"clip": "1", "source": "2"}]


@pytest.mark.parametrize(("data", "what"), [(None, "the file is missing"), (b"\xff\xfe", "not UTF-8")])
def test_unreadable_csv_is_named_with_a_remedy(tmp_path, data, what):
    path = tmp_path / "a.csv"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=what):
        read_csv(path)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe\x00", b"[1,]"])
def test_file_that_is_no_json_is_named_with_a_remedy(tmp_path, data):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.json.*not JSON; delete it"):
        read_json(tmp_path / "a.json")


def test_json_keeps_text_and_order(tmp_path):
    write_json(tmp_path / "a.json", {"z": "é", "a": [1, None]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8").startswith('{\n  "z": "é"')
    assert json.loads((tmp_path / "a.json").read_text()) == {"z": "é", "a": [1, None]}


def test_database_without_its_file_is_named_as_its_folder_and_is_not_synthetic(tmp_path):
    (tmp_path / "mine").mkdir()
    assert Workspace(tmp_path / "mine").database_facts() == {"name": "mine", "synthetic": False}


def test_input_error_survives_the_way_back_from_a_worker():
    error = InputError("a.txt", "it is empty", "fill it", 3)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "a.txt, line 3: it is empty; fill it."
    assert (again.path, again.line, again.what, again.remedy) == ("a.txt", 3, "it is empty", "fill it")
