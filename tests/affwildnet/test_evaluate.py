"""The evaluator beside a training that is played here: checkpoints that come, are half there, or cannot be read."""

import os
import shutil
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.bootstrap import BootstrapOptions
from affwildnet.checkpoints import list_checkpoints, release_checkpoint
from affwildnet.evaluate import EvaluateOptions, evaluate_checkpoints
from affwildnet.evaluation_files import evaluations_without_gain, read_evaluations, request_stop
from affwildnet.model_folder import ModelFolder, load_model
from affwildnet.test import TestOptions as HeldOutOptions  # pytest would collect a name that begins with Test
from affwildnet.test import test_model as run_held_out
from tfrecords.errors import InputError
from tfrecords.workspace import read_csv, read_json, write_csv, write_json

QUICK = BootstrapOptions(bootstrap=50)


@pytest.fixture(scope="module")
def three(tmp_path_factory, make_model_folder):
    """An ended training with checkpoints of steps 1, 2 and 3."""
    folder = make_model_folder(tmp_path_factory.mktemp("three") / "m", synthetic=True)
    told = read_json(folder.model)
    write_json(folder.model, told | {"training": told["training"] | {"gap_factor": 15.0}})
    model, _ = load_model(folder)
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(model=model), str(folder.checkpoints), max_to_keep=5)
    for step in (2, 3):
        tf.keras.utils.set_random_seed(step)
        model.head.kernel.assign(tf.random.normal(model.head.kernel.shape))
        manager.save(checkpoint_number=step)
    write_json(folder.training, {"state": "finished", "step": 3})
    return folder


@pytest.fixture
def folder(three, tmp_path):
    shutil.copytree(three.root, tmp_path / "m")
    return ModelFolder(tmp_path / "m")


def _evaluate(folder, workspace, **changes):
    chosen = EvaluateOptions(**({"poll_seconds": 0.05, "grace_seconds": 0} | changes))
    return evaluate_checkpoints(folder, workspace, chosen, QUICK)


def test_latest_passes_over_older_checkpoints(folder, demo_workspace):
    assert _evaluate(folder, demo_workspace, which="latest") == 1
    assert [row["step"] for row in read_csv(folder.evaluations())] == ["3"]
    assert _evaluate(folder, demo_workspace, which="latest") == 0
    assert _evaluate(folder, demo_workspace) == 2


def test_rows_hold_both_variants_and_intervals_and_a_csv_its_entries(folder, demo_workspace):
    assert _evaluate(folder, demo_workspace) == 3
    rows = read_csv(folder.evaluations())
    frames = int(rows[0]["frames"])
    for row in rows:
        with_n_1, with_n = float(row["ccc_valence"]), float(row["population_ccc_valence"])
        assert with_n_1 != with_n and abs(with_n_1 - with_n) < 2 / frames
        entries = read_csv(folder.root / "evaluations" / f"{row['step']}.csv")
        assert sum(int(entry["frames"]) for entry in entries) == frames
        clips = {entry["clip"] for entry in entries}
        assert (row["low_ccc_total"] == "") == (len(clips) < 2)
        if len(entries) == 1:
            assert entries[0]["ccc_arousal"] == row["ccc_arousal"]


