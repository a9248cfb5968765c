"""A model's CCC and MSE over a set of records, frame by frame and entry by entry."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from affwildnet.cells.fused_attention import fusible
from affwildnet.folded import fold
from affwildnet.measured import EntryPredictions, by_output, moments_by_entry
from affwildnet.metrics import StreamingCCC
from affwildnet.models import AffWildNet
from tfrecords.index import RecordFile
from tfrecords.loader import Batch, evaluation_dataset


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Metrics over every frame, by output and (``total``) their mean.

    `ccc` is with N - 1, as the recorded runs, `population_ccc` with N. `correlation` is Pearson's, which unlike the CCC
    does not fall when predictions have the wrong scale.
    """

    ccc: dict[str, float]
    population_ccc: dict[str, float]
    mse: dict[str, float]
    correlation: dict[str, float]
    frames: int
    dropped: int  # labelled frames in sequences that break the gap rule
    entries: list[EntryPredictions]


@dataclasses.dataclass(frozen=True)
class CompiledModel:
    """A model ready to be evaluated: `predict` a batch's values (B, T, O); `refresh` after its weights changed."""

    predict: Callable[[Batch], tf.Tensor]
    refresh: Callable[[], None]


def compile_model(model: AffWildNet) -> CompiledModel:
    """The model as one compiled function for any B and T, an attention block folded; make it once a model."""
    size = model.face_spec.size
    inputs_like = [tf.TensorSpec((None, None, size, size, 3), tf.uint8)]
    if model.options.landmarks_68:
        inputs_like.append(tf.TensorSpec((None, None, 136), tf.float32))
    folded = None
    if model.block is not None and model.block.projection is None and fusible(model.block.cell):
        folded = fold(model.block)

    @tf.function(input_signature=inputs_like)
    def run(faces: tf.Tensor, landmarks_68: tf.Tensor | None = None) -> tf.Tensor:
        state = model.zero_state(tf.shape(faces)[0])
        return model.run(faces, state, block=folded, landmarks_68=landmarks_68)[0]

    names = ("faces", "landmarks_68")[: len(inputs_like)]
    predict = lambda batch: run(*(batch[name] for name in names))  # noqa: E731
    return CompiledModel(predict, folded.refold if folded is not None else lambda: None)


def evaluate_model(
    compiled: CompiledModel,
    outputs: Sequence[str],
    files: Sequence[RecordFile],
    trained: Mapping[str, Any],
    batch: int = 8,
) -> Evaluation:
    """Predicts every labelled frame once, in sequences that start from the zero state, and measures.

    Sequences are cut as in training, by the ``sequence_length`` and ``gap_factor`` of the options `trained` that
    ``model.json`` keeps, with the tail of every entry too; what breaks the gap rule is only counted.
    """
    compiled.refresh()
    length, gap_factor = trained["sequence_length"], trained["gap_factor"]
    pieces: dict[int, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
    for loaded in evaluation_dataset(files, length, batch, outputs, gap_factor):
        predictions, labels = compiled.predict(loaded).numpy(), loaded["labels"].numpy()
        for row, (file, first, count) in enumerate(loaded["windows"].numpy()):
            frames = files[file].frames[first : first + count]
            pieces.setdefault(int(file), []).append((frames, predictions[row, :count], labels[row, :count]))
    entries = []
    for file, found in sorted(pieces.items()):
        frames, predictions, labels = (np.concatenate(parts) for parts in zip(*found, strict=True))
        entries.append(EntryPredictions(files[file].entry, frames, predictions, labels, files[file].sidecar.clip))
    return measure(outputs, entries, sum(len(file.frames) for file in files))


def measure(outputs: Sequence[str], entries: list[EntryPredictions], labelled: int) -> Evaluation:
    """The metrics over all frames of `entries`, each of which counts once; `labelled` frames are there in all."""
    streaming = StreamingCCC(len(outputs))
    for moments in moments_by_entry(entries).values():
        streaming.merge(moments)
    return Evaluation(
        ccc=by_output(outputs, streaming.ccc()),
        population_ccc=by_output(outputs, streaming.ccc(ddof=0)),
        mse=by_output(outputs, streaming.mse()),
        correlation=by_output(outputs, streaming.correlation()),
        frames=streaming.count,
        dropped=labelled - streaming.count,
        entries=entries,
    )
