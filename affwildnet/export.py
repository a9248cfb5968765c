"""Writes a trained model for use elsewhere: ``python -m affwildnet.export --model=DIR --output=SAVED``.

The SavedModel loads and runs in plain TensorFlow, without this package:
``tf.saved_model.load(SAVED).signatures["sequences"]``. ``--formats`` adds TFLite and ONNX.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from affwildnet.checkpoints import checkpoint_step, choose_checkpoint, restore_model
from affwildnet.devices import use_device
from affwildnet.exporters import FORMATS
from affwildnet.exporters.documents import write_documents
from affwildnet.exporters.format import make_reference
from affwildnet.model_folder import ModelFolder, load_model
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import write_json

DIFFERENCES = "differences.json"


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """What is exported where."""

    model: str = option("", "model folder")
    output: str = option("", "folder of the export; it must not exist, or hold an earlier export")
    checkpoint: str = option(
        "total", "checkpoint: valence, arousal or total for the best on validation, latest, a step"
    )
    formats: tuple[str, ...] = option(("saved_model",), f"what is written, of {', '.join(FORMATS)}")
    gpu: int = option(-1, "GPU of this process, -1 for the CPU")


def export_model(
    folder: ModelFolder, output: Path, checkpoint: str, formats: Sequence[str] = ("saved_model",)
) -> float:
    """Writes the formats with ``input.json``, ``model.json``, ``differences.json`` and what is to be read of them.

    Every file is loaded again, run and compared with the Keras model before anything takes the place of an earlier
    export. A model that was trained in 16 bits is exported in float32, of which its checkpoints are.

    Returns the greatest difference between an exported file's values and the model's.

    Raises:
      InputError: the output folder holds something else, the checkpoint is not there, a format is unknown or needs
        packages that are not installed, or its values differ by more than its bound.
    """
    _check(output, formats)
    temporary = output.with_name(f".{output.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        measured = _write(folder, temporary, checkpoint, formats)
        _replace(output, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return max(value for told in measured["formats"].values() for value in told["differences"].values())


def _write(folder: ModelFolder, output: Path, checkpoint: str, formats: Sequence[str]) -> dict[str, Any]:
    """Fills the folder `output`; returns what ``differences.json`` holds."""
    with _in_float32():
        model, spec = load_model(folder)
        prefix = choose_checkpoint(folder, checkpoint)
        restore_model(model, prefix)
        reference = make_reference(model)
        output.mkdir(parents=True)
        told = {}
        for name in formats:
            FORMATS[name].write(model, output)
            differences = FORMATS[name].measure(output, reference)
            _check_bound(name, differences)
            told[name] = {"bound": FORMATS[name].bound, "differences": differences}
    for path in (folder.input, folder.model):
        shutil.copy2(path, output / path.name)
    compared = {"sequences": reference.faces.shape[0], "frames": reference.faces.shape[1]}
    measured = {"step": checkpoint_step(prefix), "compared_on": compared, "formats": told}
    write_json(output / DIFFERENCES, measured)
    write_documents(output, folder, prefix, model.options, spec, reference.state_width, measured)
    return measured


@contextlib.contextmanager
def _in_float32() -> Iterator[None]:
    """Layers that are made inside compute in float32, whatever this process trains in."""
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy("float32")
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)


def _check(output: Path, formats: Sequence[str]) -> None:
    known = ", ".join(FORMATS)
    if not formats:
        raise InputError("--formats", "it is empty", f"name some of {known}")
    for name in formats:
        if name not in FORMATS:
            raise InputError("--formats", f"there is no format {name!r}", f"choose from {known}")
        missing = [package for package in FORMATS[name].packages if importlib.util.find_spec(package) is None]
        if missing:
            what = f"the format {name} needs {', '.join(missing)}, not installed here"
            raise InputError("--formats", what, f"run pip install 'affwildnet[{name}]'")
    if output.exists() and not any((output / mark).exists() for mark in ("saved_model.pb", DIFFERENCES)):
        raise InputError(output, "the folder exists and is no exported model", "name a new folder in --output")


def _check_bound(name: str, differences: dict[str, float]) -> None:
    for file, value in differences.items():
        if not value <= FORMATS[name].bound:
            what = f"{file} gives values that differ from the model's by {value:.1e}, more than {FORMATS[name].bound:g}"
            raise InputError(f"--formats={name}", what, "nothing was written; leave this format out")


def _replace(output: Path, made: Path) -> None:
    """Puts the folder `made` in the place of `output`."""
    old = output.with_name(f".{output.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if output.exists():
        output.rename(old)
    made.rename(output)
    shutil.rmtree(old, ignore_errors=True)


def main(argv: list[str]) -> int:
    chosen = options.from_flags(ExportOptions)
    if not chosen.model or not chosen.output:
        raise InputError("--model and --output", "both are needed", "name the model's folder and the one to write")
    use_device(chosen.gpu)
    folder, output = ModelFolder(Path(chosen.model)), Path(chosen.output)
    difference = export_model(folder, output, chosen.checkpoint, chosen.formats)
    print(
        f"{', '.join(chosen.formats)} written to {output}; values differ from the model's by at most {difference:.1e}"
    )
    print(f"see {output / 'MODEL_CARD.md'} and {output / 'SIGNATURES.md'}")
    return 0


def run() -> None:
    options.run_main(main, ExportOptions)


if __name__ == "__main__":
    run()
