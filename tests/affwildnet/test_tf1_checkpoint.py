"""What TensorFlow 1's own graph-mode Saver wrote is read, in both formats."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.tf1_checkpoint import TF1Checkpoint
from tfrecords.errors import InputError

ARRAYS = {
    "conv_1/weights": np.random.default_rng(1).standard_normal((3, 3, 3, 4)).astype(np.float32),
    "conv_1/biases": np.arange(4, dtype=np.float32),
    "conv_1/weights/Adam": np.zeros((3, 3, 3, 4), np.float32),
    "global_step": np.int64(12),
    "logits/biases": np.zeros(2, np.float32),
}


@pytest.fixture(params=["V1", "V2"])
def prefix(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    v1 = tf.compat.v1
    version = {"V1": v1.train.SaverDef.V1, "V2": v1.train.SaverDef.V2}[request.param]
    with tf.Graph().as_default(), v1.Session() as session:
        for name, array in ARRAYS.items():
            v1.get_variable(name, initializer=array, use_resource=False)
        session.run(v1.global_variables_initializer())
        path = v1.train.Saver(write_version=version).save(session, str(tmp_path / "model.ckpt"), global_step=12)
    assert Path(path).exists() == (request.param == "V1")
    return Path(path)


def variables() -> dict[str, tf.Variable]:
    return {"conv_1/weights": tf.Variable(tf.ones((3, 3, 3, 4))), "conv_1/biases": tf.Variable(tf.ones(4))}


def test_variables_are_set_by_name_and_the_others_told_with_their_reasons(prefix: Path) -> None:
    ours = variables()
    checkpoint = TF1Checkpoint(prefix)
    loaded = checkpoint.load(ours, "a network")
    for name, variable in ours.items():
        np.testing.assert_array_equal(variable, ARRAYS[name])
    assert loaded.used == ("conv_1/weights", "conv_1/biases") and checkpoint.step() == 12
    assert loaded.unused == {
        "conv_1/weights/Adam": "Adam's slot",
        "global_step": "counts the training's steps",
        "logits/biases": "no part of this network",
    }


def test_missing_variable_and_other_shape_are_named_and_nothing_is_set(prefix: Path) -> None:
    for name, variable, message in [
        ("conv_2/biases", tf.Variable(tf.ones(4)), r"the variable 'conv_2/biases' \(4,\) of a network is not in it"),
        ("logits/biases", tf.Variable(tf.ones(3)), r"'logits/biases' has shape \(2,\), but a network has \(3,\)"),
    ]:
        ours = {**variables(), name: variable}
        with pytest.raises(InputError, match=message):
            TF1Checkpoint(prefix).load(ours, "a network")
        assert all((value.numpy() == 1).all() for value in ours.values())


def test_damaged_data_is_refused(tmp_path: Path) -> None:
    names = list(ARRAYS)
    prefix = str(tmp_path / "cut.ckpt")
    tensors = [tf.constant(array) for array in ARRAYS.values()]
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
    data = tmp_path / "cut.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:40])
    with pytest.raises(InputError, match=r"cut\.ckpt: (a variable|no checkpoint) can"):
        TF1Checkpoint(prefix).load(variables(), "a network")
