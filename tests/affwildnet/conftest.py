"""A model folder as `affwildnet.train` leaves it, untrained; the networks of the golden files."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from affwildnet.model_folder import ModelFolder


@pytest.fixture(scope="session")
def make_model_folder() -> Callable[..., ModelFolder]:
    """``make_model_folder(path, synthetic=False)`` writes a tiny untrained model with its checkpoint of step 1."""
    import tensorflow as tf

    from affwildnet.input_spec import InputSpec
    from affwildnet.model_folder import ModelFolder, describe_model
    from affwildnet.models import ModelOptions, build_model

    def make(path: Path, synthetic: bool = False) -> ModelFolder:
        folder = ModelFolder(path)
        options = ModelOptions(cell="gru", layers=1, units=8, attention_length=5)
        describe_model(folder, options, InputSpec(), {"sequence_length": 10}, {"synthetic": synthetic})
        tf.keras.utils.set_random_seed(1)
        checkpoint = tf.train.Checkpoint(model=build_model(options, InputSpec()))
        tf.train.CheckpointManager(checkpoint, str(folder.checkpoints), max_to_keep=5).save(checkpoint_number=1)
        return folder

    return make


def recipe_variable(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """The made-up float32 value of a variable (tests/data/golden/README.md, "Whole networks")."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    last = name.rsplit("/", 1)[-1]
    if last == "moving_variance":
        value = 0.5 + rng.random(shape)
    elif last == "gamma":
        value = 0.25 + 0.5 * rng.random(shape)
    elif last.startswith("bias") or last in ("beta", "moving_mean"):
        value = 0.1 * rng.standard_normal(shape)
    else:
        value = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))
    return value.astype(np.float32)


@dataclasses.dataclass(frozen=True)
class GoldenNetwork:
    """A network of the original: what went in (uint8 RGB faces) and, in `stored`, what came out."""

    stored: dict[str, np.ndarray]
    faces: np.ndarray
    seed: int

    def shapes(self) -> dict[str, tuple[int, ...]]:
        pairs = zip(self.stored["names"], self.stored["shapes"], strict=True)
        return {str(name): tuple(map(int, shape.split())) for name, shape in pairs}

    def variables(self) -> dict[str, np.ndarray]:
        return {name: recipe_variable(name, shape, self.seed) for name, shape in self.shapes().items()}


@pytest.fixture
def golden_network(golden_dir: Path) -> Callable[[str], GoldenNetwork]:
    """``golden_network("released_vggface_gru")`` reads that file and makes its faces."""

    def read(name: str) -> GoldenNetwork:
        with np.load(golden_dir / f"{name}.npz") as file:
            stored = dict(file)
        seed, shape = int(stored["seed"]), (int(stored["batch"]), int(stored["length"]), 96, 96, 3)
        faces = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
        return GoldenNetwork(stored, faces, seed)

    return read


@pytest.fixture(scope="session")
def write_tf1_checkpoint() -> Callable[[Path, dict[str, np.ndarray]], Path]:
    """``write_tf1_checkpoint(prefix, arrays)`` writes variables by name, without TensorFlow 2's object graph."""
    import tensorflow as tf

    def write(prefix: Path, arrays: dict[str, np.ndarray]) -> Path:
        names, tensors = list(arrays), [tf.constant(array) for array in arrays.values()]
        tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
        return prefix

    return write
