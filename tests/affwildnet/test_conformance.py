"""Every backbone, cell and composite through the same checks.

`make test` runs shapes and gradients of every entry and the other checks of one entry a family; `make conformance` runs
all of it.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import two_devices

from affwildnet.adam import FusedAdam
from affwildnet.backbones import BACKBONES
from affwildnet.cases import CASES, trained_variables
from affwildnet.cells import CELLS
from affwildnet.composites import COMPOSITES
from affwildnet.exporters import FORMATS
from affwildnet.exporters.format import make_reference
from affwildnet.input_spec import InputSpec
from affwildnet.models import ModelOptions, build_model
from affwildnet.optimizer import make_optimizer
from affwildnet.serving import ServedModel
from affwildnet.stages import COLUMNS, Stage, staged_options
from affwildnet.train_step import StepOptions, make_train_step

SPEC = InputSpec()
SMALL = ModelOptions(units=8, attention_length=3)
# Attention is built anew for every model, which takes longer than the rest of a small one; the cells' entries have it.
PLAIN = dataclasses.replace(SMALL, attention_length=0)
# Random weights of these give features so large that a cell by itself saturates; attention projects them first.
SATURATING = ("fatauva", "fatauva_pooled")


def _composite(name: str) -> ModelOptions:
    if COMPOSITES[name].get("stage"):
        # The heads are the stage's, which read the points of its own backbone.
        return staged_options(ModelOptions(backbone="fatauva_small", cell="none"), Stage("all"), COLUMNS)
    names = {field.name for field in dataclasses.fields(ModelOptions)} - {"backbone"}
    chosen = {option: value for option, value in COMPOSITES[name].items() if option in names}
    return ModelOptions(**{"units": 8, **chosen})


ENTRIES: dict[str, ModelOptions] = {
    **{
        f"backbone-{name}": dataclasses.replace(SMALL if name in SATURATING else PLAIN, backbone=name)
        for name in sorted(BACKBONES)
    },
    **{f"cell-{name}": dataclasses.replace(SMALL, cell=name) for name in sorted(CELLS)},
    **{f"cell-{n}-alone": dataclasses.replace(PLAIN, cell=n) for n in sorted(CELLS)},
    "composite-fc_rnn": dataclasses.replace(PLAIN, fc=("64",)),
    # With the small CNN, for every backbone has its own entry; the rest as the paper has it.
    **{f"composite-{name}": _composite(name) for name in sorted(COMPOSITES)},
    "composite-heads": dataclasses.replace(
        PLAIN,
        heads=(
            "va:regression:valence+arousal",
            "aus:sigmoid:au01+au12:at=features:hidden=6:dropout=0.3",
            "face:softmax:neutral+joy",
        ),
    ),
    "composite-three_outputs": dataclasses.replace(PLAIN, outputs=("valence", "arousal", "liking")),
}
# What CI runs all checks of: our own layers with batch norm and without; attention that is fused (GRU, LSTM) and as it
# is written, behind a projection (Highway); a cell without attention; FC, dropout and landmarks. Left to
# `make conformance` is what libraries build (keras.applications, keras-vggface, addons), VGGFace, slim's ResNet,
# DenseNet, CNN-M with LRN, IndRNN with attention, plain and Residual cells, FATAUVA-Net and the other composites: of
# these CI knows the shapes and gradients, those of the smallest size of each.
FAMILIES = (
    "backbone-cnn_m_batch_norm",
    "backbone-small_cnn",
    "cell-gru",
    "cell-gru_highway",
    "cell-indrnn-alone",
    "cell-lstm",
    "composite-va_crnn_landmarks",
)
# Left to it even for shapes and gradients: each has a smaller sister of the same code, which is in CI.
GREAT = (
    "backbone-densenet161",
    "backbone-densenet169",
    "backbone-densenet169_keras",
    "backbone-densenet201_keras",
    "backbone-fatauva",
    "backbone-fatauva_pooled",
    "backbone-resnet50_vggface2_scratch",
    "backbone-senet50_vggface2_scratch",
)
NO_ADDONS = pytest.mark.skipif(importlib.util.find_spec("tensorflow_addons") is None, reason="no tensorflow-addons")


def _needs(entry: str) -> list[pytest.MarkDecorator]:
    return [NO_ADDONS] if ENTRIES[entry].cell == "lstm_addons" else []


every_entry = pytest.mark.parametrize(
    "entry",
    [pytest.param(e, marks=_needs(e) + ([pytest.mark.conformance] if e in GREAT else [])) for e in sorted(ENTRIES)],
)
one_a_family = pytest.mark.parametrize(
    "entry",
    [pytest.param(e, marks=_needs(e) + ([] if e in FAMILIES else [pytest.mark.conformance])) for e in sorted(ENTRIES)],
)


@functools.lru_cache(maxsize=1)
def _model(entry: str) -> tf.keras.Model:
    tf.keras.utils.set_random_seed(1)
    return build_model(ENTRIES[entry], SPEC)


def _inputs(entry: str, batch: int = 2, length: int = 3) -> dict[str, tf.Tensor]:
    """What the entry's network takes, by the names of its arguments."""
    inputs = {"faces": _faces(batch, length)}
    if ENTRIES[entry].landmarks_68:
        inputs["landmarks_68"] = tf.random.stateless_uniform([batch, length, 136], (0, 0), -1, 1)
    return inputs


