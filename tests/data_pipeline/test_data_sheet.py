"""The data sheet tells what the workspace holds, names nobody, and keeps what people write into it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from data_pipeline.data_sheet import renew_regions, write_data_sheet
from data_pipeline.manifest import read_manifest
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv, read_json, write_csv, write_json, write_text

HEADINGS = (
    "Motivation",
    "Composition",
    "Collection",
    "Preprocessing and labelling",
    "Uses",
    "Distribution",
    "Maintenance",
)


@pytest.fixture
def workspace(demo_workspace: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(demo_workspace.root, tmp_path / "w", copy_function=os.link)
    return Workspace(tmp_path / "w")


def test_it_has_gebrus_headings_and_the_workspaces_counts(workspace: Workspace) -> None:
    rows = read_manifest(workspace)
    text = write_data_sheet(workspace).read_text()
    assert tuple(line[3:] for line in text.splitlines() if line.startswith("## ")) == HEADINGS
    assert "- 3 clips, 4 entries (a person in a clip), 4 subjects\n- 1 clips show two subjects\n" in text
    assert "- 360 frames in the 3 clips that are detected, 0.00 hours" in text
    labelled = sum(read_json(workspace.label_report(entry))["labelled"] for row in rows for entry in row.entries())
    assert f"- 4 entries are labelled; 4 reports tell of {labelled} labelled frames" in text
    assert "- Stage detect: version 2, default options: 3 clips" in text
    assert "- It is synthetic: it shows nobody." in text
    frames = sum(int(row["frames"]) for row in read_csv(workspace.partition) if row["partition"] == "test")
    assert f"- Part test: 1 entries, 1 subjects, {frames} frames" in text
    assert "- 0 subjects are in two parts" in text
    for name in {subject for row in rows for subject in row.subjects} | {row.clip for row in rows}:
        assert name not in text


def test_people_licences_links_agreement_and_removals_are_counted(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    columns = ("clip", "source", "subjects", "gender", "licence", "age")
    cells = [
        ("a", "a.mp4", "x y", "woman man", "CC BY", ""),
        ("b", "b.mp4", "x", "", "CC BY", "30s"),
        ("c", "https://example.org/c.mp4", "z", "", "", ""),
        ("d", "d.mp4", "", "", "", ""),
    ]
    write_csv(workspace.manifest, columns, [dict(zip(columns, row, strict=True)) for row in cells])
    agreement = {"dimension": "valence", "annotators": "p q", "samples": "9", "icc_2_1": "0.7000"}
    write_csv(
        tmp_path / "agreement.csv", ("entry", *agreement), [agreement | {"entry": "a-p1", "icc_2_1": "0.1"}, agreement]
    )
    removals = [{"date": "2026-01-02", "state": "finished"}, {"date": "2026-02-03", "state": "begun"}]
    write_csv(tmp_path / "removals.csv", ("date", "state"), removals)
    imported = {"from": "csv", "clips": 4, "licence": "own", "citation": "us", "left_out": {"frames": 2}}
    write_json(tmp_path / "import.json", [imported])
    text = write_data_sheet(workspace).read_text()
    assert "4 clips, 5 entries (a person in a clip), 3 subjects; of 1 clips nobody has said who is in them" in text
    assert "Gender, as people define themselves, by subject: man: 1; not said: 1; woman: 1" in text
    assert "Age, as people define themselves, by subject: not said: 2; 30s: 1" in text
    assert "Ethnicity is not recorded" in text
    assert "Licences, by clip: CC BY: 2; not said: 2" in text
    assert "1 clips are cut from videos behind links, 3 from files" in text
    assert "Agreement on valence of 2 annotators: icc_2_1 0.7000\n" in text and "0.1" not in text
    assert "1 people have been removed on their wish, the last on 2026-01-02" in text
    assert "Imported: 4 clips of the kind csv (own; us); left out: 2 frames" in text
    assert "It is not partitioned yet" in text


def test_what_people_write_stays_and_the_generated_regions_are_renewed(workspace: Workspace) -> None:
    path = write_data_sheet(workspace)
    first = path.read_text()
    written = first.replace("**Who paid for it?** ____", "**Who paid for it?** We did.\n\n## Our own heading\n\nWords.")
    begin, end = written.index("<!-- generated: uses -->"), written.index("**What has it been used for?**")
    written = written[:begin] + written[end:]  # a region that nobody wants
    write_text(path, written.replace("- 3 clips, 4 entries", "- 99 clips, 4 entries"))
    workspace.partition.unlink()
    assert write_data_sheet(workspace).read_text() == written
    assert write_data_sheet(workspace).read_text() == written


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<!-- generated: uses -->\nwords\n", "line 1: a mark lacks its other"),
        ("words\n<!-- end -->\n", "line 2: a mark lacks its other"),
        ("<!-- generated: uses -->\n<!-- generated: uses -->\n<!-- end -->\n", "line 2: a mark lacks its other"),
        ("<!-- generated: nonsense -->\n<!-- end -->\n", "line 1: there is no region 'nonsense'"),
    ],
)
def test_marks_without_their_other_are_refused(text: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        renew_regions(Path("DATASHEET.md"), text, {"uses": "- used"})
