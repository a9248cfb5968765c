"""Every format of one small prediction: two people, of whom one is away in the middle; the other is an entry."""

import csv
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from affwildnet.prediction_files import PredictedVideo, columns, units
from affwildnet.prediction_formats import FORMATS, format_files, write_formats
from affwildnet.prediction_rows import open_store
from affwildnet.video_prediction import FramePrediction, PersonValues
from data_pipeline.detectors.face import Face
from data_pipeline.timed_frames import timed_frames

NO_POINTS = np.zeros((0, 2), np.float32)


def _people(number):
    if number >= 75:
        return []
    everyone = [PersonValues(1, Face(5, 6, 20, 24, 0.9, NO_POINTS), np.array([0.5, -0.25]))]
    if not 30 <= number < 45:
        everyone.append(PersonValues(2, Face(35, 6, 20, 24, 0.8, NO_POINTS), np.array([1.5, number / 100])))
    return everyone


@pytest.fixture(scope="module")
def written(tmp_path_factory, make_video):
    """The folder of all formats of 3 s of video, named ``in/a``."""
    folder = tmp_path_factory.mktemp("formats")
    source = make_video(folder / "a.mp4", 3, 30, "64x48", "-pix_fmt", "yuv420p")
    with open_store(folder / "in" / "a.rows", 2) as store:
        for timed in timed_frames(source):
            store.add(FramePrediction(timed, _people(timed.number)))
        store.number_people({}, reserved=1)
        video = PredictedVideo("a.mp4", str(source), True, ("valence", "arousal"), 30.0, False, ("clip-p1",), store)
        paths = write_formats(video, folder, "in/a", tuple(FORMATS))
    assert paths == format_files(folder, "in/a", tuple(FORMATS)) and all(path.exists() for path in paths)
    return folder / "in"


def test_csv_has_a_row_a_frame_and_person_and_says_what_is_in_range(written):
    with open(written / "a.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [*columns(("valence", "arousal")), units(("valence", "arousal"))]
    assert list(rows[0])[-1].startswith("units: seconds s; box pixels; valence -1 negative to 1 positive; arousal -1 ")
    assert {row[units(("valence", "arousal"))] for row in rows} == {""}
    assert len(rows) == 75 + 60 + 15
    first = {"frame": "1", "seconds": "0.0000", "source_frame": "1", "track": "1", "entry": "clip-p1"}
    assert rows[0].items() >= first.items() and rows[0]["in_range"] == "1"
    assert (rows[1]["track"], rows[1]["entry"], rows[1]["valence"], rows[1]["in_range"]) == ("2", "", "1.5000", "0")
    empty = rows[-1]
    assert empty["frame"] == "90" and {empty[name] for name in list(empty)[4:]} == {""}


def test_parquet_holds_the_same_with_units_and_meanings_beside(written):
    table, by_csv = pq.read_table(written / "a.parquet"), pd.read_csv(written / "a.csv")
    frame = table.to_pandas()
    assert list(frame) == list(by_csv)[:-1]
    for name in ("frame", "seconds", "track", "x", "score", "valence", "arousal"):
        np.testing.assert_allclose(frame[name].astype(float), by_csv[name].astype(float), atol=1e-3)
    told = table.schema.field("valence").metadata
    assert (
        b"negative (-1) to positive (1)" in told[b"meaning"] and table.schema.field("seconds").metadata[b"unit"] == b"s"
    )


def test_elan_has_a_tier_a_person_and_output_of_means_over_a_second(written):
    root = ET.parse(written / "a.eaf").getroot()
    slots = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE")) for slot in root.find("TIME_ORDER")}
    assert list(slots.values()) == sorted(slots.values())
    tiers = {tier.get("TIER_ID"): tier for tier in root.findall("TIER")}
    assert list(tiers) == ["clip-p1 valence", "clip-p1 arousal", "person 2 valence", "person 2 arousal"]
    assert {tier.get("LINGUISTIC_TYPE_REF") for tier in tiers.values()} == {
        kind.get("LINGUISTIC_TYPE_ID") for kind in root.findall("LINGUISTIC_TYPE")
    }

    def annotations(name):
        return [
            (slots[one.get("TIME_SLOT_REF1")], slots[one.get("TIME_SLOT_REF2")], float(one[0].text))
            for one in tiers[name].iter("ALIGNABLE_ANNOTATION")
        ]

    assert annotations("clip-p1 valence") == [(0, 1000, 0.5), (1000, 2000, 0.5), (2000, 2500, 0.5)]
    # Away from 1.0 to 1.5 s: the annotation begins where the person is back.
    assert annotations("person 2 arousal") == [(0, 1000, 0.145), (1500, 2000, 0.52), (2000, 2500, 0.67)]
    numbers = [one.get("ANNOTATION_ID") for one in root.iter("ALIGNABLE_ANNOTATION")]
    assert numbers == [f"a{number}" for number in range(1, 13)]
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    assert media.get("RELATIVE_MEDIA_URL") == "./../a.mp4"
    assert media.get("MEDIA_URL") == Path(written.parent / "a.mp4").as_uri()


def test_anvils_tracks_are_those_of_its_specification(written):
    root = ET.parse(written / "a.anvil").getroot()
    specification = root.find("head/specification").get("src")
    spec = ET.parse(written / specification).getroot()
    named = [f"{group.get('name')}.{track.get('name')}" for group in spec.iter("group") for track in group]
    tracks = {track.get("name"): track for track in root.iter("track")}
    assert list(tracks) == named == ["clip-p1.valence", "clip-p1.arousal", "person 2.valence", "person 2.arousal"]
    elements = tracks["person 2.valence"].findall("el")
    assert [(el.get("index"), el.get("start"), el.find("attribute").text) for el in elements] == [
        ("0", "0.0000", "+1.500"), ("1", "1.5000", "+1.500"), ("2", "2.0000", "+1.500"),
    ]  # fmt: skip


def test_plot_and_overlay_can_be_looked_at(written):
    plot = cv2.imread(str(written / "a.png"))
    assert plot is not None and plot.std() > 5
    frames = [timed.frame.picture() for timed in timed_frames(written / "a-affect.mp4")]
    sources = [timed.frame.picture() for timed in timed_frames(written.parent / "a.mp4")]
    assert len(frames) == len(sources) == 90
    changed = [np.abs(one.astype(int) - other).mean() for one, other in zip(frames, sources, strict=True)]
    assert min(changed[:75]) > 3 * max(changed[80:])
