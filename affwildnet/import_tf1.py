"""Turns an original TensorFlow 1 checkpoint into a model folder.

``python -m affwildnet.import_tf1 --checkpoint=PREFIX --architecture=released_vggface_gru --model=DIR``

``affwildnet.export`` and ``affwildnet.predict`` then run on DIR as on a trained model.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import tensorflow as tf

from affwildnet.devices import use_device
from affwildnet.model_folder import ModelFolder, describe_model
from affwildnet.models import build_model
from affwildnet.tf1_architectures import ARCHITECTURES, tf1_weights, with_scopes
from affwildnet.tf1_checkpoint import Loaded, TF1Checkpoint
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import write_json

# What the original networks were trained and tested on (SPEC.md, "Released checkpoints" and "Training").
SEQUENCE_LENGTH = 80


@dataclasses.dataclass(frozen=True)
class ImportOptions:
    """What is read as what, and where to."""

    checkpoint: str = option("", "prefix of the TensorFlow 1 checkpoint: its files' name before .index")
    architecture: str = option("released_vggface_gru", "the network that it holds", sorted(ARCHITECTURES))
    model: str = option("", "model folder to write; it must not hold a model yet")
    units: int = option(128, "units a recurrent layer; the thesis also tried 100")
    attention_length: int = option(30, "frames in the attention window, which a checkpoint does not tell")
    block_scope: str = option("", "scope of the recurrent block's variables, where it is not the architecture's")
    head_scope: str = option("", "scope of the last layer's weights and biases, likewise")
    projection_scope: str = option("", "scope of the linear layer before Highway and Residual cells, likewise")


def import_checkpoint(chosen: ImportOptions) -> Loaded:
    """Writes the model folder ``chosen.model``; returns which of the checkpoint's variables were used.

    Raises:
      InputError: the checkpoint is missing, damaged or of another network (naming the first variable), or the folder
        holds a model already.
    """
    folder = ModelFolder(Path(chosen.model))
    if folder.model.exists():
        raise InputError(folder.root, "the folder holds a model already", "name another --model")
    try:
        scopes = (chosen.block_scope, chosen.head_scope, chosen.projection_scope)
        architecture = with_scopes(ARCHITECTURES[chosen.architecture], *scopes)
    except ValueError as error:
        remedy = "name them with --block_scope, --head_scope and --projection_scope; tf.train.list_variables shows all"
        raise InputError("--architecture", f"{chosen.architecture}: {error}", remedy) from None
    attention_length = chosen.attention_length if architecture.options.attention_length else 0
    if architecture.options.attention_length and attention_length < 1:
        raise InputError("--attention_length", "this network has attention", "give the frames of its window")
    model_options = dataclasses.replace(architecture.options, units=chosen.units, attention_length=attention_length)
    checkpoint = TF1Checkpoint(chosen.checkpoint)
    model = build_model(model_options, architecture.spec)
    loaded = checkpoint.load(tf1_weights(model, architecture), chosen.architecture)
    _write_model(folder, model, checkpoint, chosen.architecture)
    write_json(folder.imported, dataclasses.asdict(loaded))
    return loaded


def _write_model(folder: ModelFolder, model: tf.keras.Model, checkpoint: TF1Checkpoint, architecture: str) -> None:
    """The files that training would have left, ``model.json`` last: it makes the folder a model."""
    step = tf.Variable(checkpoint.step(), dtype=tf.int64, name="step")
    saved = tf.train.Checkpoint(model=model, step=step)
    manager = tf.train.CheckpointManager(saved, str(folder.checkpoints), max_to_keep=1)
    manager.save(checkpoint_number=int(step))
    write_json(folder.training, {"state": "finished", "step": int(step)})
    training = {
        "imported_from": checkpoint.path,
        "architecture": architecture,
        "sequence_length": SEQUENCE_LENGTH,
    }
    describe_model(folder, model.options, model.face_spec, training, {"name": "Aff-Wild", "synthetic": False})


def report(loaded: Loaded) -> str:
    """A line a variable, used ones first, and the counts."""
    lines = [f"used    {name}" for name in loaded.used]
    lines += [f"unused  {name} ({reason})" for name, reason in loaded.unused.items()]
    return "\n".join([*lines, f"{len(loaded.used)} variables used, {len(loaded.unused)} unused"])


def main(argv: list[str]) -> int:
    chosen = options.from_flags(ImportOptions)
    if not chosen.checkpoint or not chosen.model:
        raise InputError("--checkpoint and --model", "both are needed", "name the checkpoint and the folder to write")
    # Nothing is computed, so a GPU would only be taken from others.
    use_device(-1)
    print(report(import_checkpoint(chosen)))
    print(f"model written to {chosen.model}")
    return 0


def run() -> None:
    options.run_main(main, ImportOptions)


if __name__ == "__main__":
    run()
