"""What a format is, and the values that its files must give."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from affwildnet.models import AffWildNet


@dataclasses.dataclass(frozen=True)
class Reference:
    """Faces uint8 (B, T, S, S, 3), landmarks float32 (B, T, 136) or None, and the Keras model's values (B, T, O)."""

    faces: np.ndarray
    landmarks_68: np.ndarray | None
    values: np.ndarray
    state_width: int

    def inputs(self, sequences: slice = slice(None), frames: slice = slice(None)) -> dict[str, np.ndarray]:
        """What a file is given, by name, of some sequences and frames."""
        chosen = {"faces": self.faces[sequences, frames]}
        if self.landmarks_68 is not None:
            chosen["landmarks_68"] = self.landmarks_68[sequences, frames]
        return chosen


@dataclasses.dataclass(frozen=True)
class Format:
    """A format by what writes it and what runs it again.

    Attributes:
      write: (model, folder) -> None, the folder being the whole export's.
      measure: (folder, reference) -> the greatest difference to the reference by file, or by signature of one.
      bound: the greatest difference that is let through.
      packages: what must be installed for it beside this software's own requirements.
    """

    write: Callable[[AffWildNet, Path], None]
    measure: Callable[[Path, Reference], dict[str, float]]
    bound: float
    packages: Sequence[str] = ()


# Runs one piece: inputs by name and a state -> values (B, T, O) and the next state.
RunStep = Callable[[Mapping[str, Any], np.ndarray], tuple[np.ndarray, np.ndarray]]


def make_reference(model: AffWildNet, batch: int = 2, frames: int = 8, seed: int = 0) -> Reference:
    """Random faces, and what the Keras model makes of them in float32."""
    generator = np.random.default_rng(seed)
    size = model.face_spec.size
    faces = generator.integers(0, 256, (batch, frames, size, size, 3), np.uint8)
    landmarks = None
    if model.options.landmarks_68:
        landmarks = generator.uniform(-1, 1, (batch, frames, 136)).astype(np.float32)
    raw = model(tf.constant(faces), landmarks_68=None if landmarks is None else tf.constant(landmarks))
    values = model.to_values(raw).numpy()
    width = 0 if model.block is None else sum(model.block.state_size)
    return Reference(faces, landmarks, values, width)


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The greatest difference of two arrays of one shape; infinite where a value is NaN."""
    if found.shape != expected.shape:
        raise ValueError(f"values of shape {found.shape} came out where {expected.shape} should")
    greatest = float(np.abs(found - expected).max())
    return greatest if greatest == greatest else float("inf")


def step_difference(run: RunStep, reference: Reference) -> float:
    """The greatest difference where `run` goes through the reference's sequences a frame at a time."""
    batch, frames = reference.faces.shape[:2]
    state = np.zeros((batch, reference.state_width), np.float32)
    pieces = []
    for frame in range(frames):
        values, state = run(reference.inputs(frames=slice(frame, frame + 1)), state)
        pieces.append(values)
    return difference(np.concatenate(pieces, axis=1), reference.values)
