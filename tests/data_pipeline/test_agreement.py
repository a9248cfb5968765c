import cv2
import numpy as np
import pytest

from data_pipeline.agreement import AgreementOptions, measure_agreement, write_agreement
from data_pipeline.annotations import Trace, write_trace
from data_pipeline.reliability import cronbach_alpha
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv

OPTIONS = AgreementOptions()


def _wave(times, lag=0.0):
    return 300 * (np.sin(0.8 * (times - lag)) + np.sin(2.1 * (times - lag)))


def _annotate(workspace, annotator, entry, values, dimension="valence", rate=30):
    stamps = np.arange(1, len(values) + 1) / rate
    write_trace(
        workspace.annotations / annotator / entry / f"{dimension}.txt", Trace(stamps, np.rint(values).astype(np.int64))
    )


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def test_measures_are_of_the_annotators_values_at_the_frames_times(workspace):
    times = np.arange(1, 601) / 30
    values = {
        "anna": np.rint(_wave(times)),
        "bob": np.rint(0.5 * _wave(times) + 100),
        "zoe": np.rint(-_wave(times) / 3),
    }
    for name, value in values.items():
        _annotate(workspace, name, "clip", value)
    one, over_all = write_agreement(workspace, OPTIONS)
    expected = measure_agreement(np.stack(list(values.values()), axis=1))
    assert one["samples"] == 600 and one["annotators"] == "anna bob zoe"
    for row in (one, over_all):
        assert {name: row[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    assert expected["alpha"] == pytest.approx(cronbach_alpha(np.stack(list(values.values()), axis=1)))
    correlations = [
        np.corrcoef(values[a], values[b])[0, 1] for a, b in [("anna", "bob"), ("anna", "zoe"), ("bob", "zoe")]
    ]
    assert one["pearson"] == pytest.approx(np.mean(correlations))


def test_over_all_entries_the_moments_are_joined_for_each_set_of_annotators(workspace):
    times = np.arange(1, 301) / 30
    for entry, offset in [("a", 0), ("b", 200)]:
        _annotate(workspace, "anna", entry, _wave(times) + offset)
        _annotate(workspace, "bob", entry, 0.8 * _wave(times) + offset)
    _annotate(workspace, "anna", "c", _wave(times))
    _annotate(workspace, "zoe", "c", _wave(times))
    _annotate(workspace, "zoe", "d", _wave(times))
    rows = write_agreement(workspace, OPTIONS)
    found = [(row["entry"], row["annotators"], row["samples"]) for row in rows]
    pair = "anna bob"
    assert found == [("a", pair, 300), ("b", pair, 300), ("c", "anna zoe", 300), ("", pair, 600), ("", "anna zoe", 300)]
    assert rows[2]["icc_2_1"] == rows[2]["ccc"] == 1


def test_tables_and_plots_are_written(workspace):
    times = np.arange(1, 601) / 30
    for dimension in ("valence", "arousal"):
        _annotate(workspace, "anna", "clip", _wave(times), dimension)
        _annotate(workspace, "bob", "clip", _wave(times, lag=0.5), dimension)
    write_agreement(workspace, OPTIONS)
    rows = read_csv(workspace.root / "agreement.csv")
    assert [(row["entry"], row["dimension"]) for row in rows] == [
        ("clip", "valence"), ("clip", "arousal"), ("", "arousal"), ("", "valence"),
    ]  # fmt: skip
    people = read_csv(workspace.root / "agreement_annotators.csv")
    lags = {
        row["annotator"]: float(row["lag_seconds"]) for row in people if row["entry"] and row["dimension"] == "valence"
    }
    assert lags == pytest.approx({"anna": -0.25, "bob": 0.25}, abs=1 / 60)
    for dimension in ("valence", "arousal"):
        picture = cv2.imread(str(workspace.root / f"agreement-{dimension}.png"))
        assert picture.shape[0] > 300 and picture.std() > 10


def test_removing_lags_lets_late_annotators_agree(workspace):
    times = np.arange(1, 901) / 30
    _annotate(workspace, "anna", "clip", _wave(times))
    _annotate(workspace, "bob", "clip", _wave(times, lag=1.2))
    late = write_agreement(workspace, OPTIONS)[0]
    moved = write_agreement(workspace, AgreementOptions(remove_lag=True))[0]
    assert late["ccc"] < 0.6 and moved["ccc"] > 0.99


def test_samples_at_other_rates_and_gaps_are_compared_at_common_moments_only(workspace):
    times = np.arange(1, 21, dtype=float)
    _annotate(workspace, "anna", "clip", _wave(times), rate=1)
    _annotate(workspace, "bob", "clip", _wave(np.arange(1, 451) / 30))
    # From anna's first stamp, 1 s, to bob's last, 15 s.
    assert write_agreement(workspace, OPTIONS)[0]["samples"] == 14 * 30 + 1


def test_one_annotator_is_refused(workspace):
    _annotate(workspace, "anna", "clip", np.zeros(30))
    with pytest.raises(InputError, match="no entry has annotations of two people; let a second person annotate"):
        write_agreement(workspace, OPTIONS)
