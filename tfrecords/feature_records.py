"""Features of a frozen backbone in place of faces: a record file an entry, float16, read like any other.

A record holds ``frameNo``, ``features`` (D float16 as bytes) and ``label/NAME`` floats. The sidecar's profile is
``features``, its encoding ``float16`` and its size D.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrecords.index import RecordFile
from tfrecords.record_file import write_records
from tfrecords.record_value import FEATURES
from tfrecords.schema import bytes_feature, float_feature
from tfrecords.sidecar import Sidecar, write_sidecar
from tfrecords.workspace import Workspace


def features_path(workspace: Workspace, key: str, entry: str) -> Path:
    """Where the features of `entry` lie, made by the backbone that `key` stands for."""
    return workspace.root / "features" / key / f"{entry}.tfrecords"


def write_features(path: Path, faces: RecordFile, features: np.ndarray, labels: np.ndarray) -> None:
    """Writes the features (N, D) and labels (N, labels of `faces`) of every record of `faces`, in its order.

    A label that is NaN is missing.
    """
    names = faces.sidecar.labels

    def examples() -> Iterator[bytes]:
        for frame, feature, label in zip(faces.frames, features.astype(np.float16), labels, strict=True):
            known = [(name, value) for name, value in zip(names, label, strict=True) if not np.isnan(value)]
            values = {f"label/{name}": float_feature([value]) for name, value in known}
            values["frameNo"] = bytes_feature(f"{faces.entry}/{frame:05d}".encode())
            values["features"] = bytes_feature(feature.tobytes())
            example = tf.train.Example(features=tf.train.Features(feature=values))
            yield example.SerializeToString(deterministic=True)

    offsets, digest = write_records(path, examples())
    made: Sidecar = dataclasses.replace(
        faces.sidecar,
        profile=FEATURES,
        encoding="float16",
        size=features.shape[1],
        offsets=offsets,
        sha256=digest,
    )
    write_sidecar(path, made)
