"""Writes a trained model as a SavedModel: ``python -m affwildnet.export --model=DIR --output=SAVED``.

It loads and runs in plain TensorFlow, without this package: ``tf.saved_model.load(SAVED).signatures["sequences"]``.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf

from affwildnet.checkpoints import choose_checkpoint, restore_model
from affwildnet.devices import use_device
from affwildnet.model_folder import ModelFolder, load_model
from affwildnet.serving import ServedModel, open_model
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import write_text


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """What is exported where."""

    model: str = option("", "model folder")
    output: str = option("", "folder of the SavedModel; it must not exist, or hold an earlier export")
    checkpoint: str = option(
        "total", "checkpoint: valence, arousal or total for the best on validation, latest, a step"
    )
    gpu: int = option(-1, "GPU of this process, -1 for the CPU")


# Rounding of the same operations in another order; more means that something was lost.
MAX_DIFFERENCE = 1e-4

SIGNATURES = """# An exported AffWildNet

Load it in plain TensorFlow: `model = tf.saved_model.load(FOLDER)`.

| signature | takes | gives |
| --- | --- | --- |
| `sequences` | `faces` uint8 RGB (B, T, {size}, {size}, 3){landmarks} | `values` float32 (B, T, {count}): {outputs} |
| `step` | `faces` as above, `state` float32 (B, {width}), zeros at a video's start | `values`, and the next `state` |

Faces are consecutive frames of one person at {rate:g} FPS, cropped and resized as `input.json` says; colours and
normalisation are done inside. Values are meant to lie in [-1, 1] and are not clipped. B and T are free.
{notice}"""


def export_model(folder: ModelFolder, output: Path, checkpoint: str) -> float:
    """Writes the SavedModel with ``input.json``, ``model.json`` and ``SIGNATURES.md``, then runs it against the model.

    Returns the largest difference between the exported model's values and the model's.

    Raises:
      InputError: the output folder holds something else, or the checkpoint is not there.
    """
    if output.exists() and not (output / "saved_model.pb").exists():
        raise InputError(output, "the folder exists and is no exported model", "name a new folder in --output")
    model, spec = load_model(folder)
    restore_model(model, choose_checkpoint(folder, checkpoint))
    served = ServedModel(model)
    temporary = output.with_name(f".{output.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    signatures = {"sequences": served.sequences, "step": served.step}
    tf.saved_model.save(served, str(temporary), signatures=signatures)
    for path in (folder.input, folder.model):
        shutil.copy2(path, temporary / path.name)
    faces = np.random.default_rng(0).integers(0, 256, (2, 3, spec.size, spec.size, 3), np.uint8)
    loaded = open_model(temporary, checkpoint)
    points = tf.random.stateless_uniform([2, 3, 136], seed=(0, 0), minval=-1) if loaded.landmarks_68 else None
    joined = ", `landmarks_68` float32 (B, T, 136): x, y of iBUG's 68 points, the face's box from -1 to 1"
    text = SIGNATURES.format(
        landmarks=joined if loaded.landmarks_68 else "",
        size=spec.size,
        count=len(loaded.outputs),
        outputs=", ".join(loaded.outputs),
        width=loaded.state_width,
        rate=spec.frame_rate,
        notice="\nSYNTHETIC: trained on drawn faces; it knows one puppet and no people.\n" if loaded.synthetic else "",
    )
    write_text(temporary / "SIGNATURES.md", text)
    pieces, _ = loaded.step(tf.constant(faces), tf.zeros([2, loaded.state_width]), points)
    more = {"landmarks_68": points} if loaded.landmarks_68 else {}
    whole = tf.saved_model.load(str(temporary)).signatures["sequences"](faces=tf.constant(faces), **more)["values"]
    wanted = model(faces, landmarks_68=points).numpy()
    difference = max(float(np.abs(values.numpy() - wanted).max()) for values in (pieces, whole))
    if not difference < MAX_DIFFERENCE:
        raise RuntimeError(
            f"the exported model's values differ from the model's by {difference:.1e}; nothing was written"
        )
    old = output.with_name(f".{output.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if output.exists():
        output.rename(old)
    temporary.rename(output)
    shutil.rmtree(old, ignore_errors=True)
    return difference


def main(argv: list[str]) -> int:
    chosen = options.from_flags(ExportOptions)
    if not chosen.model or not chosen.output:
        raise InputError("--model and --output", "both are needed", "name the model's folder and the one to write")
    use_device(chosen.gpu)
    difference = export_model(ModelFolder(Path(chosen.model)), Path(chosen.output), chosen.checkpoint)
    print(f"SavedModel written to {chosen.output}; its values differ from the model's by at most {difference:.1e}")
    return 0


def run() -> None:
    options.run_main(main, ExportOptions)


if __name__ == "__main__":
    run()
