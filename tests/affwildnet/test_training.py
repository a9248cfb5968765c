"""Training, evaluation, test and export on a tiny drawn database, with processes that are killed."""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

from affwildnet.checkpoints import hold_checkpoint, list_checkpoints
from affwildnet.evaluate import EvaluateOptions, evaluate_checkpoints
from affwildnet.export import export_model
from affwildnet.model_folder import ModelFolder
from affwildnet.models import ModelOptions
from affwildnet.optimizer import OptimizerOptions
from affwildnet.serving import open_model
from affwildnet.test import TestOptions as HeldOutOptions  # pytest would collect a name that begins with Test
from affwildnet.test import test_model as run_held_out
from affwildnet.train import TrainOptions, TrainRun, train
from data_pipeline.removal.models import NOT_TRAINED, TRAINED, find_models
from tfrecords.errors import InputError
from tfrecords.sidecar import sidecar_path
from tfrecords.workspace import Workspace, read_csv, read_json, write_csv, write_json

ROOT = Path(__file__).parents[2]
MODEL = ModelOptions(cell="gru", layers=1, units=8, attention_length=5)
SMALL = TrainOptions(batch=2, sequence_length=10)
RUN = TrainRun(steps=6, checkpoint_seconds=0, checkpoint_steps=2, log_steps=1, image_steps=3)
SIZES = ("--cell=gru", "--layers=1", "--units=8", "--attention_length=5", "--sequence_length=10", "--batch=2")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, demo_workspace):
    """A folder trained for 6 steps in one go, with checkpoints of steps 2, 4 and 6."""
    folder = ModelFolder(tmp_path_factory.mktemp("trained"))
    assert train(folder, demo_workspace, RUN, MODEL, SMALL) == 6
    return folder


def _weights(folder, step):
    reader = tf.train.load_checkpoint(list_checkpoints(folder)[step])
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith("VARIABLE_VALUE")]
    return {name: reader.get_tensor(name) for name in names if "save_counter" not in name}


