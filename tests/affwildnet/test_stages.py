"""FATAUVA-Net in stages: which heads, what is trained and frozen, what is handed on."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.backbones.fatauva import SIZES, Size, fatauva
from affwildnet.backbones.fatauva_tables import POINTS
from affwildnet.cases import CASES, trained_variables
from affwildnet.checkpoints import choose_checkpoint, list_checkpoints, restore_model
from affwildnet.composites import COMPOSITES
from affwildnet.heads import parse_heads
from affwildnet.input_spec import InputSpec
from affwildnet.model_folder import ModelFolder, describe_model, read_options
from affwildnet.models import AffWildNet, ModelOptions, build_model
from affwildnet.optimizer import make_optimizer
from affwildnet.stages import COLUMNS, STAGES, Stage, freeze_earlier, stage_heads, staged_options, trained_columns
from affwildnet.train import TrainOptions, TrainRun, train
from affwildnet.train_step import StepOptions, make_replica_step
from tfrecords.errors import InputError

SPEC = InputSpec()
TINY = ModelOptions(backbone="fatauva_small", cell="none")
DEMO = tuple(f"au{number:02d}" for number in (1, 2, 4, 5, 6, 12, 15, 25, 26, 45))
SHARED = {"core", "eye", "eyebrow", "mouth", "au_4", "au_45"}
BLOCKS = SHARED | {"au_1", "au_2", "au_6_7", "au_chin", "au_lip", "au_lip_c", "au_mouth"}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small size, smaller still."""
    size = Size(width=4, core_units=1, dropout=0.2)
    monkeypatch.setitem(SIZES, "fatauva_small", size)
    entry = dataclasses.replace(BACKBONES["fatauva_small"], build=lambda side: fatauva(side, size))
    monkeypatch.setitem(BACKBONES, "fatauva_small", entry)


def heads_of(options: ModelOptions) -> dict[str, tuple[str, ...]]:
    return {head.name: head.columns for head in parse_heads(options.heads)}


def built(stage: Stage, known: tuple[str, ...] = COLUMNS) -> AffWildNet:
    """The network of a stage, frozen as it is trained."""
    tf.keras.utils.set_random_seed(1)
    model = build_model(staged_options(TINY, stage, known), SPEC)
    freeze_earlier(model, stage)
    return model


def trained_parts(model: AffWildNet) -> tuple[set[str], set[str]]:
    """Parts of the backbone and heads that are trained."""
    variables = {variable.ref() for variable in trained_variables(model, CASES["2"])}
    backbone = {v.name.split("/")[0] for v in model.backbone.variables if v.ref() in variables}
    heads = {name for name, part in model.head.parts.items() if {v.ref() for v in part.trainable_variables} & variables}
    return backbone, heads


def folder_of(path: Path, stage: Stage, known: tuple[str, ...] = COLUMNS) -> ModelFolder:
    """A folder that says that it holds a model of this stage."""
    folder = ModelFolder(path)
    describe_model(folder, staged_options(TINY, stage, known), SPEC, {"stage": stage.name}, {})
    return folder


def test_stages_have_a_head_a_branch_a_block_and_a_dimension_with_the_re_implementations_layers() -> None:
    heads = {stage: {head.name: head for head in stage_heads("fatauva", stage, COLUMNS)} for stage in STAGES}
    assert heads["all"] == {**heads["attributes"], **heads["action_units"], **heads["va"]}
    face, block, valence = (heads["all"][name] for name in ("face_attributes", "au_chin", "valence"))
    assert face.columns == ("attractive", "male", "no_beard", "young") and face.point == "face"
    assert (face.kind, face.hidden, face.dropout) == ("sigmoid", (512, 1024), 0.5)
    assert (block.kind, block.columns, block.point, block.hidden) == ("sigmoid", ("au17", "au26"), "au_chin", (512,))
    assert (valence.kind, valence.point, valence.hidden) == ("regression", "valence", (1024, 1024))
    assert [len(heads[stage]) for stage in STAGES] == [4, 9, 2, 15]


