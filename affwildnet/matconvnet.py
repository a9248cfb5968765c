"""Weights in MatConvNet's files of simple networks (``imagenet-vgg-m.mat``): a name and two arrays a convolution."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from tfrecords.errors import InputError

_REMEDY = "download it again, or name a file of a MatConvNet network whose layers are a chain"


def read_matconvnet_layers(path: Path) -> dict[str, list[np.ndarray]]:
    """Kernel (height, width, in, out) and bias (out,), float32, of each convolution by name, in the file's order.

    MatConvNet's kernels have the axes of TensorFlow's and are not mirrored; its fully connected layers are convolutions
    too. A layer has ``weights``, or in files from before version 1.0-beta7 ``filters`` and ``biases``.

    Raises:
      InputError: the file is missing, of MATLAB's version 7.3, or holds no such network.
    """
    if not path.exists():
        raise InputError(path, "the file is missing", _REMEDY)
    try:
        content = scipy.io.loadmat(path, struct_as_record=False, variable_names=["layers"])
    except NotImplementedError:
        what = "it is a file of MATLAB's version 7.3, which is not read"
        raise InputError(path, what, "save it in MATLAB by save(..., '-v7'), or name the published file") from None
    except (scipy.io.matlab.MatReadError, zlib.error, OSError, ValueError, TypeError, EOFError) as error:
        raise InputError(path, f"this is no file of MATLAB ({error})", _REMEDY) from None
    if "layers" not in content:
        raise InputError(path, "it has no variable 'layers', so it is no network of MatConvNet", _REMEDY)
    # A cell array of structures of one element, or an array of structures.
    layers = [item.ravel()[0] if isinstance(item, np.ndarray) else item for item in content["layers"].ravel()]
    return {str(np.squeeze(layer.name)): _arrays(layer) for layer in layers if _has_weights(layer)}


def _has_weights(layer: Any) -> bool:
    stored = getattr(layer, "weights", None)
    return hasattr(layer, "name") and (hasattr(layer, "filters") or (stored is not None and np.size(stored) >= 2))


def _arrays(layer: Any) -> list[np.ndarray]:
    if hasattr(layer, "filters"):
        kernel, bias = layer.filters, layer.biases
    else:
        kernel, bias = layer.weights.ravel()[:2]
    return [np.asarray(kernel, np.float32), np.asarray(bias, np.float32).ravel()]