def _start(module, *flags):
    command = [sys.executable, "-m", f"affwildnet.{module}", *flags]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _wait_for(condition, process, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None and time.monotonic() < end, process.communicate()[0]
        time.sleep(0.02)


def test_training_leaves_its_checkpoints_and_says_that_it_has_finished(trained):
    assert list(list_checkpoints(trained)) == [2, 4, 6]
    assert read_json(trained.training) == {"state": "finished", "step": 6}


def test_model_is_found_by_those_it_was_trained_on_and_by_nobody_else(trained, demo_workspace):
    rows = read_csv(demo_workspace.partition)
    answers = {row["subject"]: find_models([trained.root], row["subject"])[0].answer for row in rows}
    assert {subject for subject, answer in answers.items() if answer == TRAINED} == {
        row["subject"] for row in rows if row["partition"] == "train"
    }
    assert set(answers.values()) == {TRAINED, NOT_TRAINED}


def test_training_that_stopped_goes_on_to_the_same_weights(tmp_path, demo_workspace, trained):
    folder = ModelFolder(tmp_path)
    assert train(folder, demo_workspace, dataclasses.replace(RUN, steps=3), MODEL, SMALL) == 3
    assert train(folder, demo_workspace, RUN, MODEL, SMALL) == 6
    whole, resumed = _weights(trained, 6), _weights(folder, 6)
    assert whole.keys() == resumed.keys() and len(whole) > 10
    for name, value in whole.items():
        np.testing.assert_allclose(resumed[name], value, atol=1e-6, err_msg=name)


def test_tensorboard_shows_losses_gradients_rate_and_a_sequences_curves(trained):
    found = {}
    for path in trained.events("train").iterdir():
        for record in tf.data.TFRecordDataset(str(path)):
            event = event_pb2.Event.FromString(record.numpy())
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = tf.make_ndarray(value.tensor)
    scalars = {f"losses/CCC_loss{suffix}" for suffix in ("", "_valence", "_arousal")}
    scalars |= {f"gradients/{part}" for part in ("global", "backbone", "block", "head")}
    scalars |= {"training/learning_rate", "training/frames_per_second"}
    assert set(found) == scalars | {"curves"}
    for tag in scalars:
        assert list(found[tag]) == [1, 2, 3, 4, 5, 6] and np.isfinite(list(found[tag].values())).all(), tag
    assert {float(value) for value in found["training/learning_rate"].values()} == {float(np.float32(1e-4))}
    assert list(found["curves"]) == [3, 6]
    picture = tf.io.decode_png(found["curves"][3][2], channels=3).numpy()
    # Curves of the predictions' orange: drawn in both panels.
    orange = (picture[..., 0] > 240) & (picture[..., 2] < 60)
    half = len(picture) // 2
    assert orange[:half].sum() > 50 and orange[half:].sum() > 50


def test_folder_of_a_training_that_knew_fewer_options_is_resumed_as_if_it_had_their_defaults(
    tmp_path, demo_workspace, trained
):
    folder = ModelFolder(tmp_path / "copy")
    shutil.copytree(trained.root, folder.root)
    facts = read_json(folder.model)
    del facts["training"]["schedule"], facts["training"]["precision"]
    write_json(folder.model, facts)
    assert train(folder, demo_workspace, RUN, MODEL, SMALL) == 6
    with pytest.raises(InputError, match="schedule was 'constant' when training began, and is 'step' now"):
        train(folder, demo_workspace, RUN, MODEL, SMALL, OptimizerOptions(schedule="step", schedule_steps=9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": 9}, "units was 8 when training began, and is 9 now; give --units as it was"),
        ({"batch": 3}, "batch was 2 when training began, and is 3 now; give --batch as it was"),
    ],
)
def test_folder_with_other_options_is_refused_naming_the_option(demo_workspace, trained, change, message):
    model, options = MODEL, SMALL
    if "units" in change:
        model = dataclasses.replace(MODEL, **change)
    else:
        options = dataclasses.replace(SMALL, **change)
    with pytest.raises(InputError, match=message):
        train(trained, demo_workspace, RUN, model, options)


def test_loss_that_is_not_finite_stops_with_the_frames_named(tmp_path, demo_workspace):
    wild = dataclasses.replace(SMALL, learning_rate=1e30)
    with pytest.raises(InputError, match=r"of step \d is (nan|inf) \(frames \S+/\d{5}-\d{5}; \S+/\d{5}-\d{5}\); lower"):
        train(ModelFolder(tmp_path), demo_workspace, RUN, MODEL, wild)


def _evaluate(folder, workspace, partition="validation"):
    chosen = EvaluateOptions(poll_seconds=0.1, partition=partition, grace_seconds=0)
    return evaluate_checkpoints(folder, workspace, chosen)


def test_evaluating_the_test_part_chooses_nothing(tmp_path, demo_workspace, trained):
    folder = ModelFolder(tmp_path / "copy")
    shutil.copytree(trained.root, folder.root)
    for path in (folder.best, folder.evaluations()):
        path.unlink(missing_ok=True)
    assert _evaluate(folder, demo_workspace, "test") == 3
    assert not folder.best.exists() and not folder.evaluations().exists()
    assert _evaluate(folder, demo_workspace) == 3
    assert folder.best.exists() and not list((folder.root / "held").iterdir())


def test_checkpoint_that_retention_took_before_best_knew_is_kept_from_its_held_copy(tmp_path, demo_workspace, trained):
    folder = ModelFolder(tmp_path / "copy")
    shutil.copytree(trained.root, folder.root)
    _evaluate(folder, demo_workspace)
    top = json.loads(folder.best.read_text())["valence"]["step"]
    # As a kill between the row and best.json leaves it, with the checkpoint rotated away.
    hold_checkpoint(folder, str(folder.checkpoints / f"ckpt-{top}"))
    for part in folder.checkpoints.glob(f"ckpt-{top}.*"):
        part.unlink()
    shutil.rmtree(folder.root / "best")
    folder.best.unlink()
    _evaluate(folder, demo_workspace)
    assert json.loads(folder.best.read_text())["valence"]["step"] == top


def test_evaluation_waits_for_training_that_may_go_on(tmp_path, demo_workspace, trained):
    folder = ModelFolder(tmp_path / "copy")
    shutil.copytree(trained.root, folder.root)
    began = time.monotonic()
    assert evaluate_checkpoints(folder, demo_workspace, EvaluateOptions(poll_seconds=0.1, grace_seconds=4)) in (0, 3)
    assert time.monotonic() - began >= 4


def test_training_resumes_from_the_checkpoint_before_a_damaged_one(tmp_path, demo_workspace, trained, capsys):
    folder = ModelFolder(tmp_path / "copy")
    shutil.copytree(trained.root, folder.root)
    data = next(folder.checkpoints.glob("ckpt-6.data*"))
    data.write_bytes(data.read_bytes()[:1000])
    assert train(folder, demo_workspace, dataclasses.replace(RUN, steps=8), MODEL, SMALL) == 8
    shown = capsys.readouterr()
    assert "ckpt-6 cannot be read" in shown.err and f"resumed from {folder.checkpoints / 'ckpt-4'}" in shown.out


def test_killed_evaluation_evaluates_what_it_missed_and_nothing_twice(demo_workspace, trained):
    flags = (
        f"--workspace={demo_workspace.root}",
        f"--model={trained.root}",
        "--gpu=-1",
        "--poll_seconds=0.1",
        "--grace_seconds=60",
    )
    process = _start("evaluate", *flags)
    _wait_for(trained.evaluations().exists, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = len(read_csv(trained.evaluations()))
    assert before >= 1
    assert _evaluate(trained, demo_workspace) == 3 - before
    rows = read_csv(trained.evaluations())
    assert [int(row["step"]) for row in rows] == [2, 4, 6]
    assert _evaluate(trained, demo_workspace) == 0
    best = json.loads(trained.best.read_text())
    for name in ("valence", "arousal", "total"):
        top = max(rows, key=lambda row: float(row[f"ccc_{name}"]))
        assert best[name]["step"] == int(top["step"])
        assert best[name]["ccc"] == pytest.approx(float(top[f"ccc_{name}"]))
        assert (trained.root / f"{best[name]['checkpoint']}.index").exists()


def test_held_out_people_are_tested_with_every_frame_and_a_constant_beside(demo_workspace, trained):
    _evaluate(trained, demo_workspace)
    results = run_held_out(trained, demo_workspace, HeldOutOptions(checkpoints=("valence", "latest")))
    tested = [row for row in read_csv(demo_workspace.partition) if row["partition"] == "test"]
    frames = sum(int(row["frames"]) for row in tested)
    assert results["checkpoints"]["latest"]["step"] == 6
    for result in results["checkpoints"].values():
        assert result["frames"] == frames and sorted(result["ccc_by_entry"]) == sorted(row["entry"] for row in tested)
    assert results["synthetic"] is True
    assert results["constant"]["ccc"] == pytest.approx({"valence": 0, "arousal": 0}, abs=1e-6)
    rows = read_csv(trained.test("latest") / f"{tested[0]['entry']}.csv")
    assert len(rows) == int(tested[0]["frames"])
    assert list(rows[0]) == ["frame", "valence", "valence_label", "arousal", "arousal_label"]


def test_records_of_another_size_are_refused_naming_the_file_and_a_remedy(tmp_path, demo_workspace, trained):
    entry = next(row["entry"] for row in read_csv(demo_workspace.partition) if row["partition"] == "validation")
    workspace = Workspace(tmp_path)
    write_csv(workspace.partition, ("entry", "partition"), [{"entry": entry, "partition": "validation"}])
    record = workspace.record(entry)
    record.parent.mkdir()
    record.write_bytes(demo_workspace.record(entry).read_bytes())
    facts = read_json(sidecar_path(demo_workspace.record(entry)))
    sidecar_path(record).write_text(json.dumps(facts | {"size": 112}))
    message = rf"{entry}\.tfrecords: its faces have size 112, but .*input\.json asks for 96; build the workspace again"
    with pytest.raises(InputError, match=message):
        _evaluate(trained, workspace)


@pytest.mark.slow
def test_exported_model_runs_in_plain_tensorflow_and_gives_the_same_values(tmp_path, trained):
    assert export_model(trained, tmp_path / "saved", "latest") < 1e-5
    faces = np.random.default_rng(0).integers(0, 256, (2, 7, 96, 96, 3), np.uint8)
    np.save(tmp_path / "faces.npy", faces)
    code = (
        "import sys, numpy as np, tensorflow as tf\n"
        "faces = tf.constant(np.load('faces.npy'))\n"
        "signatures = tf.saved_model.load('saved').signatures\n"
        "np.save('values.npy', signatures['sequences'](faces=faces)['values'])\n"
        "assert not [name for name in sys.modules if name.startswith('affwildnet')]\n"
    )
    # -I: neither this folder nor PYTHONPATH is searched.
    subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, check=True, capture_output=True)
    model = open_model(trained.root, "latest")
    expected, _ = model.step(tf.constant(faces), tf.zeros([2, model.state_width]))
    np.testing.assert_allclose(np.load(tmp_path / "values.npy"), expected, atol=1e-5)
    again, _ = open_model(tmp_path / "saved", "latest").step(tf.constant(faces), tf.zeros([2, model.state_width]))
    np.testing.assert_allclose(again, expected, atol=1e-5)
    assert (tmp_path / "saved" / "input.json").read_bytes() == trained.input.read_bytes()


def test_export_does_not_overwrite_a_folder_that_is_something_else(tmp_path, trained):
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="the folder exists and is no exported model; name a new folder"):
        export_model(trained, tmp_path / "mine", "latest")


@pytest.mark.slow
def test_killed_training_goes_on_from_its_last_checkpoint(tmp_path, demo_workspace):
    flags = [f"--workspace={demo_workspace.root}", f"--model={tmp_path}", "--gpu=-1", "--checkpoint_steps=2", *SIZES]
    folder = ModelFolder(tmp_path)
    process = _start("train", *flags)
    _wait_for(lambda: len(list_checkpoints(folder)) >= 2, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    reached = list(list_checkpoints(folder))[-1]
    assert read_json(folder.training)["state"] == "running"
    process = _start("train", *flags, f"--steps={reached + 3}")
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 0, output
    assert f"resumed from {folder.checkpoints / f'ckpt-{reached}'}" in output
    assert list(list_checkpoints(folder))[-1] == reached + 3
    whole = ModelFolder(tmp_path / "whole")
    train(whole, demo_workspace, dataclasses.replace(RUN, steps=reached + 3), MODEL, SMALL)
    one, other = _weights(whole, reached + 3), _weights(folder, reached + 3)
    for name, value in one.items():
        np.testing.assert_allclose(other[name], value, atol=1e-5, err_msg=name)
