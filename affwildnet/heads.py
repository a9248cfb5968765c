"""Heads by configuration: what a network predicts, from which of its feature points, and how much each counts.

A head is written ``NAME:KIND:COLUMN+COLUMN[:KEY=VALUE…]``, several of them with commas between::

    --heads=va:regression:valence+arousal,aus:sigmoid:au01+au12:at=features:weight=0.5,
    expression:softmax:expression_neutral+expression_anger:hidden=512+1024:dropout=0.5

| key | meaning |
| --- | --- |
| ``at`` | the feature point that it reads; without, the network's last: ``block``, else ``fc``, else ``features`` |
| ``weight`` | what its loss is multiplied with in the sum; 1 |
| ``loss`` | of a regression: ``ccc`` or ``mse``; without, the training's ``--loss`` |
| ``hidden`` | widths of its own fully connected layers, each with batch norm, ReLU and dropout; none |
| ``dropout`` | part of what its hidden layers give that is dropped in training; 0 |

Feature points: a backbone gives ``features``, or several by name (`Backbone.points`); the fully connected layers of
``--fc`` give ``fc``, the recurrent block ``block``. Layers between a point and its output are the head's own
(``hidden``) and not the backbone's: so a frozen backbone's features can be kept, and what is dropped is a function of
the seed. They are FATAUVA-Net's attribute heads: ``hidden=512+1024``.

A network without heads has one linear layer over ``--outputs``.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfrecords.errors import InputError

FEATURES, FC, BLOCK = "features", "fc", "block"
REGRESSION_LOSSES = ("ccc", "mse")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FORM = "write NAME:KIND:COLUMN+COLUMN, then :KEY=VALUE of at, weight, loss, hidden, dropout"
# Columns and heads name columns of tables, where this is the mean of all.
_RESERVED = "total"


@dataclasses.dataclass(frozen=True)
class HeadKind:
    """What a kind of head is: `says` in words, and its raw outputs (..., columns) -> values of the same shape."""

    says: str
    to_values: Callable[[tf.Tensor], tf.Tensor]


HEAD_KINDS: dict[str, HeadKind] = {
    "regression": HeadKind("a number, not bounded", tf.identity),
    "sigmoid": HeadKind("the probability of each column by itself", tf.sigmoid),
    "softmax": HeadKind("the probability of each column, of which one holds", tf.nn.softmax),
}


@dataclasses.dataclass(frozen=True)
class Head:
    """One head; see the module's docstring.

    Attributes:
      name: small letters, digits and ``_``; names its losses and metrics.
      kind: one of `HEAD_KINDS`.
      columns: the label columns that it learns, in the order of its outputs.
      point: the feature point that it reads; '' for what the network ends with.
      weight: factor of its loss, 0 or more.
      loss: of a regression, one of `REGRESSION_LOSSES`; '' for the training's.
      hidden: widths of its own fully connected layers.
      dropout: part dropped after each of them in training, from 0 to below 1.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    point: str = ""
    weight: float = 1.0
    loss: str = ""
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0


def parse_heads(texts: Sequence[str]) -> tuple[Head, ...]:
    """The heads that `texts` describe, one each, in order.

    Raises:
      InputError: one is not written as a head is, or two share a name or a column (naming it).
    """
    heads = tuple(parse_head(text) for text in texts)
    taken: dict[str, str] = {}
    for head in heads:
        # A head may be called as its only column.
        for name in sorted({head.name, *head.columns}):
            if name in taken:
                remedy = "give every head its own name and columns"
                raise InputError("--heads", f"{name!r} is in the heads {taken[name]} and {head.name}", remedy)
            taken[name] = head.name
        if head.name in head.columns and len(head.columns) > 1:
            raise InputError("--heads", f"the head {head.name} is called as one of its columns", "call it otherwise")
    return heads