def _faces(batch: int = 2, length: int = 3) -> tf.Tensor:
    generator = np.random.default_rng(0)
    return tf.constant(generator.integers(0, 256, (batch, length, SPEC.size, SPEC.size, 3), np.uint8))


def _train(entry: str, model: tf.keras.Model) -> float:
    """One step of case 2 on a batch of two sequences of three frames; its loss.

    Run eagerly: compiling would take most of the suite's time, and graphs have their own check.
    """
    batch = {
        **_inputs(entry),
        "labels": tf.random.stateless_uniform([2, 3, len(ENTRIES[entry].outputs)], (0, 1), -1, 1),
        "weights": tf.ones([2, 3]),
    }
    variables = trained_variables(model, CASES["2"])
    step = make_train_step(model, variables, make_optimizer(1e-3, variables), CASES["2"], StepOptions("mse"))
    tf.config.run_functions_eagerly(True)
    try:
        return float(step(batch).losses["total"])
    finally:
        tf.config.run_functions_eagerly(False)


@every_entry
def test_values_have_a_row_a_frame_and_gradients_reach_every_trained_variable(entry: str) -> None:
    model = _model(entry)
    with tf.GradientTape() as tape:
        values = model(**_inputs(entry), training=True)
        loss = tf.reduce_sum(tf.square(values))
    assert values.shape == (2, 3, len(ENTRIES[entry].outputs)) and values.dtype == tf.float32
    assert np.isfinite(values).all()
    for variable, gradient in zip(
        trained_variables(model, CASES["2"]), tape.gradient(loss, trained_variables(model, CASES["2"])), strict=True
    ):
        assert gradient is not None, variable.name
        gradient = tf.convert_to_tensor(gradient).numpy()
        assert np.isfinite(gradient).all(), variable.name
        # The gradient of a bias just before a batch norm is 0. Three frames are enough for peepholes and the window,
        # which multiply what came before.
        assert gradient.any() or "bias" in variable.name, variable.name


@one_a_family
def test_graph_gives_what_eager_gives(entry: str) -> None:
    model = _model(entry)
    graph = tf.function(lambda inputs: model(**inputs))
    _assert_close(graph(_inputs(entry)), model(**_inputs(entry)))


@one_a_family
def test_saved_weights_give_the_same_values(entry: str, tmp_path: Path) -> None:
    model = _model(entry)
    prefix = tf.train.Checkpoint(model=model).write(str(tmp_path / "ckpt"))
    other = build_model(ENTRIES[entry], SPEC)
    tf.train.Checkpoint(model=other).read(prefix).assert_consumed()
    _assert_close(other(**_inputs(entry)), model(**_inputs(entry)))


@one_a_family
def test_saved_model_gives_the_same_values(entry: str, tmp_path: Path) -> None:
    model = _model(entry)
    served = ServedModel(model)
    tf.saved_model.save(served, str(tmp_path), {"sequences": served.sequences, "step": served.step})
    loaded = tf.saved_model.load(str(tmp_path))
    values = loaded.signatures["sequences"](**_inputs(entry))["values"]
    _assert_close(values, model.to_values(model(**_inputs(entry))))


@pytest.mark.conformance
@every_entry
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_exported_files_give_the_same_values(entry: str, name: str, tmp_path: Path) -> None:
    for package in FORMATS[name].packages:
        pytest.importorskip(package)
    model = _model(entry)
    FORMATS[name].write(model, tmp_path)
    found = FORMATS[name].measure(tmp_path, make_reference(model, frames=4))
    # Random weights of deep networks give greater values than trained ones.
    scale = max(1.0, float(np.abs(model(**_inputs(entry))).max()))
    assert max(found.values()) <= FORMATS[name].bound * scale, found


@one_a_family
def test_pieces_give_what_the_whole_gives(entry: str) -> None:
    model = _model(entry)
    state = model.zero_state(2)
    inputs = _inputs(entry)
    first, state = model.run(state=state, **{name: value[:, :2] for name, value in inputs.items()})
    second, _ = model.run(state=state, **{name: value[:, 2:] for name, value in inputs.items()})
    _assert_close(tf.concat([first, second], axis=1), model(**inputs))


