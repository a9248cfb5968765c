"""MTCNN's last network, ONet (Zhang et al. 2016), as a check of one box; ``onet.LICENSE.txt`` says where it is from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_pipeline.litert import load_interpreter

SIZE = 48
MODEL = Path(__file__).with_name("onet.tflite")


def load_onet() -> Callable[[np.ndarray], float]:
    """A function from a square uint8 RGB (48, 48, 3), chin to hair of what may be a face, to the probability of one."""
    interpreter = load_interpreter(MODEL)
    input_index = interpreter.get_input_details()[0]["index"]
    output_index = interpreter.get_output_details()[0]["index"]

    def probability(face: np.ndarray) -> float:
        interpreter.set_tensor(input_index, (face[None].astype(np.float32) - 127.5) / 128)
        interpreter.invoke()
        # Box offsets (4), landmarks (10), no face, face.
        return float(interpreter.get_tensor(output_index)[0, 15])

    return probability
