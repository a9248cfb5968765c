"""Keras 3 is refused with one sentence."""

import types

import pytest

from affwildnet import keras_check


def test_keras_2_is_accepted() -> None:
    keras_check.require_keras_2()


def test_keras_3_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    keras_3 = types.SimpleNamespace(keras=types.SimpleNamespace(__version__="3.15.1"))
    monkeypatch.setattr(keras_check, "tf", keras_3)
    with pytest.raises(RuntimeError, match=r"tf.keras is Keras 3.15.1, but .* set TF_USE_LEGACY_KERAS=1"):
        keras_check.require_keras_2()
