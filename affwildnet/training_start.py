"""What a training starts from: options that fit, a model with its initial weights or those of its last checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from affwildnet.adam import FusedAdam
from affwildnet.backbone_weights import load_backbone_weights
from affwildnet.backbones import BACKBONES
from affwildnet.batch_norm import synchronise_batch_norm
from affwildnet.cases import CASES, Case, learning_rate, trained_variables
from affwildnet.checkpoints import restore_part
from affwildnet.feature_points import check_heads
from affwildnet.heads import parse_heads
from affwildnet.input_spec import InputSpec, with_preprocessing
from affwildnet.model_folder import ModelFolder, describe_model, read_options
from affwildnet.models import AffWildNet, ModelOptions, build_model
from affwildnet.optimizer import OptimizerOptions, check_optimizer_options, make_optimizer
from affwildnet.precision import LossScale, building_with
from affwildnet.stages import Stage, freeze_earlier, staged_options, trained_columns
from affwildnet.trained_subjects import trained_subjects
from affwildnet.training_checkpoints import resume
from affwildnet.training_options import TrainOptions
from tfrecords.errors import InputError
from tfrecords.index import RecordFile, label_columns
from tfrecords.loader_options import LoaderOptions, check_loader, shaping
from tfrecords.workspace import Workspace, read_csv, read_json


@dataclasses.dataclass(frozen=True)
class Training:
    """What a training changes, all of it in `saved`: a checkpoint of that is enough to go on exactly."""

    model: AffWildNet
    case: Case
    variables: list[tf.Variable]
    optimizer: FusedAdam
    loss_scale: LossScale | None
    step: tf.Variable  # int64: steps done; what is random is a function of it and the seed
    saved: tf.train.Checkpoint


def start_training(
    folder: ModelFolder,
    spec: InputSpec,
    model_options: ModelOptions,
    chosen: TrainOptions,
    optimizing: OptimizerOptions,
    weights_folder: Path,
    strategy: tf.distribute.Strategy | None = None,
) -> Training:
    """Builds all that is trained, and fills it from the folder's newest checkpoint or from where the options say.

    With a `strategy` its variables are the strategy's, the same on every replica.
    """
    # The host's alone, for only the loop counts steps.
    step = tf.Variable(0, dtype=tf.int64, name="step")
    with strategy.scope() if strategy is not None else contextlib.nullcontext():
        training = _build_training(step, spec, model_options, chosen, optimizing)
        if not resume(training.saved, folder):
            initialise(training.model, chosen, weights_folder)
    if strategy is not None and strategy.num_replicas_in_sync > 1:
        synchronise_batch_norm(training.model)
    return training


def _build_training(
    step: tf.Variable,
    spec: InputSpec,
    model_options: ModelOptions,
    chosen: TrainOptions,
    optimizing: OptimizerOptions,
) -> Training:
    tf.keras.utils.set_random_seed(chosen.seed)
    with building_with(chosen.precision):
        model = build_model(model_options, spec)
    freeze_earlier(model, stage_of(chosen))
    case = case_of(chosen)
    variables = trained_variables(model, case)
    rate = chosen.learning_rate or learning_rate(chosen.case, model_options)
    optimizer = make_optimizer(rate, variables, optimizing)
    loss_scale = LossScale() if chosen.precision == "mixed_float16" else None
    scaling = {"loss_scale": loss_scale} if loss_scale is not None else {}
    saved = tf.train.Checkpoint(model=model, optimizer=optimizer, step=step, **scaling)
    return Training(model, case, variables, optimizer, loss_scale, step, saved)


def describe_training(
    folder: ModelFolder,
    workspace: Workspace,
    files: list[RecordFile],
    model_options: ModelOptions,
    chosen: TrainOptions,
    optimizing: OptimizerOptions,
    loader: LoaderOptions,
) -> InputSpec:
    """Checks that records and options fit, writes ``model.json`` and ``input.json``; returns what the model takes."""
    check_options(model_options, chosen, optimizing)
    check_loading(loader, chosen)
    check_training_records(workspace, files, model_options, trained_columns(model_options, stage_of(chosen)))
    spec = input_spec_of(files[0], chosen.colour_order)
    if chosen.preprocess == "pretrained":
        spec = with_preprocessing(spec, BACKBONES[model_options.backbone].pretrained)
    named = (chosen.cnn_from, chosen.rnn_from, chosen.stage_from)
    parents = [ModelFolder(Path(parent)).model for parent in named if parent]
    database = workspace.database_facts() | trained_subjects(files, parents)
    told = training_facts(chosen, optimizing, loader)
    usual = training_facts(TrainOptions(), OptimizerOptions(), LoaderOptions())
    describe_model(folder, model_options, spec, told, database, usual)
    return spec


def training_facts(chosen: TrainOptions, optimizing: OptimizerOptions, loader: LoaderOptions) -> dict[str, Any]:
    """What ``model.json`` says of a training."""
    return dataclasses.asdict(chosen) | dataclasses.asdict(optimizing) | shaping(loader)


def check_loading(loader: LoaderOptions, chosen: TrainOptions) -> None:
    """Raises `InputError` where sequences cannot be loaded as asked, or not for this network."""
    check_loader(loader, chosen.sequence_length)
    if chosen.cache_features and loader.on_corrupt == "skip":
        remedy = "find damaged records with python -m tfrecords.inspect --verify and convert them again"
        raise InputError("--cache_features", "features are made of every record, damaged ones too", remedy)
    if loader.loader == "original" and (chosen.colour_order != "bgr" or chosen.preprocess != "paper"):
        remedy = "drop --colour_order and --preprocess, or use --loader=windows"
        raise InputError("--loader=original", "it gives BGR faces, (x - 128) / 128, and no others", remedy)


def check_training_records(
    workspace: Workspace, files: list[RecordFile], model: ModelOptions, learned: Sequence[str]
) -> None:
    """Raises `InputError` where the records lack what the network learns, the columns `learned`, or reads."""
    there = label_columns(files)
    unknown = sorted(set(learned) - set(there))
    if unknown:
        remedy = f"choose from {', '.join(there)}, or annotate it and build the workspace again"
        flag = "--heads" if model.heads else "--outputs"
        raise InputError(files[0].path, f"its records have no label {unknown[0]!r} for {flag}", remedy)
    if model.landmarks_68 and not files[0].sidecar.landmarks_68:
        remedy = "build the workspace with --landmarks_68"
        raise InputError(files[0].path, "its records hold no landmarks, which this network reads", remedy)
    if not any(row["partition"] == "validation" for row in read_csv(workspace.partition)):
        print("warning: no entry is for validation, so no best checkpoint can be chosen: use --checkpoint=latest later")


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


def stage_of(chosen: TrainOptions) -> Stage:
    """The stage, with what it starts from."""
    return Stage(chosen.stage, chosen.stage_from, chosen.freeze_earlier)


def network_of(model: ModelOptions, chosen: TrainOptions, files: list[RecordFile]) -> ModelOptions:
    """The network that is trained: as `model` says, with the heads of its stage if it has one; raises `InputError`."""
    return staged_options(model, stage_of(chosen), label_columns(files))


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
    if chosen.stage_from:
        source = ModelFolder(Path(chosen.stage_from))
        print(f"backbone from {restore_part(model, 'backbone', source, chosen.stage_checkpoint)}")
        print(f"heads {restore_heads(model, source, chosen.stage_checkpoint)}")
    elif not chosen.cnn_from:
        print(load_backbone_weights(model, weights, folder))
    if chosen.cnn_from:
        print(f"backbone from {restore_part(model, 'backbone', ModelFolder(Path(chosen.cnn_from)), 'latest')}")
    if chosen.rnn_from:
        source = ModelFolder(Path(chosen.rnn_from))
        trained_as = read_json(source.model).get("training", {}).get("case")
        if chosen.case == "3" and trained_as != "2":
            print(f"warning: {source.root} was trained as case {trained_as}, case 3 wants an RNN of case 2")
        for part in ("fc", "block", "head"):
            if part == "head" and model.heads:
                print(f"heads {restore_heads(model, source, chosen.rnn_checkpoint)}")
            elif getattr(model, part) is not None:
                print(f"{part} from {restore_part(model, part, source, chosen.rnn_checkpoint)}")


def restore_heads(model: AffWildNet, source: ModelFolder, which: str) -> str:
    """Fills the heads that `source` has too, written alike but for weight and loss; returns what was done, in words.

    Raises:
      InputError: a head has other shapes there, as what it reads has another width.
    """
    alike = lambda head: dataclasses.replace(head, weight=1.0, loss="")  # noqa: E731
    theirs = {alike(head) for head in parse_heads(read_options(source).heads)}
    names = [head.name for head in model.heads if alike(head) in theirs]
    for name in names:
        restore_part(model, ("head", "parts", name), source, which)
    new = [head.name for head in model.heads if head.name not in names]
    return f"{', '.join(names) or 'none'} from {source.root}; new: {', '.join(new) or 'none'}"


def check_options(model: ModelOptions, chosen: TrainOptions, optimizing: OptimizerOptions) -> None:
    """Raises `InputError` where options contradict each other."""
    if model.landmarks_68 and not model.fc:
        what = "landmarks join the first fully connected layer's input, and there is none"
        raise InputError("--landmarks_68", what, "give --fc=4096")
    check_heads(model)
    if CASES[chosen.case].needs_rnn and not chosen.rnn_from:
        raise InputError("--case=3", "no RNN is named", "name the folder of the best case-2 model in --rnn_from")
    _check_stage(chosen)
    if chosen.cache_features and case_of(chosen).backbone != "nothing":
        raise InputError("--cache_features", f"case {chosen.case} changes the CNN", "use it with --case=0 only")
    if chosen.cache_features and chosen.original_batch_norm:
        what = "the original's batch norm makes features depend on their batch"
        raise InputError("--cache_features", what, "drop --original_batch_norm")
    if model.cell == "indrnn" and model.recurrent_limit_frames != chosen.sequence_length:
        what = f"it is {model.recurrent_limit_frames}, but sequences have {chosen.sequence_length} frames"
        raise InputError("--recurrent_limit_frames", what, f"give --recurrent_limit_frames={chosen.sequence_length}")
    check_optimizer_options(optimizing)
    starting_weights(model.backbone, chosen)


def _check_stage(chosen: TrainOptions) -> None:
    if not chosen.stage:
        return
    usual = TrainOptions()
    for name in ("case", "trained_cnn", "original_batch_norm"):
        if getattr(chosen, name) != getattr(usual, name):
            raise InputError(
                f"--{name}", "a stage says itself what is trained", f"leave it out, or --stage={chosen.stage}"
            )
    for name in ("cnn_from", "rnn_from"):
        if chosen.stage_from and getattr(chosen, name):
            raise InputError(f"--{name}", "--stage_from hands on all that there is", "give only one of them")
