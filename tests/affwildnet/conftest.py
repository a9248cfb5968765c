"""A model folder as `affwildnet.train` leaves it, untrained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from affwildnet.model_folder import ModelFolder


@pytest.fixture(scope="session")
def make_model_folder() -> Callable[..., ModelFolder]:
    """``make_model_folder(path, synthetic=False)`` writes a tiny untrained model with its checkpoint of step 1."""
    import tensorflow as tf

    from affwildnet.input_spec import InputSpec
    from affwildnet.model_folder import ModelFolder, describe_model
    from affwildnet.models import ModelOptions, build_model

    def make(path: Path, synthetic: bool = False) -> ModelFolder:
        folder = ModelFolder(path)
        options = ModelOptions(cell="gru", layers=1, units=8, attention_length=5)
        describe_model(folder, options, InputSpec(), {"sequence_length": 10}, {"synthetic": synthetic})
        tf.keras.utils.set_random_seed(1)
        checkpoint = tf.train.Checkpoint(model=build_model(options, InputSpec()))
        tf.train.CheckpointManager(checkpoint, str(folder.checkpoints), max_to_keep=5).save(checkpoint_number=1)
        return folder

    return make
