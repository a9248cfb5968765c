"""What a network expects of its input; written beside its checkpoints and exports, so that faces are prepared alike."""

from __future__ import annotations

import dataclasses
import os

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
    mean: float = option(128.0, "subtracted from pixel values of 0 to 255")
    scale: float = option(128.0, "divides what is left")
    frame_rate: float = option(30.0, "frames a second of the sequences")
    crop_margin: float = option(0.0, "added around the detector's box, as a part of its side")


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
        kinds = (int, float) if isinstance(default, float) else (type(default),)
        choices = field.metadata["choices"]
        if isinstance(value, bool) or not isinstance(value, kinds) or (choices and value not in choices):
            raise InputError(path, f"the value {value!r} of {field.name!r} cannot be right", remedy)
        values[field.name] = type(default)(value)
    for name in ("size", "scale", "frame_rate"):
        if not values[name] > 0:
            raise InputError(path, f"the value {values[name]!r} of {name!r} is not above 0", remedy)
    return InputSpec(**values)
