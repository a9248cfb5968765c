"""Checkpoints of a model folder: listing, restoring whole or in part, and keeping the best."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from affwildnet.model_folder import ModelFolder, is_imported
from tfrecords.errors import InputError
from tfrecords.workspace import read_json, write_json


def list_checkpoints(folder: ModelFolder) -> dict[int, str]:
    """Step -> prefix of every complete checkpoint, in the order of steps."""
    state = tf.train.get_checkpoint_state(str(folder.checkpoints))
    prefixes = list(state.all_model_checkpoint_paths) if state else []
    found = {checkpoint_step(prefix): prefix for prefix in prefixes if Path(prefix + ".index").exists()}
    return dict(sorted(found.items()))


def checkpoint_step(prefix: str) -> int:
    return int(prefix.rsplit("-", 1)[1])


def choose_checkpoint(folder: ModelFolder, which: str) -> str:
    """The prefix of checkpoint `which`: ``latest``, a step, or ``valence``, ``arousal``, ``total`` … for the best.

    An imported model has one checkpoint, its author's best, which is taken for each of these until it is evaluated.

    Raises:
      InputError: there is no such checkpoint.
    """
    found = list_checkpoints(folder)
    if which == "latest" and found:
        return list(found.values())[-1]
    if which.isdigit() and int(which) in found:
        return found[int(which)]
    best = read_json(folder.best) if folder.best.exists() else {}
    if which in best:
        return str(folder.root / best[which]["checkpoint"])
    if found and not best and not which.isdigit() and is_imported(folder):
        return list(found.values())[-1]
    known = ", ".join([*map(str, found), *best]) or "none"
    what = f"there is no checkpoint {which!r} (there are: {known})"
    raise InputError(folder.root, what, "evaluate the model first, or name another one with --checkpoint=latest")


def restore_model(model: tf.keras.Model, prefix: str) -> None:
    """Fills the whole model; raises `InputError` where the checkpoint is damaged or of another model."""
    try:
        status = tf.train.Checkpoint(model=model).restore(prefix)
        status.assert_existing_objects_matched().expect_partial()
    except (tf.errors.OpError, IndexError, AssertionError, ValueError) as error:
        what = f"the checkpoint cannot be read ({str(error).splitlines()[0]})"
        raise InputError(prefix, what, "delete it, or use another one") from None


def restore_part(model: tf.keras.Model, part: str | tuple[str, ...], source: ModelFolder, which: str) -> str:
    """Fills a part of `model` (``backbone``, ``fc``, ``block``, ``head``) from checkpoint `which` of another folder.

    A part of a part is told by its path, as ``("head", "parts", NAME)`` of one head. Returns the prefix.

    Raises:
      InputError: there is none, or its part has other shapes.
    """
    prefix = choose_checkpoint(source, which)
    path = (part,) if isinstance(part, str) else part
    target: Any = model
    for name in path:
        target = target[name] if isinstance(target, Mapping) else getattr(target, name)
    for name in reversed(("model", *path)):
        target = tf.train.Checkpoint(**{name: target})
    try:
        target.restore(prefix).assert_existing_objects_matched().expect_partial()
    except (tf.errors.OpError, IndexError, AssertionError, ValueError) as error:
        what = f"its {path[-1]} does not fit this model ({str(error).splitlines()[0]})"
        raise InputError(prefix, what, f"use a model with the same {path[-1]}") from None
    return prefix


def hold_checkpoint(folder: ModelFolder, prefix: str) -> str | None:
    """Copies a checkpoint to ``held/``, where training's retention cannot take it; returns the copy's prefix.

    None where it is gone already, or only half there.
    """
    source = Path(prefix)
    target = folder.root / "held" / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        parts = sorted(source.parent.glob(f"{source.name}.*"))
        for part in parts:
            shutil.copy2(part, target.parent / part.name)
    except FileNotFoundError:
        parts = []
    if not any(part.name == f"{source.name}.index" for part in parts) or len(parts) < 2:
        release_checkpoint(target)
        return None
    return str(target)


def release_checkpoint(prefix: str | Path) -> None:
    """Deletes a held copy; raises `ValueError` for a path that names none."""
    if not Path(prefix).name.startswith("ckpt-"):
        raise ValueError(f"{str(prefix)!r} is no checkpoint")
    for part in Path(prefix).parent.glob(f"{Path(prefix).name}.*"):
        part.unlink()


def keep_best(folder: ModelFolder, name: str, prefix: str, value: float, metric: str = "ccc") -> bool:
    """Copies the checkpoint to ``best/NAME`` if `value` is higher than the best so far; returns whether it was.

    `metric` is what ``best.json`` calls the value.
    ``best.json`` is written when the copy is complete, and the one it replaces goes last.
    """
    best = read_json(folder.best) if folder.best.exists() else {}
    step = checkpoint_step(prefix)
    # A CCC that is not defined (constant labels) is never the best: nothing would compare higher after it.
    if math.isnan(value) or (name in best and value <= best[name][metric]):
        return False
    target = folder.root / "best" / name / Path(prefix).name
    target.parent.mkdir(parents=True, exist_ok=True)
    for part in Path(prefix).parent.glob(Path(prefix).name + ".*"):
        shutil.copy2(part, target.parent / part.name)
    best[name] = {"step": step, metric: value, "checkpoint": target.relative_to(folder.root).as_posix()}
    write_json(folder.best, best)
    for old in target.parent.iterdir():
        if not old.name.startswith(target.name + "."):
            old.unlink()
    return True
