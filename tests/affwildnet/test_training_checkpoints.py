"""Which checkpoints training keeps, and what a reader sees while one goes."""

import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from affwildnet.checkpoints import hold_checkpoint, list_checkpoints
from affwildnet.model_folder import ModelFolder
from affwildnet.training_checkpoints import resume, retain_checkpoints, save_checkpoint
from tfrecords.workspace import write_csv


@pytest.fixture
def folder(tmp_path):
    """Checkpoints of steps 1 to 6, each with its step for a value."""
    folder = ModelFolder(tmp_path / "model")
    value = tf.Variable(0.0)
    saved = tf.train.Checkpoint(value=value)
    for step in range(1, 7):
        value.assign(step)
        save_checkpoint(saved, folder, step)
    return folder


def _mark(folder, *steps):
    write_csv(folder.evaluations(), ("step", "ccc_total"), [{"step": step, "ccc_total": 0.5} for step in steps])


def _steps_on_disk(folder):
    return sorted({int(path.name.split("-")[1].split(".")[0]) for path in folder.checkpoints.glob("ckpt-*")})


def test_older_checkpoints_go_when_they_are_evaluated_and_never_before(folder):
    _mark(folder, 1, 3, 6)
    assert retain_checkpoints(folder, keep=2, keep_unevaluated=10) == [1, 3]
    assert list(list_checkpoints(folder)) == _steps_on_disk(folder) == [2, 4, 5, 6]
    _mark(folder, 1, 2, 3, 4, 5, 6)
    assert retain_checkpoints(folder, keep=1, keep_unevaluated=10) == [2, 4, 5]


def test_unevaluated_checkpoints_are_kept_up_to_their_number_the_newest(folder):
    assert retain_checkpoints(folder, keep=1, keep_unevaluated=3) == [1, 2]
    assert retain_checkpoints(folder, keep=1, keep_unevaluated=0) == [3, 4, 5]
    assert list(list_checkpoints(folder)) == _steps_on_disk(folder) == [6]


def test_nothing_goes_while_there_are_few(folder):
    _mark(folder, 1, 2, 3)
    assert retain_checkpoints(folder, keep=6, keep_unevaluated=0) == []
    assert len(list_checkpoints(folder)) == 6


def test_tensorflow_and_a_moved_folder_find_the_checkpoints(folder, tmp_path):
    assert tf.train.latest_checkpoint(folder.checkpoints) == str(folder.checkpoints / "ckpt-6")
    moved = ModelFolder(tmp_path / "moved")
    shutil.move(folder.root, moved.root)
    assert list(list_checkpoints(moved)) == [1, 2, 3, 4, 5, 6]
    value = tf.Variable(0.0)
    assert resume(tf.train.Checkpoint(value=value), moved) and float(value) == 6


def test_reader_sees_a_checkpoint_whole_or_not_at_all_at_every_moment_of_its_deletion(folder, monkeypatch):
    seen = []
    unlink = Path.unlink

    def looking(path, missing_ok=False):
        unlink(path, missing_ok)
        if "ckpt-1." in path.name and path.parent == folder.checkpoints:
            seen.append((hold_checkpoint(folder, str(folder.checkpoints / "ckpt-1")), 1 in list_checkpoints(folder)))

    monkeypatch.setattr(Path, "unlink", looking)
    retain_checkpoints(folder, keep=5, keep_unevaluated=0)
    assert seen == [(None, False)] * 2


def test_checkpoints_of_tensorflows_own_manager_are_taken_up(tmp_path):
    folder = ModelFolder(tmp_path)
    value = tf.Variable(3.0)
    saved = tf.train.Checkpoint(value=value)
    tf.train.CheckpointManager(saved, str(folder.checkpoints), max_to_keep=5).save(checkpoint_number=7)
    other = tf.Variable(0.0)
    again = tf.train.Checkpoint(value=other)
    assert resume(again, folder) and float(other) == 3
    save_checkpoint(again, folder, 9)
    assert list(list_checkpoints(folder)) == [7, 9]