def parse_head(text: str) -> Head:
    """One head as `head_text` writes it; raises `InputError` naming what is wrong."""
    name, kind, columns, *pairs = *text.strip().split(":"), *[""] * (2 - text.count(":"))
    if kind not in HEAD_KINDS:
        raise InputError(f"--heads={text}", f"there is no kind {kind!r} of {', '.join(HEAD_KINDS)}", _FORM)
    chosen = tuple(columns.split("+"))
    for word in (name, *chosen):
        if not _NAME.fullmatch(word) or word == _RESERVED:
            what = f"{word!r} is no name of small letters, digits and _, or is {_RESERVED!r}"
            raise InputError(f"--heads={text}", what, _FORM)
    if len(set(chosen)) < len(chosen) or (kind == "softmax" and len(chosen) < 2):
        what = "a column stands twice" if len(set(chosen)) < len(chosen) else "one class alone is always the likeliest"
        raise InputError(f"--heads={text}", what, "name each class once, two at least for softmax")
    more: dict[str, Any] = {}
    for pair in filter(None, pairs):
        key, _, value = pair.partition("=")
        if key not in _KEYS:
            raise InputError(f"--heads={text}", f"there is no key {key!r} of {', '.join(_KEYS)}", _FORM)
        field, read, wanted = _KEYS[key]
        try:
            more[field] = read(value)
        except ValueError:
            raise InputError(f"--heads={text}", f"{key}={value} cannot be", f"{key} is {wanted}") from None
    if "loss" in more and kind != "regression":
        raise InputError(f"--heads={text}", f"the loss of {kind} is its cross-entropy", "leave loss out")
    return Head(name, kind, chosen, **more)


def head_text(head: Head) -> str:
    """`head` as a flag says it, what has its default left out; the reverse of `parse_head`."""
    usual = {field.name: field.default for field in dataclasses.fields(Head)}
    told = [head.name, head.kind, "+".join(head.columns)]
    for key, (field, _, _) in _KEYS.items():
        value = getattr(head, field)
        if value != usual[field]:
            told.append(f"{key}={'+'.join(map(str, value)) if isinstance(value, tuple) else value}")
    return ":".join(told)


def columns_of(heads: Sequence[Head]) -> tuple[str, ...]:
    """The columns of all heads side by side: what the last axis of the network's outputs holds."""
    return tuple(column for head in heads for column in head.columns)


def regression_places(outputs: Sequence[str], heads: Sequence[Head]) -> list[int]:
    """Which of `outputs` are regressions: without heads all of them."""
    probabilities = {column for head in heads if head.kind != "regression" for column in head.columns}
    return [place for place, name in enumerate(outputs) if name not in probabilities]


def most_telling(values: Mapping[str, float], heads: Sequence[Head]) -> dict[str, float]:
    """What of one frame's values is drawn into a picture: regressions, units that are likely, likeliest classes."""
    told = dict(values)
    for head in heads:
        own = {name: values[name] for name in head.columns}
        best = max(own, key=lambda name: own[name])
        for name, value in own.items():
            if (head.kind == "sigmoid" and value < 0.5) or (head.kind == "softmax" and name != best):
                del told[name]
    return told


def to_values(raw: tf.Tensor, heads: Sequence[Head]) -> tf.Tensor:
    """What a network's raw outputs (..., K) mean: numbers of regressions as they are, else logits -> probabilities.

    Args:
      raw: float32, the columns of `heads` in order; without heads it is returned as it is.
    """
    if not any(head.kind != "regression" for head in heads):
        return raw
    parts = tf.split(raw, [len(head.columns) for head in heads], axis=-1)
    return tf.concat([HEAD_KINDS[head.kind].to_values(part) for head, part in zip(heads, parts, strict=True)], axis=-1)


def check_points(heads: Sequence[Head], points: Mapping[str, str]) -> None:
    """Raises `InputError` where a head reads a feature point that is not among `points` (name -> what it is)."""
    for head in heads:
        if head.point and head.point not in points:
            told = ", ".join(f"{name} ({what})" for name, what in points.items())
            what = f"the head {head.name} reads {head.point!r}, which this network does not have"
            raise InputError("--heads", what, f"read one of {told}")


def _number(text: str, below: float = math.inf) -> float:
    value = float(text)
    if not 0 <= value < below:
        raise ValueError(text)
    return value


def _widths(text: str) -> tuple[int, ...]:
    widths = tuple(int(width) for width in text.split("+"))
    if min(widths) < 1:
        raise ValueError(text)
    return widths


def _choice(text: str, known: Sequence[str]) -> str:
    if text not in known:
        raise ValueError(text)
    return text


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(text)
    return text


# Key -> field of `Head`, how its text is read (ValueError where it cannot be), what it may be.
_KEYS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "at": ("point", _name, "the name of a feature point"),
    "weight": ("weight", _number, "a number from 0 up"),
    "loss": ("loss", lambda text: _choice(text, REGRESSION_LOSSES), f"one of {', '.join(REGRESSION_LOSSES)}"),
    "hidden": ("hidden", _widths, "widths like 512+1024"),
    "dropout": ("dropout", lambda text: _number(text, 1), "a part from 0 to below 1"),
}
