"""Original checkpoints become model folders that predict what the original graphs predicted."""

import dataclasses
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.checkpoints import choose_checkpoint
from affwildnet.export import export_model
from affwildnet.import_tf1 import ImportOptions, import_checkpoint, report
from affwildnet.input_spec import read_input_spec
from affwildnet.model_folder import ModelFolder, load_model
from affwildnet.models import ModelOptions, build_model
from affwildnet.serving import open_model
from affwildnet.tf1_architectures import ARCHITECTURES, tf1_weights, with_scopes
from affwildnet.video_prediction import predict_video
from data_pipeline.detectors import load_detector
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv

Write = Callable[[Path, dict[str, np.ndarray]], Path]
Golden = Callable[[str], Any]


def training_leftovers(names: list[str]) -> dict[str, np.ndarray]:
    """What a training checkpoint holds beside the weights."""
    left = {f"{name}/{slot}": np.zeros(2, np.float32) for name in names[:3] for slot in ("Adam", "Adam_1")}
    powers = {name: np.float32(0.5) for name in ("beta1_power", "beta2_power")}
    return {**left, **powers, "global_step": np.int64(33731)}


@pytest.mark.parametrize(
    "architecture",
    [
        "released_vggface_gru",
        pytest.param("released_resnet_gru", marks=pytest.mark.slow),
        pytest.param("released_vggface_4096", marks=pytest.mark.slow),
        pytest.param("released_vggface_2000", marks=pytest.mark.slow),
    ],
)
def test_imported_and_exported_network_gives_the_original_predictions(
    architecture: str, golden_network: Golden, write_tf1_checkpoint: Write, tmp_path: Path
) -> None:
    golden = golden_network(architecture)
    variables = golden.variables()
    left = training_leftovers(list(variables))
    prefix = write_tf1_checkpoint(tmp_path / "model.ckpt-33731", {**variables, **left})
    loaded = import_checkpoint(ImportOptions(str(prefix), architecture, str(tmp_path / "model")))
    assert set(loaded.used) == set(variables) and set(loaded.unused) == set(left)

    assert export_model(ModelFolder(tmp_path / "model"), tmp_path / "saved", "total") < 1e-5
    sequences = tf.saved_model.load(str(tmp_path / "saved")).signatures["sequences"]
    values = sequences(faces=tf.constant(golden.faces))["values"].numpy()
    np.testing.assert_allclose(values, golden.stored["predictions"], rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_imported_released_network_labels_a_video(
    golden_network: Golden, write_tf1_checkpoint: Write, tmp_path: Path, demo_workspace: Workspace
) -> None:
    name = "released_resnet_gru"
    prefix = write_tf1_checkpoint(tmp_path / "model.ckpt-1", golden_network(name).variables())
    import_checkpoint(ImportOptions(str(prefix), name, str(tmp_path / "model")))
    model = open_model(tmp_path / "model", "total")
    assert (model.spec.resize, model.spec.colour_order) == ("linear_tf1", "rgb")
    row = read_csv(demo_workspace.manifest)[0]
    predictions = predict_video(demo_workspace.root / row["source"], model, load_detector("fast"))
    values = [person.values for p in itertools.islice(predictions, 40) for person in p.people]
    assert len(values) >= 30 and np.isfinite(values).all() and np.ptp(values, axis=0).min() > 0


def random_checkpoint(path: Path, architecture: str, write: Write, **changes: np.ndarray | None) -> Path:
    """A checkpoint of `architecture` with random weights; `changes` replace variables, or with None leave them out."""
    entry = ARCHITECTURES[architecture]
    model = build_model(entry.options, entry.spec)
    rng = np.random.default_rng(3)
    arrays: dict[str, Any] = {
        name: (0.05 * rng.standard_normal(weight.shape)).astype(np.float32)
        for name, weight in tf1_weights(model, entry).items()
    }
    return write(path, {name: array for name, array in {**arrays, **changes}.items() if array is not None})


THESIS = "thesis_vggface_gru_attention"


@pytest.fixture(scope="module")
def thesis_checkpoint(tmp_path_factory: pytest.TempPathFactory, write_tf1_checkpoint: Write) -> Path:
    """As the author's training left one: with Adam's slots and the layers that are built and never read."""
    left: dict[str, Any] = {
        **training_leftovers(["conv_1/weights", "attention-layer/rnn/attention_cell_wrapper/bias"]),
        **{f"{scope}/biases": np.zeros(3, np.float32) for scope in ("linear_1", "linear2_1", "linear3_1")},
    }
    prefix = tmp_path_factory.mktemp("thesis") / "model.ckpt-33731"
    return random_checkpoint(prefix, THESIS, write_tf1_checkpoint, **left)


@pytest.fixture(scope="module")
def imported(thesis_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelFolder, Any]:
    folder = ModelFolder(tmp_path_factory.mktemp("imported") / "model")
    return folder, import_checkpoint(ImportOptions(str(thesis_checkpoint), THESIS, str(folder.root)))


def test_names_are_those_of_the_authors_checkpoints() -> None:
    entry = ARCHITECTURES[THESIS]
    names = tf1_weights(build_model(entry.options, entry.spec), entry)
    scope = "attention-layer/rnn/attention_cell_wrapper"
    for name in (
        "conv_13/weights",
        f"{scope}/attention/attn_w",
        f"{scope}/multi_rnn_cell/cell_1/gru_cell/gates/kernel",
        "fcatten/fully_connected/weights",
        "fcatten/fully_connected/biases",
    ):
        assert name in names
    gru = ARCHITECTURES["thesis_resnet50_gru"]
    names = tf1_weights(build_model(gru.options, gru.spec), gru)
    assert {
        "resnet_v1_50/block4/unit_3/bottleneck_v1/conv3/BatchNorm/moving_variance",
        "GRU-layer/rnn/multi_rnn_cell/cell_0/gru_cell/candidate/bias",
        "fcgru/fully_connected/weights",
    } <= set(names)


@pytest.mark.parametrize("architecture", [name for name in sorted(ARCHITECTURES) if "_vggface_" in name])
def test_every_weight_of_a_network_has_one_name(architecture: str) -> None:
    entry = ARCHITECTURES[architecture]
    model = build_model(dataclasses.replace(entry.options, units=8), entry.spec)
    weights = list(tf1_weights(model, entry).values())
    assert len(weights) == len(model.weights) and {id(weight) for weight in weights} == {
        id(weight) for weight in model.weights
    }


def test_linear_layer_before_highway_cells_has_its_own_scope() -> None:
    entry = ARCHITECTURES["thesis_vggface_gru_highway"]
    names = tf1_weights(build_model(entry.options, entry.spec), entry)
    assert {"fc-highway/fully_connected/weights", "fc-pred/fully_connected/biases"} <= set(names)
    assert any(name.startswith("highway-layer/rnn/multi_rnn_cell/cell_1/") for name in names)


def test_residual_network_is_imported_by_the_scopes_that_are_given(tmp_path: Path, write_tf1_checkpoint: Write) -> None:
    name = "thesis_vggface_gru_residual"
    scopes = {"block_scope": "res/rnn", "head_scope": "fcres", "projection_scope": "before"}
    entry = with_scopes(ARCHITECTURES[name], *scopes.values())
    source = build_model(entry.options, entry.spec)
    arrays = {key: weight.numpy() for key, weight in tf1_weights(source, entry).items()}
    assert {"fcres/weights", "before/biases", "res/rnn/multi_rnn_cell/cell_0/gru_cell/gates/kernel"} <= set(arrays)
    write_tf1_checkpoint(tmp_path / "ckpt-1", arrays)
    given = ImportOptions(checkpoint=str(tmp_path / "ckpt-1"), architecture=name, model=str(tmp_path / "model"))
    with pytest.raises(InputError, match="never published; name them with --block_scope"):
        import_checkpoint(given)
    assert not (tmp_path / "model").exists()
    assert len(import_checkpoint(dataclasses.replace(given, **scopes)).used) == len(arrays)


def test_every_variable_is_reported_used_or_unused_with_the_reason(imported: tuple[ModelFolder, Any]) -> None:
    folder, loaded = imported
    assert "used    conv_1/weights\n" in report(loaded)
    assert "unused  conv_1/weights/Adam_1 (Adam's slot)" in report(loaded)
    assert "unused  global_step (counts the training's steps)" in report(loaded)
    assert "unused  linear2_1/biases (built in the original and not read)" in report(loaded)
    told = json.loads(folder.imported.read_text())
    assert set(told["used"]) == set(loaded.used) and told["unused"] == loaded.unused


def test_every_weight_is_the_checkpoints(imported: tuple[ModelFolder, Any], thesis_checkpoint: Path) -> None:
    folder, _ = imported
    model, _ = load_model(folder)
    tf.train.Checkpoint(model=model).restore(choose_checkpoint(folder, "total")).expect_partial()
    reader = tf.train.load_checkpoint(str(thesis_checkpoint))
    weights = tf1_weights(model, ARCHITECTURES[THESIS])
    assert len(weights) == len(model.weights)
    for name, weight in weights.items():
        np.testing.assert_array_equal(weight, reader.get_tensor(name))


def test_folder_is_like_a_trained_one(imported: tuple[ModelFolder, Any]) -> None:
    folder, _ = imported
    for which in ("latest", "total", "valence", "arousal", "33731"):
        assert choose_checkpoint(folder, which).endswith("checkpoints/ckpt-33731")
    assert json.loads(folder.training.read_text()) == {"state": "finished", "step": 33731}
    spec = read_input_spec(folder.input)
    assert (spec.colour_order, spec.resize, spec.size) == ("bgr", "cubic", 96)
    model = open_model(folder.root, "total")
    assert model.outputs == ("valence", "arousal") and not model.synthetic
    with pytest.raises(InputError, match="there is no checkpoint '7'"):
        choose_checkpoint(folder, "7")


def test_released_networks_take_rgb_resized_as_tensorflow_1_did() -> None:
    for name, entry in ARCHITECTURES.items():
        if name.startswith("released"):
            assert (entry.spec.colour_order, entry.spec.resize) == ("rgb", "linear_tf1")


def refused(checkpoint: Path, folder: Path, message: str, architecture: str = THESIS, **options: Any) -> None:
    with pytest.raises(InputError, match=message):
        import_checkpoint(ImportOptions(str(checkpoint), architecture, str(folder), **options))
    assert not folder.exists()


def test_wrong_architecture_names_the_first_variable_that_is_missing(thesis_checkpoint: Path, tmp_path: Path) -> None:
    message = r"model.ckpt-33731: the variable 'GRU-layer/rnn/.*' .* of thesis_vggface_gru is not in it"
    refused(thesis_checkpoint, tmp_path / "model", message, "thesis_vggface_gru")


def test_wrong_shape_names_the_variable(thesis_checkpoint: Path, tmp_path: Path) -> None:
    message = r"the variable 'attention-layer/.*' has shape \(\d.*\), but thesis_vggface_gru_attention has"
    refused(thesis_checkpoint, tmp_path / "model", message, units=100)


def test_other_number_of_units_is_imported_when_given(write_tf1_checkpoint: Write, tmp_path: Path) -> None:
    entry = ARCHITECTURES["thesis_vggface_gru"]
    model = build_model(ModelOptions(backbone="vggface", units=100, attention_length=0), entry.spec)
    arrays = {name: weight.numpy() for name, weight in tf1_weights(model, entry).items()}
    prefix = write_tf1_checkpoint(tmp_path / "model.ckpt-5", arrays)
    import_checkpoint(ImportOptions(str(prefix), "thesis_vggface_gru", str(tmp_path / "model"), units=100))
    assert load_model(ModelFolder(tmp_path / "model"))[0].options.units == 100


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, make_model_folder: Callable[..., ModelFolder]) -> None:
    refused(tmp_path / "nothing", tmp_path / "model", "nothing: no checkpoint can be read")
    (tmp_path / "text.ckpt").write_text("text")
    refused(tmp_path / "text.ckpt", tmp_path / "model", "text.ckpt: no checkpoint can be read")
    ours = make_model_folder(tmp_path / "ours")
    refused(ours.checkpoints / "ckpt-1", tmp_path / "model", "this is a checkpoint of TensorFlow 2")
    with pytest.raises(InputError, match="the folder holds a model already; name another --model"):
        import_checkpoint(ImportOptions("any", THESIS, str(ours.root)))


def test_files_of_a_checkpoint_are_named_as_well_as_its_prefix(thesis_checkpoint: Path, tmp_path: Path) -> None:
    import_checkpoint(ImportOptions(f"{thesis_checkpoint}.index", THESIS, str(tmp_path / "model")))


def test_command_reports_and_refuses_in_one_sentence(thesis_checkpoint: Path, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "affwildnet.import_tf1", f"--checkpoint={thesis_checkpoint}"]
    flags = [f"--architecture={THESIS}", f"--model={tmp_path / 'model'}"]
    done = subprocess.run([*command, *flags], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0 and "variables used, 10 unused" in done.stdout, done.stderr
    again = subprocess.run([*command, *flags], cwd=root, capture_output=True, text=True)
    assert again.returncode == 1 and "Traceback" not in again.stderr
    assert again.stderr.splitlines()[-1].startswith(f"error: {tmp_path / 'model'}: the folder holds a model already")
