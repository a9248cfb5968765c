"""ONNX files: sequences of any B and T, one Loop; a step of one frame and any B."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from affwildnet.exporters.format import Reference, difference, step_difference
from affwildnet.exporters.portable import portable_sequences, portable_step
from affwildnet.models import AffWildNet

FOLDER = "onnx"
# tf2onnx writes 13 to 18; all of them run in an onnxruntime of the last years.
OPSET = 17


def write_onnx(model: AffWildNet, folder: Path) -> None:
    """Writes ``onnx/sequences.onnx`` and ``onnx/step.onnx``."""
    import tf2onnx

    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    functions = {"sequences": portable_sequences(model, batch=None), "step": portable_step(model)}
    for name, function in functions.items():
        path = folder / FOLDER / f"{name}.onnx"
        tf2onnx.convert.from_function(
            function, input_signature=function.input_signature, opset=OPSET, output_path=str(path)
        )


def measure_onnx(folder: Path, reference: Reference) -> dict[str, float]:
    """Runs both files in onnxruntime."""
    run_sequences, run_step = (load_onnx(folder / FOLDER / f"{name}.onnx") for name in ("sequences", "step"))

    def step_once(piece: Mapping[str, Any], state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        given = run_step({**piece, "state": state} if reference.state_width else piece)
        return given["values"], given.get("next_state", state)

    return {
        f"{FOLDER}/sequences.onnx": difference(run_sequences(reference.inputs())["values"], reference.values),
        f"{FOLDER}/step.onnx": step_difference(step_once, reference),
    }


def load_onnx(path: Path) -> Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """A function from inputs by name to outputs by name, on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return run
