"""Training starts from published weights, and with the preprocessing that they learned, where the flags say so."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.checkpoints import choose_checkpoint
from affwildnet.input_spec import read_input_spec
from affwildnet.model_folder import ModelFolder, load_model, read_options
from affwildnet.models import ModelOptions
from affwildnet.train import TrainOptions, TrainRun, train
from tfrecords.workspace import Workspace

MODEL = ModelOptions(backbone="cnn_m", layers=1, units=8, attention_length=0)
CHOSEN = TrainOptions(case="0", weights="none", batch=1, sequence_length=4, learning_rate=1e-4)
RUN = TrainRun(steps=1, checkpoint_seconds=0)


def test_frozen_cnn_keeps_the_files_weights_and_gets_its_preprocessing(
    tmp_path: Path, demo_workspace: Workspace
) -> None:
    tf.keras.utils.set_random_seed(5)
    published = BACKBONES["cnn_m"].build(96)
    published.save_weights(tmp_path / "cnn_m.h5")
    folder = ModelFolder(tmp_path / "model")
    chosen = dataclasses.replace(CHOSEN, preprocess="pretrained", weights=str(tmp_path / "cnn_m.h5"))
    train(folder, demo_workspace, RUN, MODEL, chosen)

    spec = read_input_spec(folder.input)
    assert (spec.colour_order, spec.mean, spec.scale) == ("rgb", (123.6591, 116.7663, 103.9318), 1.0)
    model, _ = load_model(folder)
    tf.train.Checkpoint(model=model).restore(choose_checkpoint(folder, "latest")).expect_partial()
    for ours, theirs in zip(model.backbone.get_weights(), published.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_fully_connected_widths_are_kept_with_the_model(tmp_path: Path, demo_workspace: Workspace) -> None:
    folder = ModelFolder(tmp_path / "model")
    options = dataclasses.replace(MODEL, backbone="small_cnn", fc=("20", "10"), dropout=0.5)
    train(folder, demo_workspace, RUN, options, CHOSEN)
    assert read_options(folder) == options
    # The same folder again: the options are recognised as those of the model that is there.
    assert train(folder, demo_workspace, RUN, options, CHOSEN) == 1
