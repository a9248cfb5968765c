"""A network of several heads from training to export, on the demo's valence, arousal and action units."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

from affwildnet.bootstrap import BootstrapOptions
from affwildnet.checkpoints import list_checkpoints
from affwildnet.evaluate import EvaluateOptions, evaluate_checkpoints
from affwildnet.export import export_model
from affwildnet.model_folder import ModelFolder, load_model, read_options
from affwildnet.models import ModelOptions, build_model
from affwildnet.serving import open_model
from affwildnet.test import TestOptions as HeldOutOptions  # pytest would collect a name that begins with Test
from affwildnet.test import test_model as run_held_out
from affwildnet.train import TrainOptions, TrainRun, train
from affwildnet.training_start import restore_heads
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv, read_json

HEADS = (
    "va:regression:valence+arousal",
    "aus:sigmoid:au01+au04+au26:at=features:weight=0.5:hidden=8:dropout=0.3",
    "mouth:softmax:au12+au15",
)
OUTPUTS = ("valence", "arousal", "au01", "au04", "au26", "au12", "au15")
MODEL = ModelOptions(cell="gru", layers=1, units=8, attention_length=0, heads=HEADS)
SMALL = TrainOptions(batch=2, sequence_length=10)
RUN = TrainRun(steps=4, checkpoint_seconds=0, checkpoint_steps=2, log_steps=1, image_steps=4)
QUICK = BootstrapOptions(bootstrap=50)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, demo_workspace: Workspace) -> ModelFolder:
    """A folder trained for 4 steps, with checkpoints of steps 2 and 4, both evaluated."""
    folder = ModelFolder(tmp_path_factory.mktemp("heads"))
    assert train(folder, demo_workspace, RUN, MODEL, SMALL) == 4
    chosen = EvaluateOptions(poll_seconds=0.05, grace_seconds=0, stop_by="f1_aus", stop_after=9)
    assert evaluate_checkpoints(folder, demo_workspace, chosen, QUICK) == 2
    return folder


def _weights(folder: ModelFolder) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(list_checkpoints(folder)[4])
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith("VARIABLE_VALUE")]
    return {name: reader.get_tensor(name) for name in names if "save_counter" not in name}


@pytest.mark.slow
def test_training_that_stopped_goes_on_to_the_same_weights(
    tmp_path: Path, demo_workspace: Workspace, trained: ModelFolder
) -> None:
    folder = ModelFolder(tmp_path)
    for steps in (2, 4):
        train(folder, demo_workspace, dataclasses.replace(RUN, steps=steps), MODEL, SMALL)
    expected = _weights(trained)
    assert {name for name in expected if "/parts/aus/norms/0/moving_mean/" in name}
    for name, value in _weights(folder).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_tensorboard_shows_a_loss_a_head(trained: ModelFolder) -> None:
    tags: dict[str, list[float]] = {}
    for path in trained.events("train").glob("events*"):
        for record in tf.data.TFRecordDataset(str(path)):
            for value in event_pb2.Event.FromString(record.numpy()).summary.value:
                tags.setdefault(value.tag, []).append(
                    float(tf.make_ndarray(value.tensor).reshape(-1)[0]) if (value.tag.startswith("losses/")) else 0.0
                )
    assert {tag for tag in tags if tag.startswith("losses/")} == {
        f"losses/{n}" for n in ("total", "va", "aus", "mouth")
    }
    sums = np.array(tags["losses/va"]) + 0.5 * np.array(tags["losses/aus"]) + np.array(tags["losses/mouth"])
    np.testing.assert_allclose(tags["losses/total"], sums, rtol=1e-5)
    assert "curves" in tags


def test_evaluation_has_metrics_and_best_checkpoints_of_every_head(trained: ModelFolder) -> None:
    rows = read_csv(trained.evaluations())
    columns = [name for name in rows[0] if name.startswith(("ccc_", "f1_", "accuracy_", "macro_f1_", "score_"))]
    assert columns == [
        *("ccc_valence", "ccc_arousal", "ccc_total", "f1_au01", "f1_au04", "f1_au26", "f1_aus"),
        *("f1_au12", "f1_au15", "accuracy_mouth", "macro_f1_mouth", "ccc_va", "score_total"),
    ]
    best = read_json(trained.best)
    assert set(best) <= {"valence", "arousal", "va", "total", "f1_aus", "accuracy_mouth", "macro_f1_mouth"}
    scores = {int(row["step"]): float(row["score_total"]) for row in rows}
    assert best["total"]["value"] == max(scores.values()) and scores[best["total"]["step"]] == max(scores.values())
    assert best["va"]["ccc"] == max(float(row["ccc_va"]) for row in rows)
    (entry, *_) = read_csv(trained.root / "evaluations" / "4.csv")
    assert "accuracy_mouth" in entry and "ccc_valence" in entry and "ccc_au01" not in entry


def test_patience_by_what_no_checkpoint_is_best_in_is_refused(
    trained: ModelFolder, demo_workspace: Workspace, tmp_path: Path
) -> None:
    chosen = EvaluateOptions(poll_seconds=0.05, grace_seconds=0, partition="train", stop_by="f1_au99", which="latest")
    with pytest.raises(InputError, match=r"--stop_by=f1_au99: no best checkpoint has this name; choose of valence"):
        evaluate_checkpoints(trained, demo_workspace, chosen, QUICK)


def test_held_out_people_are_tested_by_every_head(trained: ModelFolder, demo_workspace: Workspace) -> None:
    results = run_held_out(trained, demo_workspace, HeldOutOptions(checkpoints=("total",), plots=False), QUICK)
    told = results["checkpoints"]["total"]
    assert list(told["ccc"]) == ["valence", "arousal", "total"] and results["thresholds"]["present_from"] == 0.4
    (entry, *_) = told["ccc_by_entry"]
    rows = read_csv(trained.test("total") / f"{entry}.csv")
    assert list(rows[0]) == ["frame", *(column for name in OUTPUTS for column in (name, f"{name}_label"))]
    mouth = np.array([[float(row["au12"]), float(row["au15"])] for row in rows])
    np.testing.assert_allclose(mouth.sum(axis=1), 1, atol=2e-5)
    labels = np.array([[float(row["au12_label"]), float(row["au15_label"])] for row in rows])
    if len(told["ccc_by_entry"]) == 1:
        known = labels.max(axis=1) > 0
        accuracy = (mouth[known].argmax(axis=1) == labels[known].argmax(axis=1)).mean()
        assert told["heads"]["accuracy_mouth"] == pytest.approx(accuracy)


def test_an_export_gives_probabilities_and_its_card_tells_the_heads(trained: ModelFolder, tmp_path: Path) -> None:
    assert export_model(trained, tmp_path / "saved", "total") < 1e-5
    faces = tf.constant(np.random.default_rng(0).integers(0, 256, (2, 3, 96, 96, 3), np.uint8))
    ours, exported = open_model(trained.root, "total"), open_model(tmp_path / "saved", "total")
    values = [model.step(faces, tf.zeros([2, model.state_width]))[0].numpy() for model in (ours, exported)]
    np.testing.assert_allclose(values[0], values[1], atol=1e-5)
    assert ours.outputs == exported.outputs == OUTPUTS and exported.heads == ours.heads
    assert (values[0][..., 2:5] > 0).all() and (values[0][..., 2:5] < 1).all()
    np.testing.assert_allclose(values[0][..., 5:].sum(axis=-1), 1, atol=1e-5)
    card = (tmp_path / "saved" / "MODEL_CARD.md").read_text()
    assert "| aus | the probability of each column by itself | au01, au04, au26 |" in card
    assert "| macro_f1_mouth |" in card and "| valence |" in card


def test_heads_that_are_written_alike_are_handed_on_and_others_start_anew(trained: ModelFolder) -> None:
    heads = (HEADS[1].replace("weight=0.5", "weight=2"), "mouth:softmax:au12+au25")
    model = build_model(dataclasses.replace(MODEL, heads=heads), load_model(trained)[1])
    before = model.head.parts["mouth"].get_weights()[0]
    assert restore_heads(model, trained, "4") == f"aus from {trained.root}; new: mouth"
    stored = _weights(trained)
    for name in ("hidden/0/kernel", "output_layer/kernel", "norms/0/moving_variance"):
        owner = model.head.parts["aus"]
        weight = {"hidden/0/kernel": owner.hidden[0].kernel, "output_layer/kernel": owner.output_layer.kernel}
        weight["norms/0/moving_variance"] = owner.norms[0].moving_variance
        (expected,) = (value for key, value in stored.items() if f"model/head/parts/aus/{name}/.ATT" in key)
        np.testing.assert_array_equal(weight[name], expected)
    np.testing.assert_array_equal(model.head.parts["mouth"].get_weights()[0], before)


def test_a_folder_of_other_heads_is_refused_naming_them(trained: ModelFolder, demo_workspace: Workspace) -> None:
    with pytest.raises(InputError, match="heads was"):
        train(trained, demo_workspace, RUN, dataclasses.replace(MODEL, heads=HEADS[:2]), SMALL)
    assert read_options(trained) == MODEL


def test_a_column_that_no_record_has_is_named(tmp_path: Path, demo_workspace: Workspace) -> None:
    model = dataclasses.replace(MODEL, heads=("a:sigmoid:au01+au99",))
    with pytest.raises(InputError, match=r"its records have no label 'au99' for --heads; choose from .*au45"):
        train(ModelFolder(tmp_path), demo_workspace, RUN, model, SMALL)