@one_a_family
def test_same_seed_gives_the_same_weights_values_and_step(entry: str) -> None:
    runs = []
    for _ in range(2):
        tf.keras.utils.set_random_seed(7)
        model = build_model(ENTRIES[entry], SPEC)
        start, values = model.get_weights(), model(**_inputs(entry)).numpy()
        loss = _train(entry, model)
        runs.append([*start, values, np.array(loss), *model.get_weights()])
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one, other)


@one_a_family
def test_mixed_precision_trains_float32_weights(entry: str) -> None:
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = build_model(ENTRIES[entry], SPEC)
        values = model(**_inputs(entry))
        assert values.dtype == tf.float32 and np.isfinite(values).all()
        # Of a backbone with several points those that lead to what is read.
        trained = trained_variables(model, CASES["2"])
        before = [variable.numpy() for variable in trained]
        assert np.isfinite(_train(entry, model))
        for variable, old in zip(trained, before, strict=True):
            assert variable.dtype == tf.float32 and np.isfinite(variable.numpy()).all(), variable.name
            # IndRNN's outputs start so small that in 16 bits the attention's scores of them are all alike.
            too_small = ENTRIES[entry].cell == "indrnn" and "/attention/" in variable.name
            assert (variable.numpy() != old).any() or "bias" in variable.name or too_small, variable.name
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")


@pytest.fixture(scope="module")
def two_cpus() -> Iterator[ProcessPoolExecutor]:
    # What runs once is not worth compiling.
    with two_devices.start(eagerly=True) as process:
        yield process


def _step_on_two_devices(entry: str) -> dict[str, float]:
    """What a step on two devices with half of the batch each does otherwise than one device with all of it.

    Batch norm is in inference mode and nothing is dropped, for these would differ by halves. The loss is a sum, so that
    the sum of the halves' gradients is the whole's. With an ε of 1 a small gradient moves a weight little: Adam's first
    step is otherwise the gradient's sign, which rounding settles where that is almost 0.
    """
    strategy = two_devices.mirrored_strategy()
    tf.keras.utils.set_random_seed(1)
    with strategy.scope():
        mirrored = build_model(ENTRIES[entry], SPEC)
        optimizers = [FusedAdam(0.1, epsilon=1.0)]
        optimizers[0].build(trained_variables(mirrored, CASES["2"]))
    alone = build_model(ENTRIES[entry], SPEC)
    alone.set_weights(mirrored.get_weights())
    optimizers.append(FusedAdam(0.1, epsilon=1.0))
    trained = [trained_variables(model, CASES["2"]) for model in (mirrored, alone)]
    optimizers[1].build(trained[1])
    start = [variable.numpy() for variable in trained[1]]
    inputs = _inputs(entry, batch=4)

    def step(model: tf.keras.Model, optimizer: FusedAdam, part: dict[str, tf.Tensor]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(model(**part)))
        variables = trained_variables(model, CASES["2"])
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    halves = strategy.experimental_distribute_values_from_function(
        lambda context: {name: value[2 * context.replica_id_in_sync_group :][:2] for name, value in inputs.items()}
    )
    losses = strategy.run(step, args=(mirrored, optimizers[0], halves))
    loss = step(alone, optimizers[1], inputs)
    copies = [[part.numpy() for part in strategy.experimental_local_results(v)] for v in trained[0]]
    moments = [[moment.numpy() for moment in optimizer.first_moments] for optimizer in optimizers]
    steps = [
        [weights - old for weights, old in zip(end, start, strict=True)]
        for end in ([copy for copy, _ in copies], [variable.numpy() for variable in trained[1]])
    ]
    # A weight near 1 is rounded by 6e-8.
    return {
        "loss": abs(float(strategy.reduce("SUM", losses, axis=None)) / float(loss) - 1),
        "copies": max(float(np.abs(one - other).max()) for one, other in copies),
        "gradients": _difference(*moments, 1e-9),
        "steps": _difference(*steps, 1e-7),
        "moved": sum(step.any() for step in steps[1]),
    }


def _difference(ones: list[np.ndarray], others: list[np.ndarray], rounding: float) -> float:
    """The greatest difference of a variable's values beyond `rounding`, as a part of its greatest value."""
    pairs = zip(ones, others, strict=True)
    return max(
        float(max(np.abs(one - other).max() - rounding, 0) / max(np.abs(other).max(), rounding)) for one, other in pairs
    )


@one_a_family
def test_step_on_two_devices_with_half_a_batch_each_is_the_step_on_one(
    entry: str, two_cpus: ProcessPoolExecutor
) -> None:
    found = two_cpus.submit(_step_on_two_devices, entry).result()
    assert found["copies"] == 0 and found["moved"] > 0
    assert found["loss"] < 1e-4 and found["gradients"] < 1e-3 and found["steps"] < 1e-3, found


def _assert_close(values: tf.Tensor, expected: tf.Tensor) -> None:
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)
