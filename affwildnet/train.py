"""Trains a model on a workspace: ``python -m affwildnet.train --workspace=W --model=DIR``.

Run ``python -m affwildnet.evaluate`` with the same folders beside it. A folder that holds a checkpoint is resumed.
SIGTERM and SIGUSR1, a cluster's end of time, save a checkpoint and end with exit code 85: start it again then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf

from affwildnet import heartbeat
from affwildnet.cached_features import cache_features
from affwildnet.composites import COMPOSITES
from affwildnet.model_folder import ModelFolder
from affwildnet.models import ModelOptions
from affwildnet.optimizer import OptimizerOptions
from affwildnet.peers import check_same_step, first_worker_first, make_agreement, worker_of
from affwildnet.stages import trained_columns
from affwildnet.strategies import STRATEGIES, check_strategy
from affwildnet.train_step import StepOptions, make_train_step
from affwildnet.training_end import EXIT_REQUEUE, Interrupted, forget_obeyed_request, interruption_at_once
from affwildnet.training_loop import training_loop
from affwildnet.training_options import TrainOptions, TrainPreset, TrainRun
from affwildnet.training_start import describe_training, network_of, stage_of, start_training
from tfrecords import options
from tfrecords.corrupt import CorruptRecords
from tfrecords.errors import InputError
from tfrecords.index import RecordFile, open_partition
from tfrecords.loader import Batch, training_dataset
from tfrecords.loader_options import LoaderOptions
from tfrecords.service_loader import check_service_options, service_batches
from tfrecords.workspace import Workspace, write_json


def train(
    folder: ModelFolder,
    workspace: Workspace,
    run: TrainRun,
    model_options: ModelOptions,
    chosen: TrainOptions,
    optimizing: OptimizerOptions = OptimizerOptions(),  # noqa: B008 it is frozen
    loader: LoaderOptions = LoaderOptions(),  # noqa: B008 it is frozen
    strategy: tf.distribute.Strategy | None = None,
) -> int:
    """Trains up to ``run.steps`` from the last checkpoint or the start; returns the last step.

    With a `strategy` (`strategies.STRATEGIES`) every one of its processes calls this.

    ``training.json`` tells an evaluator whether to wait for more: ``running``, ``interrupted`` (it will be started
    again), ``finished`` or ``failed``.

    Raises:
      InputError: records or folder do not fit the options, or loss or gradient is not finite (naming the frames).
      Interrupted: SIGTERM or SIGUSR1 came; the last step is saved.
    """
    first = worker_of(strategy)[0] == 0

    def tell(**state: Any) -> None:
        if first:
            write_json(folder.training, state)

    if first:
        forget_obeyed_request(folder)
    tell(state="running")
    try:
        with interruption_at_once(folder):
            step, reason = _train(folder, workspace, run, model_options, chosen, optimizing, loader, strategy)
    except Interrupted as signalled:
        tell(state="interrupted", step=signalled.step, reason=signalled.name)
        raise
    except BaseException:
        if heartbeat.SUPERVISOR not in os.environ:  # the supervisor starts all again, and tells when it gives up
            tell(state="failed")
        raise
    tell(state="finished", step=step, **({"reason": reason} if reason else {}))
    return step


def _train(
    folder: ModelFolder,
    workspace: Workspace,
    run: TrainRun,
    model_options: ModelOptions,
    chosen: TrainOptions,
    optimizing: OptimizerOptions,
    loader: LoaderOptions,
    strategy: tf.distribute.Strategy | None,
) -> tuple[int, str]:
    """-> the last step, and the reason of a request to stop."""
    place, workers = worker_of(strategy)
    check_strategy(strategy, chosen.batch, run.xla)
    if run.deterministic:
        tf.config.experimental.enable_op_determinism()
    files = open_partition(workspace, "train")
    model_options = network_of(model_options, chosen, files)
    describe = lambda: describe_training(folder, workspace, files, model_options, chosen, optimizing, loader)  # noqa: E731
    spec = first_worker_first(strategy, describe)
    training = start_training(folder, spec, model_options, chosen, optimizing, Path(run.weights_folder), strategy)
    agree = make_agreement(strategy)
    check_same_step(agree, int(training.step))
    if chosen.cache_features:
        files = first_worker_first(strategy, lambda: cache_features(workspace, files, training.model))
    corrupt = CorruptRecords(loader.on_corrupt == "skip")
    share = (place, workers)
    data = _batches(files, run, chosen, loader, model_options, int(training.step), share, corrupt)
    train_step = make_train_step(
        training.model,
        training.variables,
        training.optimizer,
        training.case,
        StepOptions(chosen.loss, chosen.original_batch_norm, optimizing.clip_norm, chosen.seed),
        training.loss_scale,
        run.xla,
        strategy,
    )
    reason = training_loop(folder, training, data, train_step, run, chosen.loss, agree, first=place == 0)
    if corrupt.found:
        print(f"warning: {len(corrupt.found)} damaged records were left out", file=sys.stderr)
    return int(training.step), reason


def _batches(
    files: list[RecordFile],
    run: TrainRun,
    chosen: TrainOptions,
    loader: LoaderOptions,
    model: ModelOptions,
    first_step: int,
    share: tuple[int, int],
    corrupt: CorruptRecords,
) -> Iterable[Batch]:
    """This process's share of every batch from `first_step` on."""
    wanted = (files, chosen.sequence_length, chosen.batch, chosen.seed, model.outputs)
    absent = set(model.outputs) - set(trained_columns(model, stage_of(chosen)))
    if not run.data_service:
        return training_dataset(*wanted, first_step, loader, chosen.shuffle_labels, share, corrupt, absent)
    check_service_options(loader, chosen.shuffle_labels)
    if first_step:
        print("with a data service the position is the epoch only: this one begins again")
    return service_batches(*wanted, run.data_service, first_step, loader, share, absent)


def main(argv: list[str]) -> int:
    composite = options.from_flags(TrainPreset).composite
    if composite:
        options.set_defaults(COMPOSITES[composite])
    run_options = options.from_flags(TrainRun)
    if not run_options.workspace or not run_options.model:
        raise InputError("--workspace and --model", "both are needed", "name the database's and the model's folder")
    strategy, devices = STRATEGIES[run_options.strategy](run_options.gpu, run_options.cpu_devices)
    print(f"training on {devices}")
    folder = ModelFolder(Path(run_options.model))
    workspace = Workspace(Path(run_options.workspace))
    model_options, chosen = options.from_flags(ModelOptions), options.from_flags(TrainOptions)
    optimizing, loader = options.from_flags(OptimizerOptions), options.from_flags(LoaderOptions)
    try:
        step = train(folder, workspace, run_options, model_options, chosen, optimizing, loader, strategy)
    except Interrupted as signalled:
        print(f"{signalled}; start again to go on (exit code {EXIT_REQUEUE})")
        return EXIT_REQUEUE
    print(f"step {step}, checkpoints in {folder.checkpoints}")
    return 0


def run() -> None:
    options.run_main(main, TrainPreset, TrainRun, TrainOptions, LoaderOptions, OptimizerOptions, ModelOptions)


if __name__ == "__main__":
    run()
