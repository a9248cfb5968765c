"""F1, accuracy and macro F1 of heads against restatements, and CCC and MSE where labels are missing."""

import numpy as np
import pytest

from affwildnet.classification_metrics import ClassificationCounts, Thresholds
from affwildnet.heads import parse_heads
from affwildnet.measured import EntryPredictions, entry_rows, metrics_of_heads, regression_part
from affwildnet.metrics import StreamingCCC

HEADS = parse_heads(("va:regression:valence+arousal", "aus:sigmoid:au01+au12", "e:softmax:neutral+anger+joy"))
OUTPUTS = ("valence", "arousal", "au01", "au12", "neutral", "anger", "joy")


def frames(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """values and labels float32 (N, 7), a third of the labels missing, of classes all together."""
    rng = np.random.default_rng(seed)
    values = rng.random((count, 7))
    labels = np.column_stack(
        [rng.uniform(-1, 1, (count, 2)), rng.integers(0, 6, (count, 2)) / 5, np.eye(3)[rng.integers(0, 3, count)]]
    )
    labels[rng.random(labels.shape) < 0.3] = np.nan
    labels[np.isnan(labels[:, 4:]).any(axis=1), 4:] = np.nan
    return values.astype(np.float32), labels.astype(np.float32)


def restated(values: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    def f1(truth: np.ndarray, found: np.ndarray) -> float:
        hits = (truth & found).sum()
        precision, recall = hits / found.sum(), hits / truth.sum()
        return 2 * precision * recall / (precision + recall)

    told = {}
    for place, name in ((2, "au01"), (3, "au12")):
        known = ~np.isnan(labels[:, place])
        told[f"f1_{name}"] = f1(labels[known, place] > 0.39, values[known, place] >= 0.5)
    told["f1_aus"] = (told["f1_au01"] + told["f1_au12"]) / 2
    known = ~np.isnan(labels[:, 4])
    truth, found = labels[known, 4:].argmax(axis=1), values[known, 4:].argmax(axis=1)
    each = [f1(truth == number, found == number) for number in range(3)]
    told |= dict(zip(("f1_neutral", "f1_anger", "f1_joy"), each, strict=True))
    return told | {"accuracy_e": (truth == found).mean(), "macro_f1_e": np.mean(each)}


def counted(values: np.ndarray, labels: np.ndarray, **thresholds: float) -> dict[str, float]:
    counts = ClassificationCounts(HEADS, Thresholds(**thresholds))
    counts.update(values, labels)
    return counts.metrics()


def test_metrics_are_those_of_the_labelled_frames() -> None:
    told = counted(*frames())
    assert told == pytest.approx(restated(*frames()))
    assert list(told) == list(restated(*frames()))


def test_any_batching_and_merging_gives_the_same() -> None:
    values, labels = frames()
    parts = [ClassificationCounts(HEADS), ClassificationCounts(HEADS)]
    cuts = np.sort(np.random.default_rng(1).integers(0, len(values), 9))
    for number, (piece, truth) in enumerate(zip(np.split(values, cuts), np.split(labels, cuts), strict=True)):
        parts[number % 2].update(piece, truth)
    parts[0].merge(parts[1])
    assert parts[0].metrics() == counted(values, labels)


def test_a_unit_is_present_from_2_of_5_on_unless_a_threshold_says_otherwise() -> None:
    labels = np.tile(np.array([0.2, 0.4, 0.6], np.float32)[:, None], (1, 7))
    values = np.full((3, 7), 0.5, np.float32)
    assert counted(values, labels)["f1_au01"] == pytest.approx(2 * 2 / (2 * 2 + 1))
    assert counted(values, labels, present_from=0.1)["f1_au01"] == 1
    assert counted(values, labels, predicted_from=0.51)["f1_au01"] == 0


def test_f1_without_the_label_or_a_prediction_of_it_is_not_defined_and_not_in_the_mean() -> None:
    values, labels = np.zeros((4, 7), np.float32), np.zeros((4, 7), np.float32)
    values[:, 3] = labels[:, 3] = 1
    values[:, 4] = labels[:, 4] = 1
    told = counted(values, labels)
    assert np.isnan(told["f1_au01"]) and told["f1_au12"] == told["f1_aus"] == 1
    assert np.isnan(told["f1_anger"]) and told["f1_neutral"] == told["macro_f1_e"] == told["accuracy_e"] == 1


def test_heads_without_any_label_have_no_metric() -> None:
    values, labels = frames()
    assert all(np.isnan(value) for value in counted(values, np.full_like(labels, np.nan)).values())


def test_a_probability_that_is_not_finite_makes_its_heads_metrics_nan_and_no_others() -> None:
    values, labels = frames()
    expected = counted(values, labels)
    values[3, 2] = np.nan
    told = counted(values, labels)
    assert {name for name, value in told.items() if np.isnan(value)} == {"f1_au01", "f1_au12", "f1_aus"}
    assert told["macro_f1_e"] == expected["macro_f1_e"]


def test_frames_without_a_label_do_not_count_for_their_dimensions_ccc_and_mse() -> None:
    values, labels = (part[:, :2] for part in frames())
    whole, halves = StreamingCCC(), [StreamingCCC(), StreamingCCC()]
    whole.update(values, labels)
    for half, place in zip(halves, (slice(0, 150), slice(150, None)), strict=True):
        half.update(values[place], labels[place])
    halves[0].merge(halves[1])
    assert halves[0].counts == whole.counts and whole.count == 400
    for index in range(2):
        known = ~np.isnan(labels[:, index])
        alone = StreamingCCC(1)
        alone.update(values[known, index, None], labels[known, index, None])
        assert whole.counts[index] == known.sum() == alone.count
        for metric in ("ccc", "mse", "correlation"):
            assert getattr(whole, metric)()[index] == getattr(halves[0], metric)()[index]
            assert getattr(whole, metric)()[index] == getattr(alone, metric)()[0]
        np.testing.assert_array_equal(whole.means()[index], alone.means()[0])


def test_a_dimension_without_labels_is_nan_and_the_other_is_not() -> None:
    values, labels = (part[:, :2].copy() for part in frames())
    labels[:, 0] = np.nan
    stream = StreamingCCC()
    stream.update(values, labels)
    for metric in (stream.ccc(), stream.mse(), stream.correlation(), stream.means()[:, 0]):
        assert np.isnan(metric[0]) and np.isfinite(metric[1])


def test_the_score_is_the_mean_of_what_tells_most_of_each_head() -> None:
    classified = counted(*frames())
    told = metrics_of_heads(HEADS, {"valence": 0.2, "arousal": 0.4}, {"valence": 1.0, "arousal": 2.0}, classified)
    assert told["ccc_va"] == pytest.approx(0.3) and told["mse_va"] == pytest.approx(1.5)
    assert told["score_total"] == pytest.approx((0.3 + told["f1_aus"] + told["macro_f1_e"]) / 3)
    assert metrics_of_heads((), {}, {}, {}) == {}


def test_a_row_an_entry_has_ccc_of_regressions_and_f1_of_units() -> None:
    values, labels = frames()
    entry = EntryPredictions("a", np.arange(400), values, labels, "clip")
    (row,) = entry_rows([entry], OUTPUTS, heads=HEADS)
    assert [name for name in row if name.startswith("ccc_")] == ["ccc_valence", "ccc_arousal", "ccc_total"]
    assert row["f1_aus"] == counted(values, labels)["f1_aus"]
    parts, names = regression_part([entry], OUTPUTS, HEADS)
    assert names == ("valence", "arousal") and parts[0].predictions.shape == (400, 2)
    others = EntryPredictions("a", np.arange(400), values[:, 2:], labels[:, 2:])
    (row,) = entry_rows([others], OUTPUTS[2:], heads=HEADS[1:])
    assert not [name for name in row if name.startswith("ccc_")] and row["accuracy_e"] > 0
