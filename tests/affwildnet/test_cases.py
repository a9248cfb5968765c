"""What each training case changes, where it starts from, and at which rate."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.cached_features import backbone_key, cache_features
from affwildnet.cases import CASES, backbone_in_training_mode, learning_rate, trained_variables
from affwildnet.checkpoints import choose_checkpoint, keep_best, list_checkpoints, restore_model
from affwildnet.input_spec import InputSpec
from affwildnet.model_folder import ModelFolder
from affwildnet.models import ModelOptions, build_model
from affwildnet.optimizer import make_optimizer
from affwildnet.train import TrainOptions, TrainRun, train
from affwildnet.train_step import StepOptions, make_train_step
from affwildnet.training_start import case_of, starting_weights
from tfrecords.errors import InputError
from tfrecords.index import open_partition
from tfrecords.loader import training_dataset

MODEL = ModelOptions(cell="gru", layers=1, units=8, attention_length=5)
SMALL = TrainOptions(batch=2, sequence_length=10, learning_rate=1e-3)
RUN = TrainRun(steps=2, checkpoint_seconds=0, checkpoint_steps=1, log_steps=1)


def _batch():
    generator = np.random.default_rng(0)
    return {
        "faces": tf.constant(generator.integers(0, 256, (2, 4, 96, 96, 3), np.uint8)),
        "labels": tf.constant(generator.uniform(-1, 1, (2, 4, 2)), tf.float32),
        "weights": tf.ones((2, 4)),
    }


def _changed(case, options=MODEL, original_batch_norm=False):
    """Names of the model's variables that one step moves."""
    tf.keras.utils.set_random_seed(1)
    model = build_model(options, InputSpec())
    variables = trained_variables(model, CASES[case])
    before = [variable.numpy() for variable in model.variables]
    optimizer = make_optimizer(1e-3, variables)
    chosen = StepOptions(original_batch_norm=original_batch_norm)
    make_train_step(model, variables, optimizer, CASES[case], chosen)(_batch())
    pairs = zip(model.variables, before, strict=True)
    return model, {id(variable) for variable, value in pairs if not np.array_equal(variable.numpy(), value)}


def _ids(variables):
    return {id(variable) for variable in variables}


@pytest.mark.parametrize("case", ["0", "1", "2", "3"])
def test_step_moves_the_case_s_variables_and_no_other(case):
    model, changed = _changed(case)
    after_cnn = _ids(model.block.trainable_variables) | _ids(model.head.trainable_variables)
    last = _ids(model.backbone.get_layer("conv4").trainable_variables)
    expected = {"0": after_cnn, "1": after_cnn | last, "2": _ids(model.trainable_variables)}
    assert changed <= expected.get(case, expected["2"])
    # A ReLU may leave a bias without gradient, but never a kernel of what is trained.
    kernels = _ids(v for v in model.trainable_variables if "kernel" in v.name)
    assert expected.get(case, expected["2"]) & kernels <= changed


def test_frozen_batch_norm_keeps_its_averages_unless_the_original_s_behaviour_is_asked_for():
    options = dataclasses.replace(MODEL, backbone="cnn_m_batch_norm")
    model, changed = _changed("0", options)
    averages = _ids(v for v in model.backbone.variables if "moving" in v.name)
    assert averages and not averages & changed
    model, changed = _changed("0", options, original_batch_norm=True)
    averages = _ids(v for v in model.backbone.variables if "moving" in v.name)
    assert averages <= changed
    assert not _ids(model.backbone.trainable_variables) & changed
    assert backbone_in_training_mode(CASES["2"], False)


def test_last_convolution_of_resnet_has_the_scale_and_offset_of_its_batch_norm():
    model = build_model(dataclasses.replace(MODEL, backbone="resnet50"), InputSpec())
    names = [variable.name for variable in trained_variables(model, CASES["1"])]
    of_cnn = [name for name in names if "block4/unit_3" in name]
    assert len(of_cnn) == 3 and {name.rsplit("/", 1)[1].split(":")[0] for name in of_cnn} >= {"gamma", "beta"}


@pytest.mark.parametrize(
    ("case", "backbone", "cell", "attention", "rate"),
    [
        ("0", "vggface", "gru", 0, 1e-3),
        ("0", "vggface", "lstm", 0, 1e-3),
        ("0", "vggface", "gru_highway", 0, 1e-3),
        ("0", "vggface", "gru", 30, 1e-4),
        ("0", "vggface", "indrnn", 0, 1e-4),
        ("0", "resnet50_vggface2_ft", "gru", 0, 1e-4),
        ("0", "densenet121", "gru", 0, 1e-4),
        ("1", "vggface", "gru", 30, 1e-5),
        ("1", "resnet50", "gru", 30, 1e-4),
        ("2", "vggface", "gru", 30, 1e-5),
        ("2", "densenet121", "gru", 30, 1e-5),
        ("2", "resnet50", "gru", 30, 1e-4),
        ("3", "vggface", "gru", 30, 1e-5),
    ],
)
def test_rate_is_the_thesis_s(case, backbone, cell, attention, rate):
    assert learning_rate(case, ModelOptions(backbone=backbone, cell=cell, attention_length=attention)) == rate


