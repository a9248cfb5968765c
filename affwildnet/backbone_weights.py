"""Pre-trained weights into a backbone: Keras's, MatConvNet's, TensorFlow 1's checkpoints (slim, pudae, the author)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.backbones.tf1_names import tf1_weights
from affwildnet.matconvnet import read_matconvnet_layers
from affwildnet.models import AffWildNet
from affwildnet.pretrained_files import PRETRAINED_FILES, fetched_path
from affwildnet.tf1_checkpoint import TF1Checkpoint
from tfrecords.errors import InputError


@dataclasses.dataclass(frozen=True)
class FileLayer:
    """A layer of a file that has weights: its name and arrays, in Keras's order."""

    name: str
    arrays: list[np.ndarray]


def load_backbone_weights(model: AffWildNet, weights: str, folder: Path = Path("weights")) -> str:
    """Fills ``model.backbone``; on an error it is left as it was.

    Args:
      model: whose backbone is filled.
      weights: ``none``; a path of a ``.h5`` of Keras, a ``.mat`` of MatConvNet or a TensorFlow 1 checkpoint; or a name
        of `PRETRAINED_FILES`, fetched before into `folder`.
      folder: where `affwildnet.fetch_weights` put its files.

    Returns:
      One line that says what was loaded, what of the file was not used, and what of the backbone is not in the file.

    Raises:
      InputError: the file is missing, damaged, or not of this backbone (naming the first layer that does not fit).
    """
    if weights == "none":
        return "the backbone starts at random"
    name = model.options.backbone
    path = Path(weights)
    if weights in PRETRAINED_FILES:
        if weights != BACKBONES[name].weights:
            own = BACKBONES[name].weights or "none: give a path"
            raise InputError("--weights", f"{weights!r} is not of the backbone {name}", f"its published file is {own}")
        path = fetched_path(folder, weights)
    fresh: list[str] = []
    if path.suffix in (".h5", ".hdf5"):
        unused = _load_keras(model.backbone, path, name)
    elif path.suffix == ".mat":
        unused, fresh = _load_matconvnet(model.backbone, path, name)
    else:
        unused = list(TF1Checkpoint(path).load(tf1_weights(model.backbone), f"the backbone {name}").unused)
    return f"{name} from {path}{_listed('not used', unused)}{_listed('not in it, so as they start', fresh)}"


def _listed(what: str, names: list[str]) -> str:
    return f"; {what}: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}" if names else ""


def _load_matconvnet(backbone: tf.keras.Model, path: Path, name: str) -> tuple[list[str], list[str]]:
    """Fills the convolutions of `backbone` by their names; returns the file's layers left, and its own batch norms.

    VGG's CNN-M was published without batch norm, so those of `cnn_m_batch_norm` keep their initial values.
    """
    stored = read_matconvnet_layers(path)
    fresh = [layer.name for layer in backbone.layers if isinstance(layer, tf.keras.layers.BatchNormalization)]
    layers = [layer for layer in backbone.layers if layer.weights and layer.name not in fresh]
    matched = _by_name(layers, {key: FileLayer(key, arrays) for key, arrays in stored.items()}, path, name)
    _fill(layers, matched, path, name)
    ours = {layer.name for layer in layers}
    return [key for key in stored if key not in ours], fresh


def _load_keras(backbone: tf.keras.Model, path: Path, name: str) -> list[str]:
    """Fills `backbone` by the layers' names where the file has any of them, else by order; returns the layers left."""
    stored = read_keras_layers(path)
    layers = [layer for layer in backbone.layers if layer.weights]
    by_name = {layer.name: layer for layer in stored}
    if any(layer.name in by_name for layer in layers):
        matched = _by_name(layers, by_name, path, name)
    else:
        # VGG-16's files, by Oxford's names, have our layers in our order, and then perhaps the classifier.
        matched = stored[: len(layers)]
    _fill(layers, matched, path, name)
    used = {found.name for found in matched}
    return [layer.name for layer in stored if layer.name not in used]


def _by_name(
    layers: list[tf.keras.layers.Layer], stored: Mapping[str, FileLayer], path: Path, name: str
) -> list[FileLayer]:
    """What the file has for each of `layers`; raises `InputError` naming the first that is not in it."""
    for layer in layers:
        if layer.name not in stored:
            raise InputError(path, f"the layer {layer.name!r} of {name} is not in it", _of(name))
    return [stored[layer.name] for layer in layers]


def _fill(layers: list[tf.keras.layers.Layer], matched: list[FileLayer], path: Path, name: str) -> None:
    """Sets the weights of `layers`, all or none; raises `InputError` naming the first that does not fit."""
    for layer, found in zip(layers, matched, strict=False):
        ours, theirs = [tuple(weight.shape) for weight in layer.weights], [array.shape for array in found.arrays]
        if ours != theirs:
            what = f"its layer {found.name!r} has shapes {theirs}, but {layer.name!r} of {name} takes {ours}"
            raise InputError(path, what, _of(name))
    if len(matched) < len(layers):
        what = f"it ends before the layer {layers[len(matched)].name!r} of {name}"
        raise InputError(path, what, _of(name))
    for layer, found in zip(layers, matched, strict=True):
        layer.set_weights(found.arrays)


def _of(name: str) -> str:
    return f"name a weights file of {name}"


def read_keras_layers(path: Path) -> list[FileLayer]:
    """The layers with weights of a file by Keras's `save_weights` or `save`, in the file's order.

    Raises:
      InputError: the file is missing or not such a file.
    """
    remedy = "download it again, or name a weights file that Keras wrote"
    if not path.exists():
        raise InputError(path, "the file is missing", remedy)
    try:
        with h5py.File(path) as file:
            group = file["model_weights"] if "layer_names" not in file.attrs else file
            if _text(group.attrs.get("backend", "tensorflow")) == "theano":
                raise InputError(path, "its kernels are Theano's, mirrored", "name a file of the TensorFlow backend")
            names = [_text(name) for name in group.attrs["layer_names"]]
            layers = [FileLayer(name, _arrays(group[name])) for name in names]
    except (OSError, KeyError) as error:
        raise InputError(path, f"this is no weights file of Keras ({error})", remedy) from None
    return [layer for layer in layers if layer.arrays]


def _arrays(group: h5py.Group) -> list[np.ndarray]:
    return [np.asarray(group[_text(name)]) for name in group.attrs["weight_names"]]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
