"""Tables of a database small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from data_pipeline.statistics import tables
from data_pipeline.statistics.collect import CLIP_COLUMNS, DROPPED, ENTRY_COLUMNS, Database


def _entry(name, clip, subject, gender, part, valence, frames, seen, chosen, labelled, dropped=None, **further):
    facts = {"entry": name, "clip": clip, "subject": subject, "gender": gender, "partition": part, "age": ""}
    facts |= {"ethnicity": "", "valence_class": valence, "frames": frames, "with_face": seen, "chosen": chosen}
    reasons = dict.fromkeys(DROPPED, np.nan) if dropped is None else dict.fromkeys(DROPPED, 0.0) | dropped
    return facts | {"labelled": labelled} | reasons | further


@pytest.fixture
def database():
    entries = [
        _entry("a", "a", "anna", "female", "train", "positive", 1800, 1790, 1750, 1700, {"gap": 30, "invalid": 20}),
        _entry("b-p1", "b", "bob", "male", "train", "both", 900, 880, 800, 800, {}, age="30-40"),
        _entry("b-p2", "b", "cleo", "female", "train", "negative", 900, 880, 500, 500, {}),
        _entry("c", "c", "anna", "female", "train", "neutral", 180, 180, 180, 180),
        _entry("d", "d", "dan", "", "test", "negative", 300, 300, 300, 100, {"past_annotation": 200}),
        _entry("e", "e", "eve", "female", "", "", 600, 600, 600, np.nan),
        _entry("f", "f", "fay", "female", "", "", np.nan, np.nan, np.nan, np.nan),
    ]
    # c and d are cut from one source; f was not probed.
    clips = [
        ("a", "1.mp4", 29.97, 60.0, "mp4", "MP4", 30.0),
        ("b", "2.mp4", 25.0, 30.0, "mp4", "MP4", 30.0),
        ("c", "3.mp4", 25.0, 6.0, "mp4", "MP4", 30.0),
        ("d", "3.mp4", 25.0, 10.0, "mp4", "MP4", 30.0),
        ("e", "5.mp4", 30.0, 20.0, "mp4", "MP4", 30.0),
        ("f", "6.mp4", np.nan, np.nan, "", "", np.nan),
    ]
    labels = {
        entry["entry"]: (np.arange(1, entry["labelled"] + 1), np.zeros((int(entry["labelled"]), 2)))
        for entry in entries[:5]
    }
    return Database(pd.DataFrame(clips, columns=CLIP_COLUMNS), pd.DataFrame(entries, columns=ENTRY_COLUMNS), labels, {})


def _rows(table):
    return table.to_numpy().tolist()


def test_frame_rates_count_each_source_once(database):
    assert _rows(tables.frame_rates(database)) == [["25", 2], ["29.97", 1], ["30", 1]]


def test_classes_by_part_are_of_labelled_entries(database):
    table = tables.valence_classes(database)
    assert list(table) == ["part", "positive", "negative", "both", "neutral", "total"]
    assert _rows(table) == [["train", 1, 1, 1, 1, 4], ["test", 0, 1, 0, 0, 1], ["total", 1, 2, 1, 1, 5]]


def test_frames_by_part_are_labelled_ones(database):
    table = tables.frames_by_part(database)
    assert _rows(table) == [
        ["train", 4, 3180, 80.0, 96.95],
        ["test", 1, 100, 20.0, 3.05],
        ["total", 5, 3280, 100.0, 100.0],
    ]


def test_genders_by_part_leave_nobody_out(database):
    table = tables.genders(database)
    assert list(table) == ["part", "male", "female", "not told", "total"]
    assert _rows(table) == [["train", 1, 3, 0, 4], ["test", 0, 0, 1, 1], ["total", 1, 3, 1, 5]]


def test_attributes_count_clips_entries_people_and_frames(database):
    told = dict(_rows(tables.attributes(database)))
    assert told == {
        "format": "MP4",
        "length of videos": "0.10-1.00 min",
        "frames per second": "30",
        "clips": "6",
        "entries (people in clips)": "7",
        "labelled entries": "5",
        "labelled frames": "3,280",
        "subjects": "6",
        "synthetic": "no",
    }


def test_attributes_tell_the_data_s_own_format_and_frame_rate(database):
    database.clips["format"], database.clips["rate"] = "MKV", 25.0
    told = dict(_rows(tables.attributes(database)))
    assert (told["format"], told["frames per second"], told["length of videos"]) == ("MKV", "25", "0.12-1.20 min")
    database.clips["format"], database.clips["rate"] = "", np.nan
    told = dict(_rows(tables.attributes(database)))
    assert told["format"] == told["frames per second"] == "not known yet"
    assert told["length of videos"] == "0.10-1.00 min"  # of the sources


def test_demographics_count_a_person_once_a_part(database):
    rows = {(row["what"], row["value"]): row for row in tables.demographics(database).to_dict("records")}
    # Anna is in two clips of train.
    assert rows["gender", "female"]["train"] == 2 and rows["gender", "total"]["total"] == 4
    assert rows["gender", "not told"]["test"] == 1
    assert rows["age", "30-40"]["train"] == 1 and rows["age", "not told"]["train"] == 2


def test_every_frame_without_a_label_has_one_reason(database):
    table = tables.dropped_by_entry(database).set_index("entry")
    assert "f" not in table.index
    of_a = table.loc["a"]
    assert [of_a[name] for name in ("no_face", "not_chosen", "gap", "invalid", "not_annotated")] == [10, 40, 30, 20, 0]
    assert table.loc["b-p2", "not_chosen"] == 380 and table.loc["d", "past_annotation"] == 200
    assert table.loc["e", "not_annotated"] == 600 and table.loc["e", "dropped_percent"] == 100
    reasons = ["no_face", "not_chosen", *DROPPED, "not_annotated"]
    without = table["frames"] - table["labelled"].fillna(0)
    assert table[reasons].fillna(0).sum(axis=1).tolist() == without.tolist()


def test_reasons_are_summed_by_part(database):
    table = tables.dropped_frames(database).set_index("part")
    assert table.loc["train", "frames"] == 1800 + 900 + 900 + 180 and table.loc["train", "gap"] == 30
    assert table.loc["train", "not_chosen"] == 40 + 80 + 380
    assert table.loc["total", "not_annotated"] == 600 and table.loc["total", "past_annotation"] == 200
    # 3,280 of 4,680 frames are labelled.
    assert table.loc["total", "dropped_percent"] == pytest.approx(29.91)


def test_thin_squares_are_those_below_the_share():
    labels = np.array([[-0.9, -0.9]] * 900 + [[0.9, -0.9]] * 95 + [[1.0, 1.0]] * 5)
    table, counts, below = tables.thin_regions(labels, 2, 0.01)
    assert below == 10 and counts.tolist() == [[900, 0], [95, 5]]
    assert _rows(table) == [[-1, 0, 0, 1, 0], [0, 1, 0, 1, 5]]