def test_half_written_checkpoint_is_tried_again_until_it_is_whole(folder, demo_workspace, capsys):
    (data,) = folder.checkpoints.glob("ckpt-2.data*")
    whole = data.read_bytes()
    data.write_bytes(whole[: len(whole) // 2])
    (other,) = folder.checkpoints.glob("ckpt-3.data*")
    hidden = other.rename(other.with_suffix(".later"))
    seen = []

    def finish():
        end = time.monotonic() + 60
        while "tried again" not in "".join(seen) and time.monotonic() < end:
            seen.append(capsys.readouterr().out)
            time.sleep(0.02)
        data.write_bytes(whole)
        hidden.rename(other)

    writer = threading.Thread(target=finish)
    writer.start()
    assert _evaluate(folder, demo_workspace, retries=10_000) == 3
    writer.join()
    assert sorted(int(row["step"]) for row in read_csv(folder.evaluations())) == [1, 2, 3]
    assert not list((folder.root / "held").iterdir())


def test_corrupt_checkpoint_is_skipped_with_a_warning_after_the_tries_and_has_no_row(folder, demo_workspace, capsys):
    (data,) = folder.checkpoints.glob("ckpt-2.data*")
    content = bytearray(data.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    data.write_bytes(content)
    assert _evaluate(folder, demo_workspace, retries=2) == 2
    shown = capsys.readouterr()
    assert shown.out.count("ckpt-2: the checkpoint cannot be read") == 2
    assert "tried again at the next look" in shown.out
    assert shown.err.count("skipped after 3 tries") == 1
    # The row is what training's retention takes for the mark that a checkpoint is evaluated.
    assert [row["step"] for row in read_csv(folder.evaluations())] == ["1", "3"]


def test_training_is_asked_to_stop_where_it_looks(folder, demo_workspace, capsys):
    rows = [
        {"step": -2, "checkpoint": "ckpt--2", "ccc_valence": 0.99, "ccc_arousal": 0.99, "ccc_total": 0.99},
    ]
    write_csv(folder.evaluations(), list(rows[0]), rows)
    _evaluate(folder, demo_workspace, stop_after=4)
    assert not folder.stop_request.exists()
    folder.evaluations().unlink()
    write_csv(folder.evaluations(), list(rows[0]), rows)
    _evaluate(folder, demo_workspace, stop_after=3)
    assert read_json(folder.root / "stop.json") == {
        "step": 3,
        "reason": "the mean CCC on the validation part has not risen in 3 evaluations",
    }
    assert "training is asked to stop" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("totals", "expected"),
    [([], 0), ([0.1], 0), ([0.1, 0.1], 1), ([0.3, 0.2, 0.4], 0), ([0.3, "nan", 0.2], 2), (["nan", "nan"], 2)],
)
def test_evaluations_since_the_first_best_are_counted(totals, expected):
    assert evaluations_without_gain([{"ccc_total": value} for value in totals]) == expected


def test_no_patience_asks_for_nothing(tmp_path):
    rows = [{"step": 1, "ccc_total": 0.5}, {"step": 2, "ccc_total": 0.1}]
    assert not request_stop(ModelFolder(tmp_path), rows, 0) and not list(tmp_path.iterdir())
    assert request_stop(ModelFolder(tmp_path), rows, 1)


def test_damaged_row_is_named_and_older_tables_are_read(tmp_path):
    table = tmp_path / "evaluations.csv"
    table.write_text("step,checkpoint,ccc_total,low_ccc_total\n1,ckpt-1,0.5,\n")
    assert read_evaluations(table)[0]["low_ccc_total"] == ""
    table.write_text("step,checkpoint,ccc_total\n1,ckpt-1,0.5\n2,ckpt-2,0.\x00x\n")
    with pytest.raises(InputError, match=r"evaluations\.csv, line 3: the row is damaged; delete it"):
        read_evaluations(table)


def test_evaluation_ends_when_a_training_that_says_running_leaves_nothing_new(folder, demo_workspace):
    write_json(folder.training, {"state": "running"})
    assert _evaluate(folder, demo_workspace, exit_after_idle_seconds=0.2) == 3


def test_interrupted_training_is_waited_for_as_it_will_go_on(folder, demo_workspace, capsys):
    write_json(folder.training, {"state": "interrupted", "step": 3, "reason": "SIGTERM"})
    assert _evaluate(folder, demo_workspace, exit_after_idle_seconds=0.2) == 3
    said = capsys.readouterr().out
    assert said.count("training was interrupted") == 1 and "nothing new for" in said


def test_checkpoint_that_is_not_there_whole_costs_no_other_file(folder, demo_workspace, tmp_path, monkeypatch):
    for data in folder.checkpoints.glob("ckpt-3.data*"):
        data.unlink()
    here = tmp_path / "here"
    here.mkdir()
    (here / ".gitignore").write_text("kept")
    monkeypatch.chdir(here)
    assert _evaluate(folder, demo_workspace, retries=1) == 2
    assert [path.name for path in here.iterdir()] == [".gitignore"]
    for nothing in ("", ".", str(here)):
        with pytest.raises(ValueError, match="no checkpoint"):
            release_checkpoint(nothing)


def test_nothing_to_measure_is_a_sentence(folder, demo_workspace):
    told = read_json(folder.model)
    write_json(folder.model, told | {"training": told["training"] | {"sequence_length": 100_000}})
    with pytest.raises(InputError, match="no frame is left to measure with --frames_mode=kept"):
        _evaluate(folder, demo_workspace, frames_mode="kept")


def test_end_of_training_is_believed_whatever_the_clocks_say(folder, demo_workspace):
    os.utime(folder.training, (2e9, 2e9))  # written in the future, as by a machine whose clock is ahead
    began = time.monotonic()
    _evaluate(folder, demo_workspace, grace_seconds=1)
    assert time.monotonic() - began >= 1
    assert list(list_checkpoints(folder)) == [1, 2, 3]


def test_test_leaves_results_tables_and_plots(folder, demo_workspace):
    results = run_held_out(folder, demo_workspace, HeldOutOptions(checkpoints=("latest",)), QUICK)
    written = read_json(folder.root / "test" / "results.json")
    latest = written["checkpoints"]["latest"]
    assert latest["checkpoint"] == "checkpoints/ckpt-3" and written["intervals"]["bootstrap"] == 50
    assert written["database"]["test"]["frames"] == latest["frames"] == results["checkpoints"]["latest"]["frames"]
    assert latest["clips"] >= 1 and set(latest["interval"]["ccc"]) == {"valence", "arousal", "total"}
    assert latest["population_ccc"]["valence"] == pytest.approx(latest["ccc"]["valence"], abs=0.02)
    rows = read_csv(folder.root / "test" / "latest-entries.csv")
    assert {row["entry"] for row in rows} == set(latest["ccc_by_entry"])
    for row in rows:
        predictions = read_csv(folder.test("latest") / f"{row['entry']}.csv")
        errors = [float(line["valence"]) - float(line["valence_label"]) for line in predictions]
        assert np.mean(np.square(errors)) == pytest.approx(float(row["mse_valence"]), rel=1e-2)
    pictures = {path.name for path in folder.test("latest").glob("*.png")}
    assert pictures == {
        *(f"figure_6_{number}_arousal.png" for number in (3, 4, 5)),
        *(f"figure_6_{number}_valence.png" for number in (6, 7, 8)),
        "histogram_arousal.png",
        "histogram_valence.png",
    }
