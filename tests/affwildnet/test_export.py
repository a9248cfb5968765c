"""Exports, each file run again as whoever gets it would run it."""

import dataclasses
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tensorflow as tf

from affwildnet import export
from affwildnet.export import export_model
from affwildnet.exporters import FORMATS
from affwildnet.exporters.documents import pretrained_terms, write_documents
from affwildnet.exporters.onnx import load_onnx
from affwildnet.exporters.tflite import load_tflite
from affwildnet.input_spec import InputSpec
from affwildnet.model_folder import ModelFolder, load_model, read_options
from affwildnet.serving import ServedModel, open_model
from tfrecords.errors import InputError
from tfrecords.faces import resize_face
from tfrecords.workspace import read_json, write_csv, write_json

FACES = np.random.default_rng(5).integers(0, 256, (2, 4, 96, 96, 3), np.uint8)

# Plain TensorFlow, in a folder and a process where our packages cannot be imported.
PLAIN = """
import sys
for name in ("affwildnet", "data_pipeline", "experiments", "tfrecords"):
    sys.modules[name] = None
import numpy as np, tensorflow as tf
faces, images = np.load("faces.npy"), np.load("images.npy", allow_pickle=True)
model = tf.saved_model.load(sys.argv[1])
run = model.signatures
values = run["sequences"](faces=tf.constant(faces))["values"]
state = tf.zeros([2, run["step"].structured_input_signature[1]["state"].shape[1]])
pieces = []
for piece in np.split(faces, 2, axis=1):
    given = run["step"](faces=tf.constant(piece), state=state)
    state = given["state"]
    pieces.append(given["values"])
decoded = run["jpeg"](images=tf.constant(images.tolist()))["values"]
np.savez("values.npz", sequences=values, step=np.concatenate(pieces, axis=1), jpeg=decoded)
"""


