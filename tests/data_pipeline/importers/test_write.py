import json

import pytest

from data_pipeline.importers import IMPORTERS
from data_pipeline.importers.write import file_name, unique_name
from data_pipeline.pipeline import BuildOptions, build
from tfrecords.errors import InputError
from tfrecords.workspace import check_name


@pytest.mark.parametrize("text", ["a b", "-x", "../../etc", "", "ü" * 300, "a" * 10_000, ".hidden", "CON?", "$(x)"])
def test_any_text_becomes_a_file_s_name(text):
    name = file_name(text)
    assert check_name(name, "x") == name


def test_names_that_differ_in_case_only_or_are_an_entry_s_are_told_apart():
    used = set()
    names = [unique_name(text, used) for text in ("Clip", "clip", "c lip", "c_lip", "clip-p1", "clip")]
    assert names == ["Clip", "clip_2", "c_lip", "c_lip_2", "clip-p1_2", "clip_3"]


@pytest.fixture
def listed(folder, draw_image):
    for name in ("a", "b", "c"):
        draw_image(folder / f"{name}/1.jpg")
    (folder / "list.csv").write_text("a/1.jpg,0.1,0.2\nb/1.jpg,0.3,0.4\nc/1.jpg,-9,0\n")


def test_build_takes_an_imported_workspace_without_videos_and_a_second_one_does_nothing(listed, run_import, workspace):
    run_import("affwildnet_csv")
    first = build(workspace, BuildOptions(workers=1))
    assert first.labelled == ["list-a", "list-b"] and sum(first.partition.values()) == 2
    (refused,) = first.failed
    assert refused.clip == "list-c" and "none gets a label (invalid 1)" in refused.reason
    assert workspace.record("list-b").exists() and first.seconds["detect"] == 0 < first.seconds["match"]
    assert set(build(workspace, BuildOptions(clips=("list-a",), workers=1)).seconds.values()) >= {0}


def test_report_and_facts_tell_terms_and_what_was_left_out(listed, run_import, workspace, folder):
    run_import("affwildnet_csv")
    (told,) = json.loads((workspace.root / "import.json").read_text())
    assert told["from"] == "affwildnet_csv" and told["folder"] == str(folder) and told["clips"] == 3
    assert told["left_out"] == {"values that are marked invalid or lie off the scale": 1}
    facts = workspace.database_facts()
    assert facts["synthetic"] is False and facts["licence"] == IMPORTERS["affwildnet_csv"].licence


def test_workspace_with_a_manifest_is_left_alone(listed, run_import, workspace):
    run_import("affwildnet_csv")
    with pytest.raises(InputError, match="there is a manifest already; import into a new folder"):
        run_import("affwildnet_csv")


@pytest.mark.parametrize("name", sorted(IMPORTERS))
def test_folder_without_such_a_database_is_refused_and_nothing_written(run_import, workspace, name):
    with pytest.raises(InputError, match="database: "):
        run_import(name)
    assert not workspace.root.exists()


def test_missing_folder_is_refused(run_import, folder):
    folder.rmdir()
    with pytest.raises(InputError, match="there is no such folder; name the one that holds"):
        run_import("aff_wild")
