"""Trains a model on a workspace: ``python -m affwildnet.train --workspace=W --model=DIR``.

Run ``python -m affwildnet.evaluate`` with the same folders beside it. A folder that holds a checkpoint is resumed.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from tqdm import tqdm

from affwildnet.backbone_weights import load_backbone_weights
from affwildnet.backbones import BACKBONES
from affwildnet.cached_features import cache_features
from affwildnet.cases import CASES, TRAINED, Case, learning_rate, trained_variables
from affwildnet.checkpoints import restore_part
from affwildnet.composites import COMPOSITES
from affwildnet.devices import use_device
from affwildnet.input_spec import COLOUR_ORDERS, InputSpec, with_preprocessing
from affwildnet.model_folder import ModelFolder, describe_model
from affwildnet.models import AffWildNet, ModelOptions, build_model
from affwildnet.train_step import TrainStep, make_optimizer, make_train_step
from affwildnet.trained_subjects import trained_subjects
from tfrecords import options
from tfrecords.corrupt import CorruptRecords
from tfrecords.errors import InputError
from tfrecords.index import RecordFile, open_partition
from tfrecords.loader import training_dataset
from tfrecords.loader_options import LoaderOptions, check_loader, shaping
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_csv, read_json, write_json

PREPROCESSES = ("paper", "pretrained")


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """What shapes the training; a resumed run must have the same."""

    case: str = option(
        "2",
        "thesis's case: 0 trains RNN and FC on a frozen CNN, 1 also its last convolution, 2 everything, "
        "3 everything with the RNN of --rnn_from, the best of case 2",
        choices=sorted(CASES),
    )
    batch: int = option(2, "sequences a batch", at_least=1)
    sequence_length: int = option(80, "frames a sequence", at_least=1)
    loss: str = option("ccc", "1 - CCC or the mean squared error", choices=("ccc", "mse"))
    learning_rate: float = option(0.0, "Adam's rate; 0 takes the case's", at_least=0)
    seed: int = option(1, "seed of weights and order")
    colour_order: str = option("bgr", "order in which the network sees the colours; the thesis's is bgr", COLOUR_ORDERS)
    preprocess: str = option(
        "paper", "paper: the thesis's (x - 128) / 128; pretrained: what the CNN's weights learned", PREPROCESSES
    )
    trained_cnn: str = option("", "what of the CNN is trained, in place of what the case says", ["", *TRAINED])
    weights: str = option(
        "published",
        "the CNN's pre-trained weights: published (its own, fetched before; without --cnn_from), none, a file's path, "
        "or a name that was fetched",
    )
    cnn_from: str = option("", "model folder whose latest checkpoint gives the CNN's initial weights")
    rnn_from: str = option("", "model folder, of case 2 in the thesis, that gives RNN and FC their start")
    rnn_checkpoint: str = option("total", "its checkpoint: valence, arousal or total for the best, latest, or a step")
    cache_features: bool = option(False, "case 0: compute the frozen CNN's features once and train from them")
    original_batch_norm: bool = option(
        False, "batch norm on batch statistics in every case, as the original; else a frozen CNN keeps its averages"
    )
    shuffle_labels: bool = option(False, "deal the labels out at random: a control that must learn nothing")


@dataclasses.dataclass(frozen=True)
class TrainRun:
    """Where and how long to train; may differ from start to start."""

    workspace: str = option("", "workspace folder")
    model: str = option("", "model folder, made if it does not exist, resumed if it holds a checkpoint")
    steps: int = option(0, "stop after this step; 0 trains until stopped", at_least=0)
    checkpoint_seconds: float = option(900.0, "seconds between checkpoints; 0 for none by time")
    checkpoint_steps: int = option(0, "steps between checkpoints; 0 for none by steps", at_least=0)
    keep_checkpoints: int = option(10000, "checkpoints that are kept; the thesis kept all", at_least=1)
    log_steps: int = option(50, "steps between TensorBoard summaries", at_least=1)
    weights_folder: str = option("weights", "where affwildnet.fetch_weights put what it fetched")
    gpu: int = option(0, "GPU of this process, -1 for the CPU")


@dataclasses.dataclass(frozen=True)
class TrainPreset:
    """A system by name."""

    composite: str = option(
        "",
        "a system of the paper or the challenge: sets the flags that make it, where they are not given",
        ["", *sorted(COMPOSITES)],
    )


def train(
    folder: ModelFolder,
    workspace: Workspace,
    run: TrainRun,
    model_options: ModelOptions,
    chosen: TrainOptions,
    loader: LoaderOptions = LoaderOptions(),  # noqa: B008 it is frozen
) -> int:
    """Trains up to ``run.steps`` from the last checkpoint or the start; returns the last step.

    ``training.json`` tells an evaluator whether to wait for more: ``running``, ``finished`` or ``failed``.

    Raises:
      InputError: the records or the folder do not fit the options, or the loss is not finite (naming the frames).
    """
    write_json(folder.training, {"state": "running"})
    try:
        step = _train(folder, workspace, run, model_options, chosen, loader)
    except BaseException:
        write_json(folder.training, {"state": "failed"})
        raise
    write_json(folder.training, {"state": "finished", "step": step})
    return step


def _train(
    folder: ModelFolder,
    workspace: Workspace,
    run: TrainRun,
    model_options: ModelOptions,
    chosen: TrainOptions,
    loader: LoaderOptions,
) -> int:
    _check(model_options, chosen, loader)
    files = open_partition(workspace, "train")
    unknown = sorted(set(model_options.outputs) - set(files[0].sidecar.labels))
    if unknown:
        remedy = f"choose from {', '.join(files[0].sidecar.labels)}, or annotate it and build the workspace again"
        raise InputError(files[0].path, f"its records have no label {unknown[0]!r} for --outputs", remedy)
    if model_options.landmarks_68 and not files[0].sidecar.landmarks_68:
        remedy = "build the workspace with --landmarks_68"
        raise InputError(files[0].path, "its records hold no landmarks, which this network reads", remedy)
    if not any(row["partition"] == "validation" for row in read_csv(workspace.partition)):
        print("warning: no entry is for validation, so no best checkpoint can be chosen: use --checkpoint=latest later")
    spec = input_spec_of(files[0], chosen.colour_order)
    if chosen.preprocess == "pretrained":
        spec = with_preprocessing(spec, BACKBONES[model_options.backbone].pretrained)
    parents = [ModelFolder(Path(parent)).model for parent in (chosen.cnn_from, chosen.rnn_from) if parent]
    database = workspace.database_facts() | trained_subjects(files, parents)
    describe_model(folder, model_options, spec, dataclasses.asdict(chosen) | shaping(loader), database)
    tf.keras.utils.set_random_seed(chosen.seed)
    model = build_model(model_options, spec)
    case = case_of(chosen)
    variables = trained_variables(model, case)
    optimizer = make_optimizer(chosen.learning_rate or learning_rate(chosen.case, model_options), variables)
    step = tf.Variable(0, dtype=tf.int64, name="step")
    saved = tf.train.Checkpoint(model=model, optimizer=optimizer, step=step)
    manager = tf.train.CheckpointManager(
        saved, str(folder.checkpoints), max_to_keep=run.keep_checkpoints, step_counter=step
    )
    if not resume(saved, manager):
        initialise(model, chosen, Path(run.weights_folder))
    if chosen.cache_features:
        files = cache_features(workspace, files, model)
    corrupt = CorruptRecords(loader.on_corrupt == "skip")
    data = training_dataset(
        files,
        chosen.sequence_length,
        chosen.batch,
        chosen.seed,
        model_options.outputs,
        first_step=int(step),
        chosen=loader,
        shuffle_labels=chosen.shuffle_labels,
        corrupt=corrupt,
    )
    train_step = make_train_step(model, variables, optimizer, chosen.loss, case, chosen.original_batch_norm)
    _loop(folder, data, run, chosen.loss, step, train_step, manager)
    if corrupt.found:
        print(f"warning: {len(corrupt.found)} damaged records were left out", file=sys.stderr)
    return int(step)


def resume(saved: tf.train.Checkpoint, manager: tf.train.CheckpointManager) -> bool:
    """Restores the newest checkpoint that can be read; returns False where there is none at all.

    Raises:
      InputError: there are checkpoints, and none can be read.
    """
    for prefix in reversed(manager.checkpoints):
        try:
            saved.restore(prefix).assert_consumed()
        except (tf.errors.OpError, IndexError, AssertionError, ValueError) as error:
            print(f"warning: {prefix} cannot be read ({str(error).splitlines()[0]})", file=sys.stderr)
            continue
        print(f"resumed from {prefix}")
        return True
    if manager.checkpoints:
        what = "none of its checkpoints can be read"
        raise InputError(manager.directory, what, "delete them, or train into an empty --model folder")
    return False


def input_spec_of(file: RecordFile, colour_order: str) -> InputSpec:
    """What a model takes that learns from records like `file`."""
    made = file.sidecar
    return InputSpec(
        size=made.size,
        resize=made.resize,
        crop_margin=made.crop_margin,
        frame_rate=made.frame_rate,
        colour_order=colour_order,
    )


def case_of(chosen: TrainOptions) -> Case:
    """The case, with what of the CNN is trained replaced where an option says so."""
    case = CASES[chosen.case]
    return dataclasses.replace(case, backbone=chosen.trained_cnn) if chosen.trained_cnn else case


def starting_weights(backbone: str, chosen: TrainOptions) -> str:
    """What `load_backbone_weights` takes: in every case the thesis's CNN started from published weights.

    Raises:
      InputError: the case needs a CNN that has learned something, and `backbone` has no published file.
    """
    if chosen.weights != "published":
        return chosen.weights
    if chosen.cnn_from:
        return "none"
    published = BACKBONES[backbone].weights
    if not published and chosen.case != "2":
        remedy = "name a file with --weights or a model with --cnn_from, or say --weights=none for random ones"
        raise InputError(
            f"--case={chosen.case}", f"it starts from a trained CNN; {backbone} has no published one", remedy
        )
    return published or "none"


def initialise(model: AffWildNet, chosen: TrainOptions, folder: Path = Path("weights")) -> None:
    """Fills the CNN from published weights or another model, RNN and FC from another model, as the options say."""
    weights = starting_weights(model.options.backbone, chosen)
    if not chosen.cnn_from:
        print(load_backbone_weights(model, weights, folder))
    if chosen.cnn_from:
        print(f"backbone from {restore_part(model, 'backbone', ModelFolder(Path(chosen.cnn_from)), 'latest')}")
    if chosen.rnn_from:
        source = ModelFolder(Path(chosen.rnn_from))
        trained_as = read_json(source.model).get("training", {}).get("case")
        if chosen.case == "3" and trained_as != "2":
            print(f"warning: {source.root} was trained as case {trained_as}, case 3 wants an RNN of case 2")
        for part in ("fc", "block", "head"):
            if getattr(model, part) is not None:
                print(f"{part} from {restore_part(model, part, source, chosen.rnn_checkpoint)}")


def _check(model: ModelOptions, chosen: TrainOptions, loader: LoaderOptions) -> None:
    """Raises `InputError` where options contradict each other."""
    check_loader(loader, chosen.sequence_length)
    if loader.loader == "original" and (chosen.colour_order != "bgr" or chosen.preprocess != "paper"):
        remedy = "drop --colour_order and --preprocess, or use --loader=windows"
        raise InputError("--loader=original", "it gives BGR faces, (x - 128) / 128, and no others", remedy)
    if model.landmarks_68 and not model.fc:
        what = "landmarks join the first fully connected layer's input, and there is none"
        raise InputError("--landmarks_68", what, "give --fc=4096")
    if CASES[chosen.case].needs_rnn and not chosen.rnn_from:
        raise InputError("--case=3", "no RNN is named", "name the folder of the best case-2 model in --rnn_from")
    if chosen.cache_features and case_of(chosen).backbone != "nothing":
        raise InputError("--cache_features", f"case {chosen.case} changes the CNN", "use it with --case=0 only")
    if chosen.cache_features and chosen.original_batch_norm:
        what = "the original's batch norm makes features depend on their batch"
        raise InputError("--cache_features", what, "drop --original_batch_norm")
    if model.cell == "indrnn" and model.recurrent_limit_frames != chosen.sequence_length:
        what = f"it is {model.recurrent_limit_frames}, but sequences have {chosen.sequence_length} frames"
        raise InputError("--recurrent_limit_frames", what, f"give --recurrent_limit_frames={chosen.sequence_length}")
    starting_weights(model.backbone, chosen)


def _loop(
    folder: ModelFolder,
    data: tf.data.Dataset,
    run: TrainRun,
    loss: str,
    step: tf.Variable,
    train_step: TrainStep,
    manager: tf.train.CheckpointManager,
) -> None:
    """Steps, summaries and checkpoints until ``run.steps``."""
    writer = tf.summary.create_file_writer(str(folder.events("train")))
    saved_at = time.monotonic()
    bar = tqdm(initial=int(step), total=run.steps or None, unit="step", desc="train", mininterval=1)
    with writer.as_default(), bar:
        for batch in data:
            if run.steps and int(step) >= run.steps:
                break
            losses = train_step(batch)
            total = float(losses["total"])
            if not math.isfinite(total):
                names = sorted({value.decode() for value in batch["names"].numpy().ravel()})
                what = f"the loss of step {int(step) + 1} is {total} (frames {names[0]} to {names[-1]})"
                raise InputError(folder.root, what, "lower --learning_rate, or look for constant labels there")
            step.assign_add(1)
            bar.update()
            if int(step) % run.log_steps == 0:
                _summarise(losses, loss, step)
                rate = (bar.format_dict["rate"] or 0) * tf.size(batch["weights"]).numpy()
                bar.set_postfix(loss=f"{total:.3f}", frames_s=f"{rate:.0f}", refresh=False)
            by_time = run.checkpoint_seconds and time.monotonic() - saved_at >= run.checkpoint_seconds
            if by_time or (run.checkpoint_steps and int(step) % run.checkpoint_steps == 0):
                manager.save(checkpoint_number=step)
                saved_at = time.monotonic()
    if not (manager.latest_checkpoint or "").endswith(f"-{int(step)}"):
        manager.save(checkpoint_number=step)


def _summarise(losses: Mapping[str, tf.Tensor], loss: str, step: tf.Variable) -> None:
    """Writes the losses under the original's tags, ``losses/CCC_loss`` and ``losses/CCC_loss_valence`` …"""
    for name, value in losses.items():
        suffix = "" if name == "total" else f"_{name}"
        tf.summary.scalar(f"losses/{loss.upper()}_loss{suffix}", value, step=step)


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
    chosen, loader = options.from_flags(TrainOptions), options.from_flags(LoaderOptions)
    step = train(folder, workspace, run_options, options.from_flags(ModelOptions), chosen, loader)
    print(f"step {step}, checkpoints in {folder.checkpoints}")
    return 0


def run() -> None:
    options.run_main(main, TrainPreset, TrainRun, TrainOptions, LoaderOptions, ModelOptions)


if __name__ == "__main__":
    run()
