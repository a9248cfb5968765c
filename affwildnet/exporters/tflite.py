"""TFLite files, which LiteRT runs with its built-in operators on phones and small machines.

Sequences come with B = 1 and any T, steps with any B: lists of tensors of unknown batch would need TensorFlow's own
operators beside (`shared/reference/training_trials.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from affwildnet.exporters.format import Reference, difference, step_difference
from affwildnet.exporters.portable import portable_sequences, portable_step
from affwildnet.models import AffWildNet

FOLDER = "tflite"
_SUFFIX = {"float32": "", "float16": "_float16", "int8": "_int8"}


def write_tflite(precision: str) -> Callable[[AffWildNet, Path], None]:
    """What writes ``tflite/sequences….tflite`` and ``step….tflite`` with weights of `precision`."""

    def write(model: AffWildNet, folder: Path) -> None:
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        functions = {"sequences": portable_sequences(model, batch=1), "step": portable_step(model)}
        for name, function in functions.items():
            keeper = tf.Module()
            keeper.weights = list(model.variables)
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], keeper)
            if precision != "float32":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if precision == "float16":
                converter.target_spec.supported_types = [tf.float16]
            _path(folder, name, precision).write_bytes(converter.convert())

    return write


def measure_tflite(precision: str) -> Callable[[Path, Reference], dict[str, float]]:
    """What runs both files in LiteRT: sequences one by one, steps of the whole batch."""

    def measure(folder: Path, reference: Reference) -> dict[str, float]:
        sequences, step = _path(folder, "sequences", precision), _path(folder, "step", precision)
        run_sequences, run_step = load_tflite(sequences), load_tflite(step)
        values = [
            run_sequences(reference.inputs(sequences=slice(row, row + 1)))["values"]
            for row in range(len(reference.faces))
        ]

        def step_once(piece: Mapping[str, Any], state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            given = run_step({**piece, "state": state} if reference.state_width else piece)
            return given["values"], given.get("next_state", state)

        return {
            f"{FOLDER}/{sequences.name}": difference(np.concatenate(values), reference.values),
            f"{FOLDER}/{step.name}": step_difference(step_once, reference),
        }

    return measure


def load_tflite(path: Path) -> Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """A function from inputs by name to outputs by name, for inputs of any size that the file allows."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    signature = interpreter.get_signature_runner()

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        # The runner resizes the inputs itself.
        return dict(signature(**inputs))

    return run


def _path(folder: Path, name: str, precision: str) -> Path:
    return folder / FOLDER / f"{name}{_SUFFIX[precision]}.tflite"
