"""Trains a model on a workspace: ``python -m affwildnet.train --workspace=W --model=DIR``.

Run ``python -m affwildnet.evaluate`` with the same folders beside it. A folder that holds a checkpoint is resumed.
SIGTERM and SIGUSR1, a cluster's end of time, save a checkpoint and end with exit code 85: start it again then.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from affwildnet.cached_features import cache_features
from affwildnet.composites import COMPOSITES
from affwildnet.devices import use_device
from affwildnet.model_folder import ModelFolder
from affwildnet.models import ModelOptions
from affwildnet.optimizer import OptimizerOptions
from affwildnet.train_step import StepOptions, make_train_step
from affwildnet.training_end import EXIT_REQUEUE, Interrupted, forget_obeyed_request, interruption_at_once
from affwildnet.training_loop import training_loop
from affwildnet.training_options import TrainOptions, TrainPreset, TrainRun
from affwildnet.training_start import describe_training, start_training
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.index import open_partition
from tfrecords.loader import training_dataset
from tfrecords.workspace import Workspace, write_json


def train(
    folder: ModelFolder,
    workspace: Workspace,
    run: TrainRun,
    model_options: ModelOptions,
    chosen: TrainOptions,
    optimizing: OptimizerOptions | None = None,
) -> int:
    """Trains up to ``run.steps`` from the last checkpoint or the start; returns the last step.

    ``training.json`` tells an evaluator whether to wait for more: ``running``, ``interrupted`` (it will be started
    again), ``finished`` or ``failed``.

    Raises:
      InputError: records or folder do not fit the options, or loss or gradient is not finite (naming the frames).
      Interrupted: SIGTERM or SIGUSR1 came; the last step is saved.
    """
    forget_obeyed_request(folder)
    write_json(folder.training, {"state": "running"})
    try:
        with interruption_at_once(folder):
            step, reason = _train(folder, workspace, run, model_options, chosen, optimizing or OptimizerOptions())
    except Interrupted as signalled:
        write_json(folder.training, {"state": "interrupted", "step": signalled.step, "reason": signalled.name})
        raise
    except BaseException:
        write_json(folder.training, {"state": "failed"})
        raise
    why = {"reason": reason} if reason else {}
    write_json(folder.training, {"state": "finished", "step": step, **why})
    return step


def _train(
    folder: ModelFolder,
    workspace: Workspace,
    run: TrainRun,
    model_options: ModelOptions,
    chosen: TrainOptions,
    optimizing: OptimizerOptions,
) -> tuple[int, str]:
    """-> the last step, and the reason of a request to stop."""
    if run.deterministic:
        tf.config.experimental.enable_op_determinism()
    files = open_partition(workspace, "train")
    spec = describe_training(folder, workspace, files, model_options, chosen, optimizing)
    training = start_training(folder, spec, model_options, chosen, optimizing, Path(run.weights_folder))
    if chosen.cache_features:
        files = cache_features(workspace, files, training.model)
    data = training_dataset(
        files,
        chosen.sequence_length,
        chosen.batch,
        chosen.seed,
        model_options.outputs,
        first_step=int(training.step),
        gap_factor=chosen.gap_factor,
        shuffle_labels=chosen.shuffle_labels,
    )
    train_step = make_train_step(
        training.model,
        training.variables,
        training.optimizer,
        training.case,
        StepOptions(chosen.loss, chosen.original_batch_norm, optimizing.clip_norm, chosen.seed),
        training.loss_scale,
        run.xla,
    )
    reason = training_loop(folder, training, data, train_step, run, chosen.loss)
    return int(training.step), reason


def main(argv: list[str]) -> int:
    composite = options.from_flags(TrainPreset).composite
    if composite:
        options.set_defaults(COMPOSITES[composite])
    run_options = options.from_flags(TrainRun)
    if not run_options.workspace or not run_options.model:
        raise InputError("--workspace and --model", "both are needed", "name the database's and the model's folder")
    print(f"training on {use_device(run_options.gpu)}")
    folder = ModelFolder(Path(run_options.model))
    workspace = Workspace(Path(run_options.workspace))
    model_options, chosen = options.from_flags(ModelOptions), options.from_flags(TrainOptions)
    try:
        step = train(folder, workspace, run_options, model_options, chosen, options.from_flags(OptimizerOptions))
    except Interrupted as signalled:
        print(f"{signalled}; start again to go on (exit code {EXIT_REQUEUE})")
        return EXIT_REQUEUE
    print(f"step {step}, checkpoints in {folder.checkpoints}")
    return 0


def run() -> None:
    options.run_main(main, TrainPreset, TrainRun, TrainOptions, OptimizerOptions, ModelOptions)


if __name__ == "__main__":
    run()
