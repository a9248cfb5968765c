import contextlib
import json

import numpy as np
import pytest

from data_pipeline.engine import process_clip
from data_pipeline.importers import IMPORTERS
from data_pipeline.importers.database import ImportOptions
from data_pipeline.importers.write import file_name, import_database, unique_name
from data_pipeline.manifest import read_manifest
from data_pipeline.pipeline import BuildOptions, build
from data_pipeline.stages import STAGES
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, check_name


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


def test_build_takes_an_imported_workspace_without_videos(listed, run_import, workspace):
    run_import("affwildnet_csv")
    first = build(workspace, BuildOptions())
    assert first.labelled == ["list-a", "list-b"] and sum(first.partition.values()) == 2
    (refused,) = first.failed
    assert refused.clip == "list-c" and "none gets a label (invalid 1)" in refused.reason
    assert workspace.record("list-b").exists() and first.seconds["detect"] == 0 < first.seconds["match"]
    rerun = {name: stage.options() for name, stage in STAGES.items()}
    assert process_clip(workspace, read_manifest(workspace)[0], rerun).seconds == {}


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


TABLE = "time,valence,arousal\n0.0,0.5,0.5\n1.0,0.25,-0.75\n"
CARMA = "Multimedia File,talk.mp4\nMinimum Value,-1\nMaximum Value,1\n%%%%%%,%%%%%%\n0,0.5\n1,1\n"
FRAME = '{"valence": 1, "arousal": 2, "landmarks": [[1, 2], [30, 40]]}'


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("csv", "talk.csv", TABLE),
        ("carma", "talk_valence.csv", CARMA),
        ("darma", "talk.csv", CARMA),
        ("affwildnet_csv", "list.csv", "a/1.jpg,0.1,0.2\n"),
        ("aff_wild2", "Train_Set/a.txt", "valence,arousal\n0.1,0.2\n"),
        ("aff_wild2", "AU_Detection/Train_Set/a.txt", "AU1,AU12\n0,1\n-1,1\n"),
        ("aff_wild2", "EXPR/Train_Set/a.txt", "Neutral,Anger\n1\n-1\n"),
        ("celeba", "list_attr_celeba.txt", "1\nSmiling Male\n1.jpg 1 -1\n"),
        ("disfa", "SN001_au1.txt", "1,0\n2,5\n"),
        ("bp4d", "F001_T1.csv", "0,1,12\n1,0,9\n"),
        ("afew_va", "001/001.json", f'{{"actor": "x", "frames": {{"00000": {FRAME}}}}}'),
        ("omg_emotion", "list.csv", "video,utterance,arousal,valence\nv,talk.mp4,0.5,0.5\n"),
    ],
    ids=lambda value: value.partition("\n")[0][:12],
)
def test_damaged_files_give_an_import_or_a_sentence_and_nothing_outside_the_workspace(
    tmp_path, folder, make_video, draw_image, name, file, text
):
    rng = np.random.default_rng(7)
    (folder / "v").mkdir()
    make_video(folder / "v/talk.mp4", 0.1)
    images = ("a/1.jpg", "cropped_aligned/a/00001.jpg", "001/00000.png", "img_align_celeba/1.jpg", "SN001/1.png")
    for image in (*images, "F001/T1/1.jpg"):
        draw_image(folder / image)
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    junk = [*(bytes([byte]) for byte in b'-,;"\n\0\xff'), b"nan", b"1e999", b"../../x", b"9" * 400, "😀".encode()]
    for attempt in range(25):
        data = bytearray(text.encode())
        for _ in range(rng.integers(1, 5)):
            place = int(rng.integers(len(data)))
            data[place : place + int(rng.integers(0, 6))] = junk[rng.integers(len(junk))]
        (folder / file).write_bytes(data)
        workspace = Workspace(tmp_path / f"out{attempt}" / "workspace")
        with contextlib.suppress(InputError):
            import_database(workspace, name, IMPORTERS[name], ImportOptions(folder=str(folder)))
        assert not workspace.root.exists() or [path.name for path in workspace.root.parent.iterdir()] == ["workspace"]
        if workspace.manifest.exists():
            assert all(each.entries() for each in read_manifest(workspace))
