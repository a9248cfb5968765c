"""TensorFlow 1's checkpoints, of either format: reading them into our variables by name."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

import tensorflow as tf

from tfrecords.errors import InputError

_FILES = (".index", ".meta", ".data-00000-of-00001")


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What became of a checkpoint's variables: names used, and names unused with the reason of each."""

    used: tuple[str, ...]
    unused: dict[str, str]


class TF1Checkpoint:
    """A checkpoint file opened for reading; `shapes` has the shape of every variable by name."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Opens a prefix, one of its files, or a folder with a ``checkpoint`` file (the newest).

        Raises:
          InputError: there is no checkpoint, or it is damaged.
        """
        self.path = os.fspath(path)
        for ending in _FILES:
            self.path = self.path.removesuffix(ending)
        remedy = "name the prefix of a TensorFlow 1 checkpoint, what stands before .index"
        try:
            self._reader = tf.train.load_checkpoint(self.path)
        except (tf.errors.OpError, ValueError, RuntimeError) as error:
            what = f"no checkpoint can be read ({str(error).splitlines()[0]})"
            raise InputError(self.path, what, remedy) from None
        shapes = self._reader.get_variable_to_shape_map()
        self.shapes: dict[str, tuple[int, ...]] = {name: tuple(shapes[name]) for name in sorted(shapes)}
        if "_CHECKPOINTABLE_OBJECT_GRAPH" in shapes:
            raise InputError(self.path, "this is a checkpoint of TensorFlow 2, whose names differ", remedy)

    def load(self, variables: Mapping[str, tf.Variable], of: str) -> Loaded:
        """Sets every one of `variables`, given by TensorFlow 1's names; on an error none is set.

        Args:
          variables: ours, by the names that the checkpoint must have.
          of: what they are the variables of, for the messages.

        Raises:
          InputError: one is missing in the checkpoint or has another shape (naming the first).
        """
        remedy = f"name a checkpoint of {of}, or what this one is of"
        for name, variable in variables.items():
            wanted = tuple(variable.shape)
            if name not in self.shapes:
                raise InputError(self.path, f"the variable {name!r} {wanted} of {of} is not in it", remedy)
            if self.shapes[name] != wanted:
                what = f"the variable {name!r} has shape {self.shapes[name]}, but {of} has {wanted}"
                raise InputError(self.path, what, remedy)
        try:
            arrays = {name: self._reader.get_tensor(name) for name in variables}
        except (tf.errors.OpError, RuntimeError, IndexError) as error:
            what = f"a variable cannot be read ({str(error).splitlines()[0]})"
            raise InputError(self.path, what, "copy its files again, all of them") from None
        for name, variable in variables.items():
            variable.assign(arrays[name])
        left = {name: _why_unused(name) for name in self.shapes if name not in variables}
        return Loaded(tuple(variables), left)

    def step(self) -> int:
        """The training step it was written at; 0 where it does not say."""
        return int(self._reader.get_tensor("global_step")) if "global_step" in self.shapes else 0


def _why_unused(name: str) -> str:
    last = name.rsplit("/", 1)[-1]
    if last in ("Adam", "Adam_1"):
        return "Adam's slot"
    if name in ("beta1_power", "beta2_power", "global_step"):
        return "counts the training's steps"
    if name.split("/")[0] in ("linear_1", "linear2_1", "linear3_1"):
        return "built in the original and not read"
    return "no part of this network"
