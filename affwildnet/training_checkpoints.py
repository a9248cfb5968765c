"""Training's side of a model folder's checkpoints: writing them, which are kept, and going on from the newest."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import tensorflow as tf

from affwildnet.checkpoints import list_checkpoints
from affwildnet.model_folder import ModelFolder
from tfrecords.errors import InputError
from tfrecords.workspace import read_csv, write_text


def save_checkpoint(saved: tf.train.Checkpoint, folder: ModelFolder, step: int) -> str:
    """Writes ``checkpoints/ckpt-STEP`` and then lists it in TensorFlow's file ``checkpoint``; returns the prefix."""
    folder.checkpoints.mkdir(parents=True, exist_ok=True)
    # As tf.train.CheckpointManager does, whose checkpoints and list these are; it deletes without asking who reads.
    saved.save_counter.assign_add(1)
    prefix = saved.write(str(folder.checkpoints / f"ckpt-{step}"))
    _list(folder, list_checkpoints(folder) | {step: prefix})
    return prefix


def save_with_the_first(saved: tf.train.Checkpoint) -> None:
    """Another process's part in the first one's `save_checkpoint`, which takes means of what each has its own of.

    What this one writes on the way is of no use to anybody, and deleted.
    """
    with tempfile.TemporaryDirectory(prefix="affwildnet-") as folder:
        saved.save_counter.assign_add(1)
        saved.write(f"{folder}/ckpt")


def retain_checkpoints(folder: ModelFolder, keep: int, keep_unevaluated: int) -> list[int]:
    """Deletes old checkpoints; returns their steps.

    The newest `keep` stay, and of the older ones the newest `keep_unevaluated` that have no row in
    ``evaluations.csv``. A deleted one leaves the list first and then loses its index, without which it counts as none,
    before its data: whoever copies it meanwhile sees that it goes, and never takes half of it for all.
    """
    found = list_checkpoints(folder)
    older = list(found)[:-keep]
    evaluated = evaluated_steps(folder)
    unmarked = [step for step in older if step not in evaluated]
    waiting = set(unmarked[-keep_unevaluated:]) if keep_unevaluated else set()
    doomed = [step for step in older if step not in waiting]
    if not doomed:
        return []
    _list(folder, {step: prefix for step, prefix in found.items() if step not in doomed})
    for step in doomed:
        index = Path(found[step] + ".index")
        for part in (index, *index.parent.glob(f"{index.stem}.data-*")):
            part.unlink(missing_ok=True)
    return doomed


def evaluated_steps(folder: ModelFolder) -> set[int]:
    """The steps of which `affwildnet.evaluate` has written a row."""
    table = folder.evaluations()
    return {int(row["step"]) for row in read_csv(table, ("step",))} if table.exists() else set()


def resume(saved: tf.train.Checkpoint, folder: ModelFolder) -> bool:
    """Restores the newest checkpoint that can be read; returns False where there is none at all.

    Raises:
      InputError: there are checkpoints, and none can be read.
    """
    found = list_checkpoints(folder)
    for prefix in reversed(found.values()):
        try:
            saved.restore(prefix).assert_consumed()
        except (tf.errors.OpError, IndexError, AssertionError, ValueError) as error:
            print(f"warning: {prefix} cannot be read ({str(error).splitlines()[0]})", file=sys.stderr)
            continue
        print(f"resumed from {prefix}")
        return True
    if found:
        what = "none of its checkpoints can be read"
        raise InputError(folder.checkpoints, what, "delete them, or train into an empty --model folder")
    return False


def _list(folder: ModelFolder, found: dict[int, str]) -> None:
    """Writes TensorFlow's list of checkpoints (CheckpointState as text), with names alone: the folder can be moved."""
    names = [Path(prefix).name for _, prefix in sorted(found.items())]
    lines = [f'model_checkpoint_path: "{names[-1]}"', *(f'all_model_checkpoint_paths: "{name}"' for name in names)]
    write_text(folder.checkpoints / "checkpoint", "\n".join(lines) + "\n")