def test_a_stage_has_the_heads_whose_labels_are_there() -> None:
    found = heads_of(staged_options(TINY, Stage("action_units"), (*DEMO, "valence")))
    assert found == {
        "au_6_7": ("au06",),
        "au_45": ("au45",),
        "au_1": ("au01",),
        "au_2": ("au02",),
        "au_4": ("au04",),
        "au_chin": ("au26",),
        "au_lip_c": ("au12", "au15"),
        "au_mouth": ("au25",),
    }


@pytest.mark.parametrize(
    ("change", "stage", "known", "message"),
    [
        ({}, Stage("attributes"), DEMO, "the records have none of its labels"),
        ({"backbone": "small_cnn"}, Stage("va"), COLUMNS, "small_cnn is not trained in stages"),
        ({"heads": ("v:regression:valence:at=valence",)}, Stage("attributes"), COLUMNS, "no head reads a point of it"),
        ({}, Stage("", "folder"), COLUMNS, "it hands a stage on, and none is named"),
    ],
)
def test_a_stage_that_cannot_be_is_refused(
    change: dict[str, object], stage: Stage, known: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        staged_options(dataclasses.replace(TINY, **change), stage, known)


def test_without_a_stage_the_network_is_as_it_is_said() -> None:
    assert staged_options(TINY, Stage(), COLUMNS) is TINY


def test_first_stage_trains_core_and_branches_and_their_heads() -> None:
    branches = {"face", "eye", "eyebrow", "mouth"}
    assert trained_parts(built(Stage("attributes"))) == (
        {"core", *branches},
        {f"{name}_attributes" for name in branches},
    )


def test_each_stage_trains_what_is_new_and_what_none_before_has_trained(tmp_path: Path) -> None:
    attributes = folder_of(tmp_path / "attributes", Stage("attributes"))
    second = Stage("action_units", str(attributes.root))
    backbone, heads = trained_parts(built(second, DEMO))
    assert backbone == BLOCKS - {"core", "eye", "eyebrow", "mouth"}
    assert heads == {"au_6_7", "au_45", "au_1", "au_2", "au_4", "au_chin", "au_lip_c", "au_mouth"}
    units = folder_of(tmp_path / "units", second, DEMO[:-1])
    third = Stage("va", str(units.root))
    model = built(third)
    # Nobody had labels of action unit 45, so its block was not trained; valence and arousal read it.
    assert trained_parts(model) == ({"au_45"}, {"valence", "arousal"})
    assert trained_columns(model.options, third) == ("valence", "arousal")
    assert list(heads_of(model.options))[:4] == [f"{name}_attributes" for name in ("face", "eye", "eyebrow", "mouth")]
    together = dataclasses.replace(third, freeze=False)
    assert trained_parts(built(together))[0] == {*BLOCKS, "face"}
    with pytest.raises(InputError, match="has been through it"):
        staged_options(TINY, Stage("action_units", str(units.root)), COLUMNS)


def batch_of(model: AffWildNet, frames: int = 8) -> dict[str, tf.Tensor]:
    generator = np.random.default_rng(5)
    labels = generator.uniform(0, 1, (frames, 1, len(model.options.outputs))).astype(np.float32)
    faces = generator.integers(0, 256, (frames, 1, 96, 96, 3), np.uint8)
    return {"faces": tf.constant(faces), "labels": tf.constant(labels), "weights": tf.ones([frames, 1])}


def test_a_step_moves_what_its_stage_trains_and_no_average_of_what_is_frozen(tmp_path: Path) -> None:
    units = folder_of(tmp_path, Stage("action_units"), DEMO)
    model = built(Stage("va", str(units.root)))
    variables = trained_variables(model, CASES["2"])
    assert {v.ref() for v in variables} == {
        v.ref() for n in DIMENSION_HEADS for v in part(model, n).trainable_variables
    }
    before = [variable.numpy() for variable in model.variables]
    optimizer = make_optimizer(1e-3, variables)
    result = make_replica_step(model, variables, optimizer, CASES["2"], StepOptions())(batch_of(model), tf.constant(0))
    pairs = zip(model.variables, before, strict=True)
    changed = {variable.ref() for variable, old in pairs if not np.array_equal(variable.numpy(), old)}
    averages = {v.ref() for name in DIMENSION_HEADS for v in part(model, name).non_trainable_variables}
    assert changed <= {v.ref() for v in variables} | averages and changed >= averages
    # The frozen heads' losses are told, and do not count.
    assert float(result.losses["au_1"]) > 0
    expected = float(result.losses["valence"]) + float(result.losses["arousal"])
    assert float(result.losses["total"]) == pytest.approx(expected, rel=1e-5)


DIMENSION_HEADS = ("valence", "arousal")


def part(model: AffWildNet, name: str) -> tf.keras.layers.Layer:
    return model.head.parts[name]


@pytest.mark.slow
def test_all_stages_at_once_learn_a_small_batch_by_heart() -> None:
    model = built(Stage("all"))
    batch = batch_of(model)
    variables = trained_variables(model, CASES["2"])
    step = tf.function(make_replica_step(model, variables, make_optimizer(3e-3, variables), CASES["2"], StepOptions()))
    losses = [float(step(batch, tf.constant(number)).losses["total"]) for number in range(120)]
    assert np.mean(losses[-5:]) < 0.75 * losses[0]
    values = step(batch, tf.constant(0)).predictions.numpy()
    labels = batch["labels"].numpy()
    for name in DIMENSION_HEADS:
        place = model.options.outputs.index(name)
        assert np.corrcoef(values[:, 0, place], labels[:, 0, place])[0, 1] > 0.8


@pytest.mark.slow
def test_stages_hand_on_network_and_heads_to_the_last_bit(tmp_path, demo_workspace) -> None:
    run = TrainRun(steps=1, checkpoint_seconds=0, checkpoint_steps=1, log_steps=1, image_steps=0)
    chosen = TrainOptions(batch=4, sequence_length=1, learning_rate=1e-3, stage="action_units")
    folders = [ModelFolder(tmp_path / name) for name in ("units", "va")]
    train(folders[0], demo_workspace, run, TINY, chosen)
    second = dataclasses.replace(chosen, stage="va", stage_from=str(folders[0].root))
    train(folders[1], demo_workspace, run, TINY, second)
    assert list(list_checkpoints(folders[1])) == [1]
    first, last = (build_model(read_options(folder), SPEC) for folder in folders)
    for model, folder in ((first, folders[0]), (last, folders[1])):
        restore_model(model, choose_checkpoint(folder, "latest"))
    assert last.options.outputs == (*first.options.outputs, "valence", "arousal")
    # What leads to nothing that was read is not trained either.
    for one, other in zip(first.backbone.weights, last.backbone.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    for name in first.head.parts:
        for one, other in zip(part(first, name).weights, part(last, name).weights, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"case": "0"}, "--case: a stage says itself what is trained"),
        ({"stage_from": "a", "cnn_from": "b"}, "--cnn_from: --stage_from hands on all that there is"),
    ],
)
def test_options_that_contradict_a_stage_are_refused(change, message, tmp_path, demo_workspace) -> None:
    if "stage_from" in change:
        change = {**change, "stage_from": str(folder_of(tmp_path / "a", Stage("action_units"), DEMO).root)}
    chosen = dataclasses.replace(TrainOptions(stage="va", weights="none"), **change)
    with pytest.raises(InputError, match=message):
        train(ModelFolder(tmp_path / "model"), demo_workspace, TrainRun(steps=1), TINY, chosen)


def test_composite_is_of_all_stages_at_once() -> None:
    assert COMPOSITES["fatauva"]["stage"] == "all" and COMPOSITES["fatauva"]["backbone"] == "fatauva"
    assert {head.point for head in stage_heads("fatauva", "all", COLUMNS)} == set(POINTS) - {"features"}
