"""What a network expects of its input; written beside its checkpoints and exports, so that faces are prepared alike."""

from __future__ import annotations

import dataclasses
import os

from affwildnet.preprocessing import Preprocessing
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import read_json, write_json

COLOUR_ORDERS = ("rgb", "bgr")


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """How faces become a network's input (SPEC.md, "TFRecords" and "Loader").

    Crops are resized to `size` outside the network, which takes uint8 RGB and itself applies the colour order and
    ``(x - mean) / scale``.
    """

    size: int = option(96, "side of the face images, pixels")
    resize: str = option("cubic", "how crops are resized to the side: an interpolation's name")
    colour_order: str = option("bgr", "colour order inside the network", COLOUR_ORDERS)
    mean: float | tuple[float, ...] = option(
        128.0, "subtracted from values of 0 to 255: one number, or three as ordered"
    )
    scale: float | tuple[float, ...] = option(128.0, "divides what is left; likewise")
    frame_rate: float = option(30.0, "frames a second of the sequences")
    crop_margin: float = option(0.0, "added around the detector's box, as a part of its side")


def with_preprocessing(spec: InputSpec, preprocessing: Preprocessing) -> InputSpec:
    """`spec` with the colour order, mean and scale of `preprocessing`."""
    return dataclasses.replace(spec, **dataclasses.asdict(preprocessing))


def write_input_spec(path: str | os.PathLike[str], spec: InputSpec) -> None:
    """Writes `spec` as JSON, one key a field."""
    write_json(path, dataclasses.asdict(spec))


def read_input_spec(path: str | os.PathLike[str]) -> InputSpec:
    """Reads what `write_input_spec` wrote.

    Raises:
      InputError: the file is missing or no JSON object, a key is missing or unknown, or a value cannot be right.
    """
    values = read_json(path)
    remedy = "copy the file again from where the network was trained"
    if not isinstance(values, dict):
        raise InputError(path, "this is not a JSON object", remedy)
    defaults = dataclasses.asdict(InputSpec())
    for key in [*(name for name in defaults if name not in values), *(key for key in values if key not in defaults)]:
        raise InputError(path, f"the key {key!r} is {'missing' if key in defaults else 'unknown'}", remedy)
    for field in dataclasses.fields(InputSpec):
        value, default = values[field.name], defaults[field.name]
        if field.name in ("mean", "scale") and isinstance(value, list):
            values[field.name] = _per_channel(path, field.name, value)
            continue
        kinds = (int, float) if isinstance(default, float) else (type(default),)
        choices = field.metadata["choices"]
        if isinstance(value, bool) or not isinstance(value, kinds) or (choices and value not in choices):
            raise InputError(path, f"the value {value!r} of {field.name!r} cannot be right", remedy)
        values[field.name] = type(default)(value)
    for name in ("size", "scale", "frame_rate"):
        numbers = values[name] if isinstance(values[name], tuple) else (values[name],)
        if not all(number > 0 for number in numbers):
            raise InputError(path, f"the value {values[name]!r} of {name!r} is not above 0", remedy)
    return InputSpec(**values)


def _per_channel(path: str | os.PathLike[str], name: str, value: list[object]) -> tuple[float, ...]:
    """Three numbers; raises `InputError` where `value` is something else."""
    numbers = tuple(
        float(number) for number in value if isinstance(number, (int, float)) and not isinstance(number, bool)
    )
    if len(numbers) != 3 or len(value) != 3:
        what = f"the value {value!r} of {name!r} cannot be right: one number a channel makes three"
        raise InputError(path, what, "copy the file again from where the network was trained")
    return numbers
