"""The aliases give tf-keras's own modules: a second copy would have other classes, and models would not mix."""

import importlib
import sys

import pytest
import tensorflow as tf

from affwildnet import compat


def test_vggface_builds_models_of_tf_keras() -> None:
    vggface = compat.import_vggface()
    model = vggface.VGGFace(model="vgg16", include_top=False, weights=None, input_shape=(96, 96, 3))
    assert isinstance(model, tf.keras.Model)
    assert model.output_shape == (None, 3, 3, 512)


def test_addons_are_imported_or_the_reason_is_given() -> None:
    addons, reason = compat.import_addons()
    if addons is None:
        assert "tensorflow-addons is not installed" in reason
        return
    assert reason == ""
    cell = addons.rnn.PeepholeLSTMCell(4)
    assert isinstance(cell, tf.keras.layers.Layer)
    assert tf.keras.layers.RNN(cell)(tf.zeros((2, 3, 5))).shape == (2, 4)


def test_no_module_is_loaded_twice() -> None:
    compat.import_vggface()
    compat.import_addons()
    aliased = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "keras"}
    assert aliased
    for name, module in aliased.items():
        assert module.__name__.startswith("tf_keras"), name
        assert module.__spec__ is not None and module.__spec__.name == module.__name__
        assert sys.modules[module.__name__] is module


def test_a_missing_module_is_named() -> None:
    compat.install_keras_aliases()
    with pytest.raises(ModuleNotFoundError, match="nothing_here"):
        importlib.import_module("keras.nothing_here")
