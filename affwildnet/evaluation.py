"""A model's CCC and MSE over a set of records, frame by frame and entry by entry."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from affwildnet.cells.fused_attention import fusible
from affwildnet.classification_metrics import Thresholds
from affwildnet.folded import fold
from affwildnet.heads import Head
from affwildnet.measured import (
    EntryPredictions,
    by_output,
    classification_metrics,
    metrics_of_heads,
    moments_by_entry,
    regression_part,
)
from affwildnet.metrics import StreamingCCC
from affwildnet.models import AffWildNet
from tfrecords.corrupt import CorruptRecords
from tfrecords.errors import InputError
from tfrecords.index import RecordFile
from tfrecords.loader import Batch, evaluation_dataset
from tfrecords.loader_options import GAP_FACTOR


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Metrics over every frame, by output and (``total``) their mean; with heads the outputs are those of regressions.

    `ccc` is with N - 1, as the recorded runs, `population_ccc` with N. `correlation` is Pearson's, which unlike the CCC
    does not fall when predictions have the wrong scale.
    """

    ccc: dict[str, float]
    population_ccc: dict[str, float]
    mse: dict[str, float]
    correlation: dict[str, float]
    frames: int
    dropped: int  # labelled frames that no sequence of `frames_mode` holds, or whose records are damaged
    entries: list[EntryPredictions]
    frames_mode: str = "all"  # every labelled frame, or those that the original's sequences kept
    corrupt: int = 0  # damaged records, left out and among the dropped
    heads: tuple[Head, ...] = ()
    by_head: dict[str, float] = dataclasses.field(default_factory=dict)  # `metrics_of_heads`, {} without heads
    thresholds: Thresholds = dataclasses.field(default_factory=Thresholds)

    def regressions(self, outputs: Sequence[str]) -> tuple[list[EntryPredictions], tuple[str, ...]]:
        """What of the entries and of their `outputs` are regressions, of which there are CCC and MSE."""
        return regression_part(self.entries, outputs, self.heads)


@dataclasses.dataclass(frozen=True)
class CompiledModel:
    """A model ready to be evaluated: `predict` a batch's values (B, T, O); `refresh` after its weights changed."""

    predict: Callable[[Batch], tf.Tensor]
    refresh: Callable[[], None]
    heads: tuple[Head, ...] = ()


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
        return model.to_values(model.run(faces, state, block=folded, landmarks_68=landmarks_68)[0])

    names = ("faces", "landmarks_68")[: len(inputs_like)]
    predict = lambda batch: run(*(batch[name] for name in names))  # noqa: E731
    return CompiledModel(predict, folded.refold if folded is not None else lambda: None, model.heads)


def evaluate_model(
    compiled: CompiledModel,
    outputs: Sequence[str],
    files: Sequence[RecordFile],
    trained: Mapping[str, Any],
    batch: int = 8,
    frames_mode: str = "all",
    on_corrupt: str = "fatal",
    thresholds: Thresholds = Thresholds(),  # noqa: B008 it is frozen
) -> Evaluation:
    """Predicts labelled frames in sequences that start from the zero state, and measures each frame once.

    Sequences are cut by the ``sequence_length`` and, where they are there (an imported model has none), the
    ``gap_factor`` and ``stride`` of the options `trained` that ``model.json`` keeps. With `frames_mode` ``all`` they
    hold every labelled frame, and a frame that is in several has the mean of its predictions; ``kept`` takes the
    sequences that the original's loader kept.

    Raises:
      InputError: no frame is left, or a record is damaged and `on_corrupt` is ``fatal``.
    """
    compiled.refresh()
    corrupt = CorruptRecords(on_corrupt == "skip")
    rule = (trained.get("gap_factor", GAP_FACTOR), trained.get("stride", 0), frames_mode, corrupt)
    pieces: dict[int, list[_Piece]] = {}
    for loaded in evaluation_dataset(files, trained["sequence_length"], batch, outputs, *rule):
        predictions, labels, weights = compiled.predict(loaded).numpy(), loaded["labels"].numpy(), loaded["weights"]
        for row, (file, first, count) in enumerate(loaded["windows"].numpy()):
            good = np.flatnonzero(weights[row, :count])
            piece = _Piece(first + good, predictions[row, good], labels[row, good])
            pieces.setdefault(int(file), []).append(piece)
    entries = [_join(files[file], found) for file, found in sorted(pieces.items())]
    entries = [entry for entry in entries if len(entry.frames)]
    if not entries:
        what = f"no frame is left to measure with --frames_mode={frames_mode}, {len(corrupt.found)} records are damaged"
        remedy = "use --frames_mode=all, or convert the workspace again"
        raise InputError(files[0].path.parent, what, remedy)
    labelled = sum(len(file.frames) for file in files)
    measured = measure(outputs, entries, labelled, compiled.heads, thresholds)
    return dataclasses.replace(measured, frames_mode=frames_mode, corrupt=len(corrupt.found))


def measure(
    outputs: Sequence[str],
    entries: list[EntryPredictions],
    labelled: int,
    heads: tuple[Head, ...] = (),
    thresholds: Thresholds = Thresholds(),  # noqa: B008 it is frozen
) -> Evaluation:
    """The metrics over all frames of `entries`, each of which counts once; `labelled` frames are there in all."""
    regressed, outputs = regression_part(entries, outputs, heads)
    streaming = StreamingCCC(len(outputs))
    for moments in moments_by_entry(regressed).values():
        streaming.merge(moments)
    ccc, mse = by_output(outputs, streaming.ccc()), by_output(outputs, streaming.mse())
    classified = classification_metrics(entries, heads, thresholds)
    return Evaluation(
        ccc=ccc,
        population_ccc=by_output(outputs, streaming.ccc(ddof=0)),
        mse=mse,
        correlation=by_output(outputs, streaming.correlation()),
        frames=streaming.count,
        dropped=labelled - streaming.count,
        entries=entries,
        heads=heads,
        by_head=metrics_of_heads(heads, ccc, mse, classified),
        thresholds=thresholds,
    )


class _Piece(NamedTuple):
    """What one sequence says of its frames: records int64 (N,) of its file, predictions and labels (N, outputs)."""

    records: np.ndarray
    predictions: np.ndarray
    labels: np.ndarray


def _join(file: RecordFile, pieces: Sequence[_Piece]) -> EntryPredictions:
    """Every frame of an entry once, in order, with the mean of its predictions."""
    joined = _Piece(*(np.concatenate(parts) for parts in zip(*pieces, strict=True)))
    records, first, place, times = np.unique(joined.records, True, True, True)
    sums = np.zeros((len(records), joined.predictions.shape[-1]))
    np.add.at(sums, place, joined.predictions)
    predictions = (sums / times[:, np.newaxis]).astype(np.float32)
    return EntryPredictions(file.entry, file.frames[records], predictions, joined.labels[first], file.sidecar.clip)
