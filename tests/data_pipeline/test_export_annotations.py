"""Annotations that leave a workspace come back the same through the importers of their forms."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from processes import ROOT

from data_pipeline.annotations import NO_VALUE, Trace, read_trace, write_trace
from data_pipeline.export_annotations import ExportAnnotationsOptions, export_annotations
from data_pipeline.importers import IMPORTERS
from data_pipeline.importers.database import ImportOptions
from data_pipeline.importers.original_text import read_path
from data_pipeline.importers.write import import_database
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, write_csv, write_text

ENTRIES = ("talk", "two-p2")


@pytest.fixture
def workspaces(tmp_path):
    """One with two annotators' annotations, one without any."""
    made = []
    for name in ("from", "to"):
        workspace = Workspace(tmp_path / name)
        rows = [{"clip": "talk", "source": "t.mp4"}, {"clip": "two", "source": "u.mp4", "subjects": "a b"}]
        write_csv(workspace.manifest, ("clip", "source", "subjects"), rows)
        made.append(workspace)
    stamps = np.arange(90) / 30
    for number, annotator in enumerate(("anna", "bob")):
        for entry in ENTRIES:
            for dimension, phase in (("valence", 0.0), ("arousal", 1.0)):
                values = np.rint(900 * np.sin(2 * stamps + phase + number)).astype(np.int64)
                values[40:50] = NO_VALUE
                values[60:70] = values[60]  # a run of one value
                trace = Trace(stamps.round(6), values)
                write_trace(made[0].annotations / annotator / entry / f"{dimension}.txt", trace)
    return made


def _export(workspace, form, folder, **chosen):
    return export_annotations(workspace, ExportAnnotationsOptions(to=form, **chosen), folder).files


@pytest.mark.parametrize("form", ["carma", "darma", "elan", "original_text"])
def test_what_is_exported_can_be_imported_the_same(workspaces, tmp_path, form):
    there, back = workspaces
    _export(there, form, tmp_path / form)
    report = import_database(back, form, IMPORTERS[form], ImportOptions(folder=str(tmp_path / form)))
    assert sorted(report.clips) == list(ENTRIES) and not report.set_aside
    for annotator in ("anna", "bob"):
        for entry in ENTRIES:
            for dimension in ("valence", "arousal"):
                name = f"{annotator}/{entry}/{dimension}.txt"
                one, other = read_trace(there.annotations / name), read_trace(back.annotations / name)
                wanted = one if form != "original_text" else Trace(one.stamps[one.valid], one.values[one.valid])
                np.testing.assert_array_equal(other.values, wanted.values)
                # ELAN keeps milliseconds.
                np.testing.assert_allclose(other.stamps, wanted.stamps, atol=0.0006 if form == "elan" else 1e-6)


def test_one_sample_a_second_is_the_nearest(workspaces, tmp_path):
    (path,) = _export(workspaces[0], "darma", tmp_path, samples_per_second=1.0, annotators=("bob",), entries=("talk",))
    rows = path.read_text().splitlines()
    assert path == tmp_path / "bob" / "talk.csv" and rows[3] == "Second,Valence,Arousal"
    assert rows[5].startswith(f"0.000000,{900 * np.sin(1):.0f},") and len(rows) == 8


def test_what_darma_has_no_place_for_is_counted_and_printed(workspaces, tmp_path):
    there = workspaces[0]
    (there.annotations / "anna" / "talk" / "arousal.txt").unlink()
    write_trace(there.annotations / "bob" / "talk" / "liking.txt", Trace(np.arange(3.0), np.arange(3)))
    command = [sys.executable, "-m", "data_pipeline.export_annotations", f"--workspace={there.root}", "--to=darma"]
    result = subprocess.run([*command, f"--folder={tmp_path / 'out'}"], cwd=ROOT, capture_output=True, text=True)
    told = result.stdout.splitlines()
    assert told[0].startswith("3 files in") and told[1].endswith("holds valence and arousal and no other: 2")
    assert [line.strip() for line in told[2:]] == ["anna/talk: valence", "bob/talk: liking"]
    with pytest.raises(InputError, match="darma has no place for any of 1 annotations: anna/talk: valence"):
        _export(there, "darma", tmp_path, annotators=("anna",), entries=("talk",))


