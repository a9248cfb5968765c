"""The TFLite file of ONet against mtcnn's own network (which loads TensorFlow)."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_pipeline.demo_faces import render_face
from data_pipeline.detectors import onet
from data_pipeline.litert import load_interpreter

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def crops():
    """Four drawn faces, three patches of noise, three flat ones, uint8 (10, 48, 48, 3)."""
    faces = [cv2.resize(render_face(number, 0.2, 0.1, 160)[20:140, 20:140], (48, 48)) for number in range(1, 5)]
    noise = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    flat = [np.full((48, 48, 3), value, np.uint8) for value in (0, 127, 255)]
    return np.stack([*faces, *noise, *flat])


def test_all_sixteen_outputs_are_those_of_mtcnn_s_own_network(crops):
    from mtcnn.stages import StageONet

    normalised = (crops.astype(np.float32) - 127.5) / 128
    expected = np.concatenate([part.numpy() for part in StageONet().model(normalised)], axis=1)
    interpreter = load_interpreter(onet.MODEL)
    found = []
    for face in normalised:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], face[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_faces_pass_and_what_is_none_does_not(crops):
    probability = onet.load_onet()
    found = [probability(crop) for crop in crops]
    assert min(found[:4]) > 0.8 and max(found[4:]) < 0.5


def test_shipped_file_is_what_the_converter_makes(tmp_path, crops):
    made = runpy.run_path(str(ROOT / "tools" / "convert_onet.py"))["convert_onet"]()
    (tmp_path / "onet.tflite").write_bytes(made)
    outputs = []
    for path in (tmp_path / "onet.tflite", onet.MODEL):
        interpreter = load_interpreter(path)
        interpreter.set_tensor(0, (crops[:1].astype(np.float32) - 127.5) / 128)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    np.testing.assert_allclose(*outputs, atol=1e-6)


def test_shipped_file_has_its_licence_beside_it():
    licence = onet.MODEL.with_name("onet.LICENSE.txt").read_text()
    assert "MIT License" in licence and "Iván de Paz Centeno" in licence and "tools/convert_onet.py" in licence
