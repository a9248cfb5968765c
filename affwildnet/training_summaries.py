"""What TensorBoard shows of a training: losses, gradients, learning rate, speed, and a sequence's curves."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from affwildnet.precision import LossScale
from affwildnet.train_step import StepResult
from tfrecords.loader import Batch


def write_scalars(
    result: StepResult, loss: str, frames_per_second: float, loss_scale: LossScale | None, heads: bool = False
) -> None:
    """Scalars of the writer's default step.

    Losses have the original's tags, ``losses/CCC_loss`` and ``losses/CCC_loss_valence`` …, or with heads
    ``losses/total`` and ``losses/HEAD`` …; gradients are those before clipping, ``gradients/global`` and one of each
    part.
    """
    for name, value in result.losses.items():
        suffix = "" if name == "total" else f"_{name}"
        tf.summary.scalar(f"losses/{name}" if heads else f"losses/{loss.upper()}_loss{suffix}", value)
    for name, value in result.gradient_norms.items():
        tf.summary.scalar(f"gradients/{name}", value)
    tf.summary.scalar("training/learning_rate", result.learning_rate)
    tf.summary.scalar("training/frames_per_second", frames_per_second)
    if loss_scale is not None:
        tf.summary.scalar("training/loss_scale", loss_scale.scale)


def write_curves(result: StepResult, batch: Batch, outputs: Sequence[str]) -> None:
    """A picture of the batch's first sequence: what is predicted for each frame beside its label."""
    frames = int(batch["weights"].numpy()[0].sum())
    labels, predictions = batch["labels"].numpy()[0, :frames], result.predictions.numpy()[0, :frames]
    title = batch["names"].numpy()[0, 0].decode()
    picture = draw_curves(labels, predictions, outputs, title)
    tf.summary.image("curves", tf.io.decode_png(picture, channels=3)[tf.newaxis])


def draw_curves(labels: np.ndarray, predictions: np.ndarray, outputs: Sequence[str], title: str) -> bytes:
    """A PNG with a panel an output, from labels and predictions (T, outputs); `title` names the first frame."""
    figure = Figure(figsize=(7, 2 * len(outputs) + 0.5), dpi=90, layout="constrained")
    panels = figure.subplots(len(outputs), 1, sharex=True, squeeze=False)[:, 0]
    for number, (panel, name) in enumerate(zip(panels, outputs, strict=True)):
        style = "." if len(labels) == 1 else "-"
        panel.plot(labels[:, number], style, color="0.3", label="label")
        panel.plot(predictions[:, number], style, color="tab:orange", label="predicted")
        # Values of regressions are meant for [-1, 1], probabilities lie in [0, 1].
        panel.set_ylim(-1.05, 1.05)
        panel.set_ylabel(name)
    panels[0].set_title(f"from {title} on")
    panels[0].legend(loc="upper right", ncols=2, frameon=False)
    panels[-1].set_xlabel("frame")
    written = io.BytesIO()
    figure.savefig(written, format="png")
    return written.getvalue()