def test_nothing_to_export_is_said(workspaces, tmp_path):
    with pytest.raises(InputError, match="there is no annotation to export"):
        _export(workspaces[1], "elan", tmp_path)
    with pytest.raises(InputError, match="there is no entry nobody"):
        _export(workspaces[0], "elan", tmp_path, entries=("nobody",))


EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT><HEADER><MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/videos/talk.mp4"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="100"/>
<TIME_SLOT TIME_SLOT_ID="c" TIME_VALUE="210"/></TIME_ORDER>
<TIER TIER_ID="Valence" ANNOTATOR="eva"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="1" TIME_SLOT_REF1="a"
TIME_SLOT_REF2="b"><ANNOTATION_VALUE>-0.5</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="2" TIME_SLOT_REF1="b" TIME_SLOT_REF2="c"><ANNOTATION_VALUE>0,25
</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER><TIER TIER_ID="words"/></ANNOTATION_DOCUMENT>
"""


def _import_elan(workspace, folder, **chosen):
    return import_database(workspace, "elan", IMPORTERS["elan"], ImportOptions(folder=str(folder), **chosen))


def test_elan_s_annotation_holds_from_its_beginning_to_its_end(workspaces, tmp_path):
    write_text(tmp_path / "elan" / "x.eaf", EAF)
    _import_elan(workspaces[1], tmp_path / "elan")
    trace = read_trace(workspaces[1].annotations / "eva" / "talk" / "valence.txt")
    np.testing.assert_allclose(trace.stamps, [0, 1 / 30, 2 / 30, 0.1, 4 / 30, 5 / 30, 0.2], atol=1e-6)
    assert trace.values.tolist() == [-500] * 3 + [250] * 4


@pytest.mark.parametrize(
    "row",
    [
        "valence@eva\t\t00:00:01.000\t1.0\t1000\t00:00:01.020\t1.02\t1020\t00:00:00.020\t0.02\t20\t0.5",
        "valence@eva\t1.000\t1.020\t0.5",
        "valence@eva\t\t1000\t1020\t20\t0.5",
    ],
)
def test_elan_s_text_export_is_read_whatever_times_it_has(workspaces, tmp_path, row):
    write_text(tmp_path / "elan" / "talk.txt", f"Tier\tBegin Time\tEnd Time\tvalue\n{row}\nwords\t1.0\t1.2\thello\n")
    _import_elan(workspaces[1], tmp_path / "elan")
    trace = read_trace(workspaces[1].annotations / "eva" / "talk" / "valence.txt")
    assert trace.stamps.tolist() == [1.0] and trace.values.tolist() == [500]


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("talk.eaf", "<A>", "this is no file of ELAN"),
        ("talk.eaf", EAF.replace("-0.5", "sad"), "'sad' at 0.000 s of the tier Valence is no number"),
        ("talk.eaf", EAF.replace('TIME_VALUE="100"', ""), "has no time; align it in ELAN"),
        ("talk.eaf", EAF.replace("Valence", "mood"), "no tier is called after a dimension"),
        ("talk.txt", "valence\t1.0\t2.0\t0\nvalence\t1.0\t2.0\t0\n", "overlap at 1.000 s"),
        ("talk.txt", "valence\t1.0\t2.0\t0\nvalence 2 3\n", "line 2: 'valence 2 3' is not a tier"),
    ],
)
def test_bad_file_of_elan_is_named(workspaces, tmp_path, name, text, what):
    write_text(tmp_path / "elan" / name, text)
    with pytest.raises(InputError, match="no clip of elan could be imported") as error:
        _import_elan(workspaces[1], tmp_path / "elan")
    assert what in str(error.value)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("MENGYAO/valence/140-30-632x360.txt", ("MENGYAO", "140-30-632x360", "valence")),
        ("MENGYAO/140-30-632x360_arousal.txt", ("MENGYAO", "140-30-632x360", "arousal")),
        ("MENGYAO/12-p1.mp4/Valence.txt", ("MENGYAO", "12-p1", "valence")),
        ("arousal/12.mp4.txt", ("original", "12", "arousal")),
        ("12/valence.txt", ("original", "12", "valence")),
        ("MENGYAO/12/valence.1.txt", None),
        ("MENGYAO/notes.txt", None),
        ("valence.txt", None),
    ],
)
def test_original_s_paths_tell_annotator_clip_and_dimension(path, told):
    assert read_path(tuple(path.split("/"))) == told
