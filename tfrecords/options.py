"""Frozen dataclasses of options, and the absl flags made from them.

A library function takes a frozen dataclass; a binary's ``main`` defines one flag a field and reads the dataclass back,
so a default and its help text stand in one place.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from absl import app, flags, logging

from tfrecords.errors import InputError

Options = TypeVar("Options")


def option(
    default: Any,
    text: str,
    choices: Sequence[str] | None = None,
    flag: str = "",
    at_least: float | None = None,
    at_most: float | None = None,
) -> Any:
    """A dataclass field with a default, a help text and, for names, the choices, or for numbers their bounds.

    The flag is named as the field unless `flag` gives a name that Python reserves (``from``).
    """
    bounds = {"lower_bound": at_least, "upper_bound": at_most}
    metadata = {"help": text, "choices": choices, "flag": flag, "bounds": bounds}
    return dataclasses.field(default=default, metadata=metadata)


def flag_name(field: dataclasses.Field[Any]) -> str:
    """The name of a field's flag."""
    return field.metadata["flag"] or field.name


def define_flags(options_class: type, flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines one absl flag for each field of `options_class` (a dataclass made with `option`).

    Field types may be `bool`, `int`, `float`, `str`, any of them `| None`, and `tuple[str, ...]` (a comma list).
    """
    hints = typing.get_type_hints(options_class)
    for field in dataclasses.fields(options_class):
        name, text, default = flag_name(field), field.metadata["help"], typing.cast(Any, field.default)
        kind = _without_none(hints[field.name])
        if field.metadata["choices"]:
            flags.DEFINE_enum(name, default, field.metadata["choices"], text, flag_values=flag_values)
        elif typing.get_origin(kind) is tuple:
            flags.DEFINE_list(name, list(default), text, flag_values=flag_values)
        else:
            bounds = field.metadata["bounds"] if kind in (int, float) else {}
            _DEFINERS[kind](name, default, text, flag_values=flag_values, **bounds)
        # Otherwise absl's --help shows none: it shows the flags that the main module defines.
        flag_values.register_key_flag_for_module(sys.argv[0], flag_values[name])


def from_flags(options_class: type[Options], flag_values: flags.FlagValues = flags.FLAGS) -> Options:
    """The dataclass with the values that the flags have now."""
    values = {}
    for field in dataclasses.fields(options_class):  # type: ignore[arg-type]
        value = flag_values[flag_name(field)].value
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return options_class(**values)


def to_flags(chosen: Any) -> list[str]:
    """The words of a command line that make `chosen`, a dataclass of options, of the defaults; not quoted for a shell.

    The reverse of `from_flags`; what has its default is left out.
    """
    words = []
    for field in dataclasses.fields(chosen):
        value, name = getattr(chosen, field.name), flag_name(field)
        if value == field.default:
            continue
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no{name}")
        elif isinstance(value, tuple):
            words.append(f"--{name}={flags.CsvListSerializer(',').serialize(list(value))}")
        else:
            words.append(f"--{name}={value}")
    return words


def set_defaults(values: Mapping[str, Any], flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Gives flags new defaults by name; a flag that the command line gives keeps what it says."""
    for name, value in values.items():
        flag_values.set_default(name, list(value) if isinstance(value, tuple) else value)


def run_main(
    main: Callable[[list[str]], int | None], *options_classes: type, takes_arguments: bool = False
) -> typing.NoReturn:
    """Defines the flags of `options_classes`, parses the command line and runs ``main(argv)``.

    What a person can mend ends the program with one sentence on standard error and exit code 1, without a traceback:
    an `InputError`, wherever it was raised, a file that cannot be read or written, and words that are no flags, unless
    the command `takes_arguments`.
    """
    for options_class in options_classes:
        define_flags(options_class)

    def guarded(argv: list[str]) -> int | None:
        if not flags.FLAGS["verbosity"].present:
            # TensorFlow's savers log through absl what only their authors want to know.
            logging.set_verbosity(logging.WARNING)
        try:
            if len(argv) > 1 and not takes_arguments:
                raise InputError(argv[1], "this command takes flags only", "write --name=value, see --help")
            return main(argv)
        except Exception as error:
            sentence = _sentence(error)
            if not sentence:
                raise
            print(f"error: {sentence}", file=sys.stderr)
            return 1

    app.run(guarded)
    raise AssertionError("absl's app.run ends the process")


def _sentence(error: Exception) -> str:
    """What to tell a person of `error`, or '' for a fault of the program."""
    if isinstance(error, InputError):
        return str(error)
    # An error from within tf.data arrives as TensorFlow's own, with ours quoted in its text.
    quoted = re.search(r"^(?:\S*\.)?InputError: (.+)$", str(error), re.MULTILINE)
    if quoted:
        return quoted.group(1)
    if isinstance(error, OSError) and error.filename and error.strerror:
        remedy = "check the path, its rights and the space on the disk"
        return str(InputError(os.fsdecode(error.filename), f"it cannot be used ({error.strerror})", remedy))
    return ""


def _without_none(kind: Any) -> Any:
    if isinstance(kind, types.UnionType):
        return next(member for member in typing.get_args(kind) if member is not types.NoneType)
    return kind


_DEFINERS: dict[type, Callable[..., Any]] = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}
