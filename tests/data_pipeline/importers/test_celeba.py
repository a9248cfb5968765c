import numpy as np
import pytest

from data_pipeline.engine import process_clip
from data_pipeline.importers import celeba
from data_pipeline.importers.celeba import SPACING, make_bundles
from data_pipeline.manifest import read_manifest
from data_pipeline.partition import PartitionOptions, partition_database
from data_pipeline.stages import STAGES
from tfrecords.detections import read_detections
from tfrecords.errors import InputError
from tfrecords.index import open_partition, open_record
from tfrecords.loader import read_labels, training_dataset
from tfrecords.sequences import cut_windows
from tfrecords.workspace import read_csv, read_json, write_text

ATTRIBUTES = ("5_o_Clock_Shadow", "Mouth_Slightly_Open", "Smiling")
VALUES = {1: "-1 1 1", 2: "1 -1 1", 3: " 1 -1 -1", 4: "-1  1 -1", 5: "0 1 1", 6: "-1 -1 -1"}


@pytest.fixture
def add_images(folder, draw_image):
    """Writes the list, and images of these numbers."""

    def add(images, anno="", values=VALUES):
        lines = [f"{number:06d}.jpg  {row}\n" for number, row in values.items()]
        write_text(folder / anno / "list_attr_celeba.txt", f"{len(values)}\n{' '.join(ATTRIBUTES)}\n{''.join(lines)}")
        for number in images:
            draw_image(folder / "img_align_celeba" / f"{number:06d}.jpg", 20 * number, width=178, height=218)

    return add


def _pairs(folder, name, words):
    write_text(folder / name, "".join(f"{number:06d}.jpg {word}\n" for number, word in words.items()))


def _build(workspace, **chosen):
    rows = read_manifest(workspace)
    for row in rows:
        outcome = process_clip(workspace, row, {name: stage.options() for name, stage in STAGES.items()})
        assert not outcome.reason, outcome
    partition_database(workspace, rows, PartitionOptions(**chosen))


def test_official_parts_become_records_that_are_trained_one_image_at_a_time(add_images, folder, run_import, workspace):
    add_images([1, 2, 3, 5, 6], anno="Anno")
    _pairs(folder, "Eval/list_eval_partition.txt", {1: 0, 2: 0, 3: 1, 4: 0, 5: 0, 6: 2})
    report = run_import("celeba")
    assert report.clips == ["celeba-train-0001", "celeba-validation-0001", "celeba-test-0001"]
    assert report.left_out == {"labels without an image": 1, "labels of one dimension that are marked as missing": 1}
    _build(workspace, fixed=str(workspace.official))
    assert {row["entry"]: row["partition"] for row in read_csv(workspace.partition)} == {
        "celeba-train-0001": "train", "celeba-validation-0001": "validation", "celeba-test-0001": "test",
    }  # fmt: skip
    (file,) = open_partition(workspace, "train")
    assert file.frames.tolist() == [1, 1 + SPACING, 1 + 3 * SPACING]
    names = ("five_o_clock_shadow", "mouth_slightly_open", "smiling")
    assert file.sidecar.labels == names and not file.sidecar.synthetic
    np.testing.assert_array_equal(read_labels(file, names), [[0, 1, 1], [1, 0, 1], [np.nan, 1, 1]])
    batch = next(iter(training_dataset([file], 1, 3, 1, ("smiling", "five_o_clock_shadow"))))
    found = dict(zip(batch["names"].numpy().ravel().tolist(), batch["labels"].numpy().reshape(-1, 2), strict=True))
    np.testing.assert_array_equal(found[f"celeba-train-0001/{1 + 3 * SPACING:05d}".encode()], [1, np.nan])
    # What a face is can be told from its shade.
    shades = {
        name: face.mean() for name, face in zip(batch["names"].numpy().ravel(), batch["faces"].numpy(), strict=True)
    }
    assert abs(shades[b"celeba-train-0001/10001"] - 40) < 2


def test_no_sequence_holds_two_stills(add_images, run_import, workspace):
    add_images(VALUES)
    run_import("celeba")
    _build(workspace)
    file = open_record(workspace.record("celeba-all-0001"))
    for length in (1, 80, SPACING // 15):
        assert cut_windows([file], length)[:, 2].tolist() == [1] * 6
    facts = read_detections(workspace.detections("celeba-all-0001"))[1]
    assert facts["frames"] == 6 and not workspace.official.exists()
    assert read_manifest(workspace)[0].notes == "CelebA, stills, 000001.jpg to 000006.jpg"


def test_people_are_never_divided_between_bundles(monkeypatch):
    monkeypatch.setattr(celeba, "BUNDLE", 3)
    names = [f"{number}.jpg" for number in range(9)]
    people = dict(zip(names, ["7", "5", "7", "6", "5", "6", "6", "6", "9"], strict=True))
    bundles = make_bundles(names, {}, people)
    held = [[people[names[row]] for row in bundle.rows] for bundle in bundles]
    assert held == [["5", "5", "6", "6", "6", "6"], ["7", "7", "9"]]
    assert bundles[0].notes == "CelebA, stills, people 5 to 6"
    parts = dict.fromkeys(names[:4], "0") | {names[8]: "2"}
    assert [(bundle.name, bundle.rows) for bundle in make_bundles(names, parts, {})] == [
        ("celeba-train-0001", (0, 1, 2)),
        ("celeba-train-0002", (3,)),
        ("celeba-test-0001", (8,)),
        ("celeba-all-0001", (4, 5, 6)),
        ("celeba-all-0002", (7,)),
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Smiling\n1\n", "line 1: it does not begin with the number of images and a line of attributes"),
        ("1\nSmiling Male\n1.jpg 1\n", r"line 3: '1.jpg 1' is not an image and 2 attributes"),
        ("1\nSmiling\n1.jpg yes\n", r"line 3: '1.jpg yes' is not"),
        ("1\nSmiling\n1.jpg 1\n2.jpg 999\n", r"line 4: '2.jpg 999' is not"),
        ("0\nSmiling\n", "it lists no image"),
    ],
)
def test_list_that_is_none_is_refused(add_images, folder, run_import, workspace, text, what):
    add_images([1])
    (folder / "list_attr_celeba.txt").write_text(text)
    with pytest.raises(InputError, match=what):
        run_import("celeba")
    assert not workspace.root.exists()


def test_database_s_terms_are_told(add_images, run_import, workspace):
    add_images([1])
    run_import("celeba")
    assert "non-commercial" in read_json(workspace.database)["licence"]