OURS = """
import sys
from pathlib import Path
import numpy as np
from affwildnet.model_folder import ModelFolder, load_model
from affwildnet.serving import ServedModel
import tensorflow as tf
root, output = map(Path, sys.argv[1:])
model, _ = load_model(ModelFolder(root))
tf.train.Checkpoint(model=model).restore(str(root / "checkpoints" / "ckpt-1")).expect_partial()
served = ServedModel(model)
np.save(output / "ours.npy", served.sequences(tf.constant(np.load(output / "faces.npy")))["values"].numpy())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_model_folder):
    return make_model_folder(tmp_path_factory.mktemp("model") / "m", synthetic=True)


@pytest.fixture(scope="module")
def served(folder):
    model, _ = load_model(folder)
    tf.train.Checkpoint(model=model).restore(str(folder.checkpoints / "ckpt-1")).expect_partial()
    return ServedModel(model)


@pytest.fixture(scope="module")
def exported(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("out") / "x"
    for name in FORMATS["onnx"].packages:
        pytest.importorskip(name)
    assert export_model(folder, output, "latest", tuple(FORMATS)) < 5e-2
    return output


def _png(face):
    return cv2.imencode(".png", face[..., ::-1])[1].tobytes()


def _values(served, faces=FACES):
    return served.sequences(tf.constant(faces))["values"].numpy()


def test_saved_model_gives_the_same_bits_in_a_process_without_our_code(exported, folder, tmp_path):
    np.save(tmp_path / "faces.npy", FACES)
    np.save(tmp_path / "images.npy", np.array([[_png(face) for face in row] for row in FACES], object))
    command = [sys.executable, "-I", "-c", PLAIN, str(exported)]
    subprocess.run(command, cwd=tmp_path, env={"PATH": ""}, check=True, capture_output=True)
    # Ours in a process of its own, too: in this one, other tests came before and the last bit may be another.
    ours = [sys.executable, "-c", OURS, str(folder.root), str(tmp_path)]
    subprocess.run(ours, env={"PATH": ""}, check=True, capture_output=True)
    found, expected = np.load(tmp_path / "values.npz"), np.load(tmp_path / "ours.npy")
    np.testing.assert_array_equal(found["sequences"], expected)
    np.testing.assert_array_equal(found["jpeg"], expected)
    # Pieces of two frames are other matrix products.
    np.testing.assert_allclose(found["step"], expected, atol=1e-6)


def test_every_file_s_difference_is_written_and_below_its_bound(exported):
    told = read_json(exported / "differences.json")
    assert told["step"] == 1 and list(told["formats"]) == list(FORMATS)
    for name, measured in told["formats"].items():
        assert measured["bound"] == FORMATS[name].bound
        for file, value in measured["differences"].items():
            assert 0 <= value <= measured["bound"]
            assert name == "saved_model" or (exported / file).stat().st_size > 1000
    assert told["formats"]["tflite_int8"]["differences"]["tflite/step_int8.tflite"] > 1e-5
    sizes = [(exported / f"tflite/step{suffix}.tflite").stat().st_size for suffix in ("", "_float16", "_int8")]
    assert sizes[0] > 1.7 * sizes[1] and sizes[1] > 1.5 * sizes[2]


@pytest.mark.parametrize(
    ("file", "bound"), [("step.tflite", 1e-5), ("step_float16.tflite", 1e-2), ("step_int8.tflite", 5e-2)]
)
def test_tflite_step_goes_through_a_video(exported, served, file, bound):
    run = load_tflite(exported / "tflite" / file)
    state, values = np.zeros((2, served.state_width), np.float32), []
    for frame in range(FACES.shape[1]):
        given = run({"faces": FACES[:, frame : frame + 1], "state": state})
        state = given["next_state"]
        values.append(given["values"])
    np.testing.assert_allclose(np.concatenate(values, axis=1), _values(served), atol=bound)


def test_tflite_sequences_take_one_of_any_length(exported, served):
    run = load_tflite(exported / "tflite" / "sequences.tflite")
    for length in (1, 4, 2):
        found = run({"faces": FACES[:1, :length]})["values"]
        np.testing.assert_allclose(found, _values(served, FACES[:1, :length]), atol=1e-5)


def test_onnx_sequences_take_any_batch_and_length(exported, served):
    run = load_onnx(exported / "onnx" / "sequences.onnx")
    for faces in (FACES, FACES[:1], FACES[:, :1]):
        np.testing.assert_allclose(run({"faces": faces})["values"], _values(served, faces), atol=1e-5)


def test_images_of_other_sizes_are_resized_as_the_records_were(served):
    crop = np.random.default_rng(1).integers(0, 256, (130, 110, 3), np.uint8)
    found = served.jpeg(tf.constant([[_png(crop)]]))["values"]
    expected = _values(served, resize_face(crop, 96, InputSpec().resize)[None, None])
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_images_that_cannot_be_decoded_are_named(exported):
    good = _png(FACES[0, 0])
    run = tf.saved_model.load(str(exported)).signatures["jpeg"]
    jpeg = cv2.imencode(".jpg", FACES[0, 0])[1].tobytes()
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"no JPEG or PNG files, or damaged .*: ?\] \[1 2\]"):
        run(images=tf.constant([[good, b"text"], [jpeg[: len(jpeg) // 2], jpeg]]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\] \[0\]"):
        run(images=tf.constant([[b""]]))


@pytest.mark.parametrize("name", ["sequences", "step", "jpeg"])
def test_sequences_without_a_frame_are_refused_in_words(exported, name):
    loaded = tf.saved_model.load(str(exported))
    inputs = {"images": tf.zeros([2, 0], tf.string)} if name == "jpeg" else {"faces": tf.constant(FACES[:, :0])}
    if name == "step":
        inputs["state"] = tf.zeros([2, loaded.signatures["step"].structured_input_signature[1]["state"].shape[1]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="with at least one frame, and T is 0"):
        loaded.signatures[name](**inputs)


def test_faces_in_float_are_refused_in_words(exported):
    loaded = open_model(exported, "latest")
    state = tf.zeros([2, loaded.state_width])
    with pytest.raises(ValueError, match=r"faces are uint8 RGB from 0 to 255, \(B, T, 96, 96, 3\), not float32 \(2, 4"):
        loaded.step(tf.cast(FACES, tf.float32), state)
    with pytest.raises(ValueError, match=r"not uint8 \(2, 4, 64, 96, 3\)"):
        loaded.step(tf.constant(FACES[:, :, :64]), state)
    plain = tf.saved_model.load(str(exported)).signatures["sequences"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected to be a uint8 tensor but is a float tensor"):
        plain(faces=tf.cast(FACES, tf.float32))


def test_file_over_its_bound_is_refused_and_the_earlier_export_stays(folder, tmp_path, monkeypatch):
    output = tmp_path / "x"
    output.mkdir()
    (output / "saved_model.pb").write_bytes(b"earlier")
    monkeypatch.setitem(FORMATS, "tflite_int8", dataclasses.replace(FORMATS["tflite_int8"], bound=1e-9))
    message = r"--formats=tflite_int8: tflite/\S+ gives values that differ .* more than 1e-09; nothing was written"
    with pytest.raises(InputError, match=message):
        export_model(folder, output, "latest", ("tflite_int8",))
    assert (output / "saved_model.pb").read_bytes() == b"earlier" and list(tmp_path.iterdir()) == [output]


def test_unknown_formats_and_missing_packages_are_refused_before_any_work(folder, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="there is no format 'coreml'; choose from saved_model, tflite"):
        export_model(folder, tmp_path / "x", "latest", ("coreml",))
    find = export.importlib.util.find_spec
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find(name))
    with pytest.raises(
        InputError, match=r"onnx needs tf2onnx, not installed here; run pip install 'affwildnet\[onnx\]'"
    ):
        export_model(folder, tmp_path / "x", "latest", ("onnx",))
    assert not list(tmp_path.iterdir())


def test_model_trained_in_16_bits_is_exported_in_float32(served, tmp_path, make_model_folder):
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        mixed = make_model_folder(tmp_path / "m")
        export_model(mixed, tmp_path / "x", "latest", ("tflite",))
        assert tf.keras.mixed_precision.global_policy().name == "mixed_bfloat16"
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    found = load_tflite(tmp_path / "x" / "tflite" / "sequences.tflite")({"faces": FACES[:1]})["values"]
    # The seed is the same, and so are the weights.
    np.testing.assert_allclose(found, _values(served, FACES[:1]), atol=1e-5)
    with pytest.raises(InputError, match="this export holds no SavedModel; export with --formats=saved_model"):
        open_model(tmp_path / "x", "latest")


def test_model_card_tells_data_measures_terms_and_limits(folder, tmp_path, exported):
    measured = ModelFolder(tmp_path / "m")
    told = read_json(folder.model)
    write_json(
        measured.model, told | {"database": {"name": "mine", "licence": "CC BY", "trained_subjects": ["a", "b"]}}
    )
    row = {"step": 1, "checkpoint": "ckpt-1"}
    for name, value in (("valence", 0.5), ("arousal", 0.25), ("total", 0.375)):
        row |= {f"ccc_{name}": value, f"mse_{name}": 0.125, f"low_ccc_{name}": value - 0.1, f"high_ccc_{name}": ""}
    write_csv(measured.evaluations(), list(row), [row])
    result = {"step": 1, "ccc": {n: 0.4 for n in ("valence", "arousal", "total")}}
    result |= {"mse": result["ccc"], "interval": {"ccc": {n: [0.3, None] for n in result["ccc"]}}}
    parts = {"train": {"entries": 7, "subjects": 6, "frames": 5432}}
    write_json(
        measured.root / "test" / "results.json",
        {"partition": "test", "database": parts, "checkpoints": {"latest": result}},
    )
    differences = read_json(exported / "differences.json")
    prefix, options = str(measured.checkpoints / "ckpt-1"), read_options(folder)
    write_documents(tmp_path, measured, prefix, options, InputSpec(), 8, differences)
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "Database: mine. Licence: CC BY." in card and "People it was trained on: 2, and perhaps others" in card
    assert "| train | 7 | 6 | 5432 |" in card and "## Limits" in card and "SYNTHETIC" not in card
    assert "| valence | 0.500 | 0.400 | not defined | 0.125 |" in card
    assert "| arousal | 0.400 | 0.300 | not defined | 0.400 |" in card
    assert "| `sequence_length` | 10 |" in card and "| sequences | " in card


def test_card_of_an_export_warns_and_names_what_was_not_measured(exported):
    card = (exported / "MODEL_CARD.md").read_text()
    assert "**SYNTHETIC: " in card and "was not measured on the validation part" in card
    assert all(f"| {name}" in card for name in ("onnx/step.onnx", "tflite/sequences_int8.tflite", "jpeg"))
    signatures = (exported / "SIGNATURES.md").read_text()
    assert "SYNTHETIC" in signatures and "## ONNX" in signatures


def test_terms_of_pretrained_weights_are_told():
    assert "non-commercial research only" in pretrained_terms("vggface", {"weights": "published"})
    assert pretrained_terms("small_cnn", {"weights": "published"}) == "The CNN began with random weights."
    assert "not known here" in pretrained_terms("vggface", {"weights": "/mine.h5"})
    assert "/m0" in pretrained_terms("vggface", {"weights": "published", "cnn_from": "/m0"})
    assert "no licence" in pretrained_terms("vggface", {"imported_from": "p"})
