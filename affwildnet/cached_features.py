"""A frozen backbone's features, computed once a frame and kept in the workspace (case 0)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from affwildnet.heads import FEATURES
from affwildnet.models import AffWildNet
from tfrecords.errors import InputError
from tfrecords.feature_records import features_path, write_features
from tfrecords.index import RecordFile, open_record
from tfrecords.loader import evaluation_dataset, read_labels
from tfrecords.workspace import Workspace

# Faces that go through the backbone at once.
BATCH = 64


def backbone_key(model: AffWildNet) -> str:
    """16 hexadecimal digits for this backbone with these weights and this input: what its features depend on."""
    made_from = [model.options.backbone, dataclasses.asdict(model.face_spec), model.options.landmarks_68]
    if model.points.names != (FEATURES,):
        made_from.append(model.points.names)
    digest = hashlib.sha256(json.dumps(made_from).encode())
    for variable in model.backbone.variables:
        digest.update(np.ascontiguousarray(variable.numpy()).tobytes())
    return digest.hexdigest()[:16]


def cache_features(workspace: Workspace, files: Sequence[RecordFile], model: AffWildNet) -> list[RecordFile]:
    """The features of every record of `files` as record files, computed in inference mode where they are not there yet.

    A second run, or one that was interrupted, computes only what is missing. They lie in ``features/KEY/``, a folder
    for each state of a backbone, and can be deleted at any time.
    """
    key = backbone_key(model)
    names = ("faces", "landmarks_68") if model.options.landmarks_68 else ("faces",)
    compute = _compile(model, len(names))
    cached = []
    for file in tqdm(files, desc="features", unit="entry"):
        path = features_path(workspace, key, file.entry)
        try:
            found = open_record(path)
            fresh = found.sidecar.frames == file.sidecar.frames and path.stat().st_mtime >= file.path.stat().st_mtime
        except InputError:
            fresh = False
        if not fresh:
            parts = [
                compute(*(batch[name] for name in names)).numpy()[0][batch["weights"].numpy()[0] > 0]
                for batch in evaluation_dataset([file], BATCH, 1, file.sidecar.labels, gap_factor=float("inf"))
            ]
            write_features(path, file, np.concatenate(parts), read_labels(file, file.sidecar.labels))
        cached.append(open_record(path))
    return cached


def _compile(model: AffWildNet, inputs: int) -> tf.types.experimental.GenericFunction:
    """Faces, and of a network that reads them landmarks -> features (B, T, D)."""
    size = model.face_spec.size
    like = [tf.TensorSpec((None, None, size, size, 3), tf.uint8), tf.TensorSpec((None, None, 136), tf.float32)]

    @tf.function(input_signature=like[:inputs])
    def compute(faces: tf.Tensor, landmarks_68: tf.Tensor | None = None) -> tf.Tensor:
        return model.features(faces, landmarks_68=landmarks_68)

    return compute
