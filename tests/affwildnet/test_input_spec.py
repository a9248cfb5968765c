"""The input's description survives its file, and a wrong file is refused."""

import dataclasses
import json
from pathlib import Path

import pytest

from affwildnet.input_spec import InputSpec, read_input_spec, write_input_spec
from tfrecords.errors import InputError


def test_spec_read_back_is_the_one_written(tmp_path: Path) -> None:
    spec = InputSpec(size=224, resize="linear", colour_order="rgb", mean=0, scale=255.0, frame_rate=25.0)
    write_input_spec(tmp_path / "input.json", spec)
    assert read_input_spec(tmp_path / "input.json") == spec


def test_mean_and_scale_of_each_channel_survive_the_file(tmp_path: Path) -> None:
    spec = InputSpec(mean=(1.0, 2.5, 3.0), scale=(4.0, 5.0, 6.0))
    write_input_spec(tmp_path / "input.json", spec)
    assert read_input_spec(tmp_path / "input.json") == spec


def test_defaults_are_the_thesis_input() -> None:
    assert dataclasses.astuple(InputSpec()) == (96, "cubic", "bgr", 128.0, 128.0, 30.0, 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margin": 0.1}, "the key 'margin' is unknown"),
        ({"size": None}, "the key 'size' is missing"),
        ({"size": "96"}, "the value '96' of 'size' cannot be right"),
        ({"size": 0}, "the value 0 of 'size' is not above 0"),
        ({"mean": True}, "the value True of 'mean' cannot be right"),
        ({"mean": [1.0, 2.0]}, "the value .* of 'mean' cannot be right: one number a channel makes three"),
        ({"mean": [1.0, 2.0, True]}, "the value .* of 'mean' cannot be right"),
        ({"scale": [1.0, 0.0, 1.0]}, "the value .* of 'scale' is not above 0"),
        ({"size": [96, 96, 3]}, "the value .* of 'size' cannot be right"),
        ({"colour_order": "grb"}, "the value 'grb' of 'colour_order' cannot be right"),
    ],
)
def test_wrong_file_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    values = {**dataclasses.asdict(InputSpec()), **change}
    values = {key: value for key, value in values.items() if value is not None}
    path = tmp_path / "input.json"
    path.write_text(json.dumps(values))
    with pytest.raises(InputError, match=f"input.json: {message}"):
        read_input_spec(path)


def test_file_that_holds_no_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text("[96]")
    with pytest.raises(InputError, match="not a JSON object"):
        read_input_spec(tmp_path / "input.json")
