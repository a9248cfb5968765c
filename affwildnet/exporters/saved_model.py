"""The SavedModel: plain TensorFlow loads it without this package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from affwildnet.exporters.format import Reference, difference, step_difference
from affwildnet.models import AffWildNet
from affwildnet.serving import ServedModel

SIGNATURES = ("sequences", "step", "jpeg")


def write_saved_model(model: AffWildNet, folder: Path) -> None:
    """Writes ``saved_model.pb`` and ``variables/`` with the three signatures of `ServedModel`."""
    served = ServedModel(model)
    tf.saved_model.save(served, str(folder), signatures={name: getattr(served, name) for name in SIGNATURES})


def measure_saved_model(folder: Path, reference: Reference) -> dict[str, float]:
    """The differences of the three signatures, loaded again; the images of the third are PNG, which lose nothing."""
    loaded = tf.saved_model.load(str(folder))
    signatures = loaded.signatures
    inputs = _tensors(reference.inputs())
    images = dict(inputs)
    images["images"] = tf.constant([[_png(face) for face in row] for row in reference.faces])
    del images["faces"]

    def step(piece: Mapping[str, Any], state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        given = signatures["step"](**_tensors(piece), state=tf.constant(state))
        return given["values"].numpy(), given["state"].numpy()

    return {
        "sequences": difference(signatures["sequences"](**inputs)["values"].numpy(), reference.values),
        "step": step_difference(step, reference),
        "jpeg": difference(signatures["jpeg"](**images)["values"].numpy(), reference.values),
    }


def _tensors(inputs: Mapping[str, np.ndarray]) -> dict[str, tf.Tensor]:
    return {name: tf.constant(value) for name, value in inputs.items()}


def _png(face: np.ndarray) -> bytes:
    return cv2.imencode(".png", face[..., ::-1])[1].tobytes()
