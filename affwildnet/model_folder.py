"""A model's folder: what the model is, what it takes, its checkpoints, and what was measured of them.

| file | holds |
| --- | --- |
| ``model.json`` | architecture, training options, the database it saw |
| ``input.json`` | what faces it takes (`InputSpec`) |
| ``checkpoints/`` | `tf.train.Checkpoint`s of model, optimizer and step |
| ``training.json`` | ``running``, or how it ended: ``finished``, ``interrupted``, ``failed`` |
| ``stop.json`` | the evaluator's request to end the training |
| ``supervision/`` | what `affwildnet.supervise` started, and how that ended |
| ``evaluations.csv`` | a row a checkpoint evaluated on the validation part (``evaluations-PART.csv``: another) |
| ``evaluations/`` | a CSV a checkpoint with a row an entry (``evaluations-PART/``) |
| ``best.json``, ``best/`` | the best checkpoint by each output, by their mean, and by each head, copied |
| ``test/`` | results on the test part, predictions an entry |
| ``events/`` | TensorBoard |
| ``imported.json`` | of an imported model only: the original's variables, used and unused |
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import tensorflow as tf

from affwildnet.input_spec import InputSpec, read_input_spec, write_input_spec
from affwildnet.models import ModelOptions, build_model
from affwildnet.trained_subjects import add_subjects
from tfrecords.errors import InputError
from tfrecords.index import RecordFile
from tfrecords.workspace import read_json, write_json


@dataclasses.dataclass(frozen=True)
class ModelFolder:
    """Paths of one model."""

    root: Path

    @property
    def model(self) -> Path:
        return self.root / "model.json"

    @property
    def input(self) -> Path:
        return self.root / "input.json"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def training(self) -> Path:
        return self.root / "training.json"

    @property
    def stop_request(self) -> Path:
        return self.root / "stop.json"

    def evaluations(self, partition: str = "validation") -> Path:
        """The validation part's is ``evaluations.csv``, the only one that chooses the best checkpoints."""
        return self.root / ("evaluations.csv" if partition == "validation" else f"evaluations-{partition}.csv")

    @property
    def best(self) -> Path:
        return self.root / "best.json"

    @property
    def imported(self) -> Path:
        return self.root / "imported.json"

    def events(self, process: str) -> Path:
        return self.root / "events" / process

    def test(self, checkpoint: str) -> Path:
        return self.root / "test" / checkpoint


def describe_model(
    folder: ModelFolder,
    model: ModelOptions,
    spec: InputSpec,
    training: dict[str, Any],
    database: dict[str, Any],
    training_defaults: dict[str, Any] | None = None,
) -> None:
    """Writes ``model.json`` and ``input.json``, or checks that those of an earlier start say the same.

    Of the database only new `trained_subjects` are then added: people may have joined since. An option that the earlier
    start did not know yet had its default, of training those of `training_defaults`.

    Raises:
      InputError: the folder holds a model of other options (naming the first).
    """
    told = {"model": dataclasses.asdict(model), "training": training, "database": database}
    if not folder.model.exists():
        write_input_spec(folder.input, spec)
        write_json(folder.model, told)
        return
    known = read_json(folder.model)
    if read_input_spec(folder.input) != spec:
        raise InputError(folder.input, "the model takes other faces than these records hold", "use an empty --model")
    for part, defaults in (("model", dataclasses.asdict(ModelOptions())), ("training", training_defaults or {})):
        before = defaults | known.get(part, {})
        for name, value in told[part].items():
            # JSON has no tuples.
            then, now = (list(v) if isinstance(v, tuple) else v for v in (before.get(name), value))
            if then != now:
                what = f"{name} was {then!r} when training began, and is {now!r} now"
                raise InputError(folder.model, what, f"give --{name} as it was, or use an empty --model folder")
    added = add_subjects(known.get("database", {}), database)
    if added:
        write_json(folder.model, known | {"database": added})


def read_options(folder: ModelFolder) -> ModelOptions:
    """The architecture from ``model.json``; raises `InputError` where the folder holds no model."""
    if not folder.model.exists():
        raise InputError(folder.root, "this folder holds no model", "name a folder that affwildnet.train has written")
    value: dict[str, Any] = read_json(folder.model)["model"]
    known = {field.name for field in dataclasses.fields(ModelOptions)}
    if set(value) - known:
        what = f"the option {sorted(set(value) - known)[0]!r} is unknown here"
        raise InputError(folder.model, what, "use the version of affwildnet that trained the model")
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in value.items()}
    return ModelOptions(**values)


def load_model(folder: ModelFolder) -> tuple[tf.keras.Model, InputSpec]:
    """The folder's model with initial weights, and what it takes; `checkpoints.restore_model` fills it."""
    options = read_options(folder)
    spec = read_input_spec(folder.input)
    return build_model(options, spec), spec


def check_records(files: list[RecordFile], spec: InputSpec, folder: ModelFolder) -> None:
    """Raises `InputError` where records hold faces that the model's ``input.json`` does not describe."""
    for file in files:
        for name in ("size", "resize", "crop_margin", "frame_rate"):
            given, wanted = getattr(file.sidecar, name), getattr(spec, name)
            if given != wanted:
                what = f"its faces have {name} {given!r}, but {folder.input} asks for {wanted!r}"
                raise InputError(file.path, what, "build the workspace again with fitting options")
        if not file.sidecar.landmarks_68 and read_options(folder).landmarks_68:
            what = "its records hold no landmarks, which this model reads"
            raise InputError(file.path, what, "build the workspace with --landmarks_68")


def is_synthetic(folder: ModelFolder) -> bool:
    """Whether the model was trained on drawn faces, so that its values say nothing about people."""
    return bool(read_json(folder.model).get("database", {}).get("synthetic", False))


def is_imported(folder: ModelFolder) -> bool:
    """Whether `affwildnet.import_tf1` wrote the model, so that no evaluation has chosen among its checkpoints."""
    return folder.model.exists() and "imported_from" in read_json(folder.model).get("training", {})
