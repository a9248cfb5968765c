"""Every backbone, cell and composite through the same checks.

`make test` runs shapes and gradients of every entry and the other checks of one entry a family; `make conformance` runs
all of it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.cells import CELLS
from affwildnet.composites import COMPOSITES
from affwildnet.input_spec import InputSpec
from affwildnet.models import ModelOptions, build_model
from affwildnet.serving import ServedModel

ROOT = Path(__file__).parents[2]
SPEC = InputSpec()
SMALL = ModelOptions(units=8, attention_length=3)


def _composite(name: str) -> ModelOptions:
    names = {field.name for field in dataclasses.fields(ModelOptions)} - {"backbone"}
    chosen = {option: value for option, value in COMPOSITES[name].items() if option in names}
    return ModelOptions(**{"units": 8, **chosen})


ENTRIES: dict[str, ModelOptions] = {
    **{f"backbone-{name}": dataclasses.replace(SMALL, backbone=name) for name in sorted(BACKBONES)},
    **{f"cell-{name}": dataclasses.replace(SMALL, cell=name) for name in sorted(CELLS)},
    **{f"cell-{n}-alone": dataclasses.replace(SMALL, cell=n, attention_length=0) for n in sorted(CELLS)},
    "composite-fc_rnn": dataclasses.replace(SMALL, fc=("64",)),
    # With the small CNN, for every backbone has its own entry; the rest as the paper has it.
    **{f"composite-{name}": _composite(name) for name in sorted(COMPOSITES)},
    "composite-three_outputs": dataclasses.replace(SMALL, outputs=("valence", "arousal", "liking")),
}
# One of each way in which entries are made; the rest of a family differs in sizes only.
FAMILIES = (
    "backbone-small_cnn",
    "backbone-densenet121",
    "cell-gru",
    "cell-lstm",
    "cell-indrnn-alone",
    "composite-va_crnn_landmarks",
)

every_entry = pytest.mark.parametrize("entry", sorted(ENTRIES))
one_a_family = pytest.mark.parametrize(
    "entry", [pytest.param(e, marks=() if e in FAMILIES else pytest.mark.conformance) for e in sorted(ENTRIES)]
)


@functools.lru_cache(maxsize=1)
def _model(entry: str) -> tf.keras.Model:
    if ENTRIES[entry].cell == "lstm_addons":
        pytest.importorskip("tensorflow_addons", reason="tensorflow-addons has no wheel here", exc_type=ImportError)
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


@every_entry
def test_values_have_a_row_a_frame_and_gradients_reach_every_trained_variable(entry: str) -> None:
    model = _model(entry)
    with tf.GradientTape() as tape:
        values = model(**_inputs(entry), training=True)
        loss = tf.reduce_sum(tf.square(values))
    assert values.shape == (2, 3, len(ENTRIES[entry].outputs)) and values.dtype == tf.float32
    assert np.isfinite(values).all()
    for variable, gradient in zip(
        model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
    ):
        assert gradient is not None, variable.name
        assert np.isfinite(tf.convert_to_tensor(gradient)).all(), variable.name


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
    _assert_close(loaded.signatures["sequences"](**_inputs(entry))["values"], model(**_inputs(entry)))


@one_a_family
def test_pieces_give_what_the_whole_gives(entry: str) -> None:
    model = _model(entry)
    state = model.zero_state(2)
    inputs = _inputs(entry)
    first, state = model.run(state=state, **{name: value[:, :2] for name, value in inputs.items()})
    second, _ = model.run(state=state, **{name: value[:, 2:] for name, value in inputs.items()})
    _assert_close(tf.concat([first, second], axis=1), model(**inputs))


@one_a_family
def test_same_seed_gives_the_same_weights(entry: str) -> None:
    weights = []
    for _ in range(2):
        tf.keras.utils.set_random_seed(7)
        weights.append(build_model(ENTRIES[entry], SPEC).get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@one_a_family
def test_mixed_precision_gives_finite_float32_values(entry: str) -> None:
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = build_model(ENTRIES[entry], SPEC)
        values = model(**_inputs(entry))
        assert values.dtype == tf.float32 and np.isfinite(values).all()
        assert {variable.dtype for variable in model.trainable_variables} == {tf.float32}
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")


_TWO_DEVICES = """
import json, sys
import numpy as np
from affwildnet.input_spec import InputSpec
from affwildnet.models import ModelOptions, build_model
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
options = json.loads(sys.argv[1])
options = ModelOptions(**{name: tuple(v) if isinstance(v, list) else v for name, v in options.items()})
strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
with strategy.scope():
    model = build_model(options, InputSpec())
inputs = {"faces": np.random.default_rng(0).integers(0, 256, (4, 3, 96, 96, 3), np.uint8)}
if options.landmarks_68:
    inputs["landmarks_68"] = np.random.default_rng(1).uniform(-1, 1, (4, 3, 136)).astype(np.float32)
dataset = tf.data.Dataset.from_tensors(inputs).unbatch().batch(4)
run = tf.function(lambda batch: strategy.run(lambda part: model(**part), args=(batch,)))
parts = [run(batch) for batch in strategy.experimental_distribute_dataset(dataset)][0]
values = np.concatenate([part.numpy() for part in strategy.experimental_local_results(parts)])
print(json.dumps(float(np.abs(values - model(**inputs).numpy()).max())))
"""


@one_a_family
def test_two_devices_share_a_batch(entry: str) -> None:
    _model(entry)
    words = [sys.executable, "-c", _TWO_DEVICES, json.dumps(dataclasses.asdict(ENTRIES[entry]))]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) < 1e-4


def _assert_close(values: tf.Tensor, expected: tf.Tensor) -> None:
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)
