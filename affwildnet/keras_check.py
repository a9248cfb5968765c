"""Refuses Keras 3, whose layers behave differently from the Keras 2 that these networks are written for."""

from __future__ import annotations

import tensorflow as tf


def require_keras_2() -> None:
    """Raises RuntimeError, with one sentence that says the remedy, if `tf.keras` is Keras 3 or newer.

    It is Keras 3 when TensorFlow was imported before `TF_USE_LEGACY_KERAS=1` was set, or tf-keras is not installed.
    """
    # Some releases of Keras 2 carry no version here; every Keras 3 does.
    version = getattr(tf.keras, "__version__", "2")
    if int(version.split(".")[0]) >= 3:
        raise RuntimeError(
            f"tf.keras is Keras {version}, but AffWildNet needs Keras 2: install tf-keras and set "
            "TF_USE_LEGACY_KERAS=1 in the environment (or import affwildnet) before anything imports TensorFlow."
        )
