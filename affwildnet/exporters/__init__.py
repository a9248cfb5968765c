"""Formats that a model is exported to, by name; a new one is a file here and an entry in `FORMATS`."""

from __future__ import annotations

from affwildnet.exporters import onnx, saved_model, tflite
from affwildnet.exporters.format import Format

FORMATS: dict[str, Format] = {
    # Rounding of the same operations in another order; more means that something was lost.
    "saved_model": Format(saved_model.write_saved_model, saved_model.measure_saved_model, bound=1e-4),
    "tflite": Format(tflite.write_tflite("float32"), tflite.measure_tflite("float32"), bound=1e-4),
    # Weights of 11 bits.
    "tflite_float16": Format(tflite.write_tflite("float16"), tflite.measure_tflite("float16"), bound=1e-2),
    # Weights of 8 bits with a scale a channel, activations in float32.
    "tflite_int8": Format(tflite.write_tflite("int8"), tflite.measure_tflite("int8"), bound=5e-2),
    "onnx": Format(onnx.write_onnx, onnx.measure_onnx, bound=1e-4, packages=("onnx", "onnxruntime", "tf2onnx")),
}
