"""The loop of a training: steps, and between them summaries, checkpoints, and looks at whether to end."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from affwildnet.frame_names import frame_ranges
from affwildnet.heartbeat import make_heartbeat
from affwildnet.model_folder import ModelFolder
from affwildnet.peers import Agreement
from affwildnet.train_step import StepResult, TrainStep
from affwildnet.training_checkpoints import retain_checkpoints, save_checkpoint, save_with_the_first
from affwildnet.training_end import Interrupted, StopRequest, interruption
from affwildnet.training_options import TrainRun
from affwildnet.training_start import Training
from affwildnet.training_summaries import write_curves, write_scalars
from tfrecords.errors import InputError
from tfrecords.loader import Batch


def training_loop(
    folder: ModelFolder,
    training: Training,
    data: Iterable[Batch],
    train_step: TrainStep,
    run: TrainRun,
    loss: str,
    agree: Agreement = list,
    first: bool = True,
) -> str:
    """Trains until ``run.steps``, a request to stop, or a signal; returns the request's reason, or ''.

    Of several processes that train together each runs this loop, and by `agree` they save and end at the same step;
    only the `first` writes to the folder and looks for requests.

    Raises:
      Interrupted: a signal came; the step is saved.
      InputError: a loss or a gradient is not finite.
    """
    writer = tf.summary.create_file_writer(str(folder.events("train"))) if first else tf.summary.create_noop_writer()
    request = StopRequest(folder, run.stop_on_request and first)
    save = CheckpointSaver(folder, training, run, first)
    beat = make_heartbeat()
    step = int(training.step)
    progress = tqdm(initial=step, total=run.steps or None, unit="step", desc="train", mininterval=1, disable=not first)
    reason, signal_number = "", 0
    with writer.as_default(), progress as bar, interruption() as signalled:
        for batch in data:
            reason = request.reason()
            due, requested, number = agree([save.is_due(step), bool(reason), signalled.number])
            signal_number = int(number)
            if due:
                # What a killed training goes on from has all of its curves.
                writer.flush()
                save.now(step)
            if requested or signal_number or (run.steps and step >= run.steps):
                break
            result = train_step(batch, step)
            check_finite(result, batch, training, step + 1, folder)
            step += 1
            training.step.assign(step)
            bar.update()
            speed = (bar.format_dict["rate"] or 0) * batch["weights"].shape.num_elements()
            bar.set_postfix(loss=f"{float(result.losses['total']):.3f}", frames_s=f"{speed:.0f}", refresh=False)
            tf.summary.experimental.set_step(step)
            if step % run.log_steps == 0:
                write_scalars(result, loss, speed, training.loss_scale, bool(training.model.heads))
            if run.image_steps and step % run.image_steps == 0:
                write_curves(result, batch, training.model.options.outputs)
            beat(step)
        save.now(step)
        # Nobody goes before all have saved: the first process would lose its peers while it writes.
        agree([0, 0, 0])
    if signal_number:
        raise Interrupted(step, signal.Signals(signal_number).name)
    return reason


def check_finite(result: StepResult, batch: Batch, training: Training, step: int, folder: ModelFolder) -> None:
    """Raises `InputError` naming the batch's frames where the loss or a gradient is not finite.

    A step that float16's scaling of the loss skipped is no fault, unless there was nothing left to scale down.
    """
    norms = result.gradient_norms
    scaled_down = (
        bool(result.skipped) and training.loss_scale is not None and float(training.loss_scale.scale.numpy()) > 1
    )
    looked_at = {"loss": result.losses["total"]}
    if not scaled_down and not np.isfinite(float(norms["global"])):
        looked_at |= {f"gradient of the {name}": norms[name] for name in norms if name != "global"}
        looked_at["gradient"] = norms["global"]
    wrong = [(name, float(value)) for name, value in looked_at.items() if not np.isfinite(float(value))]
    if wrong:
        name, value = wrong[0]
        frames = frame_ranges(batch["names"].numpy(), batch["weights"].numpy())
        what = f"the {name} of step {step} is {value} (frames {frames})"
        remedy = "lower --learning_rate, give --clip_norm, or look for constant labels there"
        raise InputError(folder.root, what, remedy)


class CheckpointSaver:
    """Checkpoints by time and by steps, as the options say, and old ones deleted after each.

    The `first` process writes them; the others take part in it.
    """

    def __init__(self, folder: ModelFolder, training: Training, run: TrainRun, first: bool = True) -> None:
        self._folder, self._training, self._run, self._first = folder, training, run, first
        self._saved_at, self._saved_step = time.monotonic(), int(training.step)

    def is_due(self, step: int) -> bool:
        """Whether the last checkpoint is long enough ago."""
        by_time = self._run.checkpoint_seconds and time.monotonic() - self._saved_at >= self._run.checkpoint_seconds
        return bool(by_time or (self._run.checkpoint_steps and step % self._run.checkpoint_steps == 0))

    def now(self, step: int) -> None:
        """Saves, if there is anything that the newest checkpoint does not hold."""
        if step == self._saved_step:
            return
        if self._first:
            save_checkpoint(self._training.saved, self._folder, step)
            retain_checkpoints(self._folder, self._run.keep_checkpoints, self._run.keep_unevaluated)
        else:
            save_with_the_first(self._training.saved)
        self._saved_at, self._saved_step = time.monotonic(), step