@pytest.mark.slow
def test_case_3_takes_the_cnn_from_one_model_and_rnn_and_fc_from_another(tmp_path, demo_workspace):
    folders = {name: ModelFolder(tmp_path / name) for name in ("cnn", "rnn", "case3")}
    train(folders["cnn"], demo_workspace, RUN, MODEL, SMALL)
    train(folders["rnn"], demo_workspace, RUN, MODEL, dataclasses.replace(SMALL, seed=2))
    sources = {"cnn_from": str(folders["cnn"].root), "rnn_from": str(folders["rnn"].root)}
    chosen = dataclasses.replace(SMALL, case="3", **sources)
    # The best by the mean is not the latest.
    keep_best(folders["rnn"], "total", list_checkpoints(folders["rnn"])[1], 0.5)
    # No step: the first checkpoint is the start.
    never = dataclasses.replace(RUN, steps=0)
    with pytest.raises(InputError, match="case=3: no RNN is named"):
        train(ModelFolder(tmp_path / "no"), demo_workspace, never, MODEL, dataclasses.replace(chosen, rnn_from=""))
    train(folders["case3"], demo_workspace, RUN, MODEL, dataclasses.replace(chosen, learning_rate=1e-30))
    models = {}
    for name, folder in folders.items():
        models[name] = build_model(MODEL, InputSpec())
        restore_model(models[name], choose_checkpoint(folder, "total" if name == "rnn" else "latest"))
    assert choose_checkpoint(folders["rnn"], "total") != choose_checkpoint(folders["rnn"], "latest")
    for part, source in (("backbone", "cnn"), ("block", "rnn"), ("head", "rnn")):
        ours, theirs = (getattr(models[name], part).get_weights() for name in ("case3", source))
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-7)


def test_case_3_without_an_evaluated_rnn_says_how_to_get_one(tmp_path, demo_workspace):
    train(ModelFolder(tmp_path / "rnn"), demo_workspace, RUN, MODEL, SMALL)
    chosen = dataclasses.replace(SMALL, case="3", weights="none", rnn_from=str(tmp_path / "rnn"))
    with pytest.raises(InputError, match=r"no checkpoint 'total'.*evaluate the model first"):
        train(ModelFolder(tmp_path / "case3"), demo_workspace, RUN, MODEL, chosen)
    latest = dataclasses.replace(chosen, rnn_checkpoint="latest")
    assert train(ModelFolder(tmp_path / "case3b"), demo_workspace, RUN, MODEL, latest) == RUN.steps


@pytest.mark.parametrize(
    ("case", "backbone", "given", "start"),
    [
        ("0", "vggface", {}, "vggface"),
        ("1", "resnet50", {}, "resnet50"),
        ("2", "vggface", {}, "vggface"),
        ("3", "densenet121", {}, "densenet121"),
        ("2", "small_cnn", {}, "none"),
        ("0", "small_cnn", {"cnn_from": "folder"}, "none"),
        ("0", "small_cnn", {"weights": "none"}, "none"),
        ("0", "vggface", {"weights": "none"}, "none"),
        ("0", "vggface", {"weights": "file.h5"}, "file.h5"),
    ],
)
def test_cnn_starts_from_its_published_weights_unless_something_else_is_said(case, backbone, given, start):
    assert starting_weights(backbone, TrainOptions(case=case, **given)) == start


@pytest.mark.parametrize("case", ["0", "1", "3"])
def test_case_that_needs_a_trained_cnn_refuses_a_random_one(case):
    with pytest.raises(InputError, match="small_cnn has no published one; name a file with --weights"):
        starting_weights("small_cnn", TrainOptions(case=case))


def test_what_is_trained_of_the_cnn_can_be_chosen_apart_from_the_case():
    assert case_of(TrainOptions(case="3", trained_cnn="last_convolution")).backbone == "last_convolution"
    assert case_of(TrainOptions(case="3")).backbone == "everything" and case_of(TrainOptions(case="3")).needs_rnn


def test_output_without_a_label_is_refused_by_name(tmp_path, demo_workspace):
    options = dataclasses.replace(MODEL, outputs=("valence", "liking"))
    with pytest.raises(InputError, match="no label 'liking' for --outputs; choose from valence, arousal"):
        train(ModelFolder(tmp_path), demo_workspace, RUN, options, SMALL)


def test_cached_features_give_the_same_training_and_are_computed_once(tmp_path, demo_workspace, monkeypatch):
    losses = {}
    for cached in (False, True):
        tf.keras.utils.set_random_seed(1)
        model = build_model(MODEL, InputSpec())
        files = open_partition(demo_workspace, "train")
        files = cache_features(demo_workspace, files, model) if cached else files
        variables = trained_variables(model, CASES["0"])
        step = make_train_step(model, variables, make_optimizer(1e-3, variables), CASES["0"], StepOptions())
        batches = training_dataset(files, 10, 2, 1, MODEL.outputs).take(5)
        losses[cached] = [float(step(batch).losses["total"]) for batch in batches]
    np.testing.assert_allclose(losses[True], losses[False], atol=1e-3)
    folder = demo_workspace.root / "features" / backbone_key(model)
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    cache_features(demo_workspace, open_partition(demo_workspace, "train"), model)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"case": "2", "cache_features": True}, "cache_features: case 2 changes the CNN; use it with --case=0 only"),
        ({"case": "0", "cache_features": True, "original_batch_norm": True}, "drop --original_batch_norm"),
    ],
)
def test_cached_features_are_refused_where_they_would_be_wrong(tmp_path, demo_workspace, change, message):
    with pytest.raises(InputError, match=message):
        train(ModelFolder(tmp_path), demo_workspace, RUN, MODEL, dataclasses.replace(SMALL, **change))
    assert not list_checkpoints(ModelFolder(tmp_path))
