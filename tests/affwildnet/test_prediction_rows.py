import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affwildnet.heads import most_telling, parse_heads, regression_places
from affwildnet.prediction_files import columns, units
from affwildnet.prediction_rows import Row, in_range, open_store, resample
from affwildnet.video_prediction import FramePrediction, PersonValues
from data_pipeline.detectors.face import Face
from data_pipeline.frames import Frame
from data_pipeline.timed_frames import TimedFrame
from tfrecords.errors import InputError

PICTURE = Frame((np.zeros((0, 0, 3), np.uint8),))


def _prediction(number, people):
    everyone = [
        PersonValues(who, Face(10.0 * who, 2, 30, 40, 0.5, np.zeros((0, 2), np.float32)), np.array([value, -value]))
        for who, value in people
    ]
    return FramePrediction(TimedFrame(number, 1 + number / 30, 2 * number, 1 + number / 31, PICTURE), everyone)


def _row(frame, track, value, start=0.0):
    nothing = math.nan
    box = (value, 0.0, 10.0, 10.0) if track else (nothing,) * 4
    return Row(frame, start + frame / 30, frame, frame / 30, track, box, 0.9 if track else nothing, (value, -value))


def test_store_gives_back_every_row_in_order_and_leaves_no_file(tmp_path):
    with open_store(tmp_path / "a.rows", 2) as store:
        for number in range(10_000):
            store.add(_prediction(number, [(2, 0.5), (5, -0.25)] if number % 2 else []))
        store.number_people({5: 2, 2: 2})
        rows = list(store.rows())
        assert rows == list(store.rows()) or math.isnan(rows[0].score)
    assert list(tmp_path.iterdir()) == []
    assert len(rows) == 15_000 and (store.frames, store.with_face) == (10_000, 5_000)
    assert rows[0].track == 0 and math.isnan(rows[0].values[0]) and rows[0].seconds == 1
    assert [row.track for row in rows[1:3]] == [1, 1] and rows[1].values == (0.5, -0.5)
    assert rows[1].box == (20, 2, 30, 40) and rows[1].source_frame == 2
    assert store.seen[1].frames == 10_000 and store.seen[1].last == pytest.approx(1 + 9_999 / 30)


def test_people_are_numbered_as_they_came_after_the_entries(tmp_path):
    with open_store(tmp_path / "a.rows", 2) as store:
        for number, who in enumerate([7, 1, 9, 4]):
            store.add(_prediction(number, [(who, 0.0)]))
        store.number_people({7: 7, 9: 4, 4: 4}, reserved=2)
        assert [row.track for row in store.rows()] == [3, 1, 4, 4]
        assert {track: seen.frames for track, seen in store.seen.items()} == {1: 1, 3: 1, 4: 2}


def test_mean_at_10_hertz_is_of_3_frames_each():
    rows = [_row(frame, 1, float(frame), start=0.5) for frame in range(9)]
    found = list(resample(rows, 30, 10, "mean"))
    assert [row.values[0] for row in found] == [1, 4, 7]
    assert [row.seconds for row in found] == pytest.approx([0.5, 0.6, 0.7])
    assert [row.frame for row in found] == [0, 3, 6] and [row.box[0] for row in found] == [1, 4, 7]


def test_mean_is_of_each_person_and_a_moment_without_a_face_has_one_empty_row():
    rows = [_row(0, 1, 0.2), _row(0, 2, 0.6), _row(1, 1, 0.4), _row(2, 0, math.nan), _row(3, 0, math.nan)]
    found = list(resample(rows, 30, 15, "mean"))
    assert [row.track for row in found] == [1, 2, 0]
    assert [row.values[0] for row in found[:2]] == pytest.approx([0.3, 0.6]) and math.isnan(found[2].values[0])


def test_nearest_takes_one_frame_and_can_go_above_the_frames_rate():
    rows = [_row(frame, 1, float(frame)) for frame in range(7)]
    assert [row.values[0] for row in resample(rows, 30, 25, "nearest")] == [0, 1, 2, 4, 5, 6]
    up = list(resample(rows[:3], 30, 60, "nearest"))
    assert [row.values[0] for row in up] == [0, 1, 1, 2, 2]
    assert [row.seconds for row in up] == pytest.approx([n / 60 for n in range(5)])
    with pytest.raises(InputError, match="60 Hz is more than the 30 frames a second"):
        resample(rows, 30, 60, "mean")


@given(st.integers(1, 200), st.sampled_from([1.0, 4.0, 10.0, 12.5, 25.0, 30.0]))
def test_every_frame_counts_once_in_a_mean(frames, rate):
    rows = [_row(frame, 1, float(frame)) for frame in range(frames)]
    found = list(resample(rows, 30, rate, "mean"))
    assert [row.seconds for row in found] == pytest.approx([n / rate for n in range(len(found))])
    ends = [row.frame for row in found[1:]] + [frames]
    assert [row.values[0] for row in found] == pytest.approx(
        [np.mean(range(row.frame, end)) for row, end in zip(found, ends, strict=True)]
    )


def test_in_range_says_whether_all_outputs_are():
    assert in_range([-1.0, 1.0]) and not in_range([0.0, 1.0001]) and not in_range([-1.2, 0.0])


def test_columns_tell_probabilities_and_in_range_is_of_regressions_alone() -> None:
    heads = parse_heads(("au:sigmoid:au01+au12", "v:regression:valence", "e:softmax:neutral+joy"))
    outputs = ("au01", "au12", "valence", "neutral", "joy")
    told = columns(outputs, heads)
    assert list(told)[-7:] == [*outputs, "in_range", "model"]
    assert told["au01"] == {"unit": "0 to 1", "meaning": "the probability that it is there"}
    assert told["joy"] == {"unit": "0 to 1", "meaning": "the probability of this class of e"}
    assert told["in_range"]["meaning"].startswith("1: all regressions lie") and told["valence"]["unit"] == ""
    assert "au12 probability 0 to 1; valence -1 negative" in units(outputs, heads)
    assert regression_places(outputs, heads) == [2] and regression_places(outputs, ()) == [0, 1, 2, 3, 4]


def test_a_picture_shows_regressions_likely_units_and_the_likeliest_class() -> None:
    heads = parse_heads(("au:sigmoid:au01+au12", "v:regression:valence", "e:softmax:neutral+joy"))
    values = {"au01": 0.2, "au12": 0.7, "valence": -0.3, "neutral": 0.4, "joy": 0.6}
    assert most_telling(values, heads) == {"au12": 0.7, "valence": -0.3, "joy": 0.6}
    assert most_telling(values, ()) == values
