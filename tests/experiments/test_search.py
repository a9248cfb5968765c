"""The search: its study on disk, pruning by the evaluator's curve, what it leaves."""

import subprocess
import sys

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from experiments import search as search_module
from experiments.configs import load_table
from experiments.places import Places
from experiments.plan import PlanOptions, make_plan
from experiments.run_steps import Device, Outcome
from experiments.search import SearchOptions, open_study, retry_lost_trials, run_trial, trial_runs
from experiments.search_report import parameter_importances, write_search
from tests.experiments.conftest import ROOT
from tfrecords.workspace import read_csv, read_json, write_csv

SET = ("backbone=small_cnn", "case=0", "cache_features=true")


@pytest.fixture
def chosen(tmp_path):
    return SearchOptions(workspace="w", output=str(tmp_path), set=SET, startup_trials=1, steps=100, checkpoints=4)


def test_a_trial_that_was_lost_is_tried_again_with_its_parameters(chosen):
    study = open_study(chosen)
    lost = study.ask()
    runs = trial_runs(lost, chosen)
    reopened = open_study(chosen)
    assert retry_lost_trials(reopened) == 1
    again = reopened.ask()
    assert trial_runs(again, chosen) == runs and again.params == lost.params
    states = [trial.state for trial in reopened.get_trials()]
    assert states == [TrialState.FAIL, TrialState.RUNNING]


def test_a_trial_is_the_papers_network_with_its_parameters_changed(chosen):
    trial = open_study(chosen).ask()
    pretraining, run = trial_runs(trial, chosen)
    plan = make_plan([load_table("6.4", "small_cnn_case0")], PlanOptions(variants=("*",)))
    (paper,) = [run for run in plan.runs.values() if run.tested]
    changed = {name for name in run.flags if run.flags[name] != paper.flags.get(name)}
    assert changed <= {"attention_length", "layers", "units", "learning_rate"} and "learning_rate" in changed
    assert run.cnn_from == pretraining.name and not pretraining.tested
    assert float(run.flags["learning_rate"]) == trial.params["learning_rate"]


def _curve(values):
    """Stands in for the processes: the curve that an evaluator would write, a checkpoint at each look."""

    def perform(run, context, device, watch=lambda folder: None, test=True):
        folder = Places(search_module.Path(context.output)).run(run.name)
        rows = []
        for number, value in enumerate(values, start=1):
            rows.append({"step": 10 * number, "checkpoint": f"ckpt-{10 * number}", "ccc_total": value})
            write_csv(folder / "evaluations.csv", list(rows[0]), rows)
            watch(folder)
        return Outcome(run.name)

    return perform


def test_a_trial_that_falls_behind_the_others_at_its_step_is_pruned(chosen, monkeypatch):
    study = open_study(chosen)
    monkeypatch.setattr(search_module, "perform", _curve([0.2, 0.5, 0.4]))
    first = study.ask()
    assert run_trial(first, chosen, Device()) == 0.5
    study.tell(first, 0.5)
    monkeypatch.setattr(search_module, "perform", _curve([0.1, 0.6]))
    second = study.ask()
    with pytest.raises(optuna.TrialPruned):
        run_trial(second, chosen, Device())
    study.tell(second, state=TrialState.PRUNED)
    assert study.get_trials()[1].intermediate_values == {10: 0.1}


def test_the_plots_tell_which_parameter_decided(chosen, tmp_path):
    study = open_study(chosen)
    for _ in range(30):
        trial = study.ask()
        trial_runs(trial, chosen)
        study.tell(trial, 1 - abs(np.log10(trial.params["learning_rate"]) + 3))
    importances = parameter_importances(study, study.get_trials())
    assert next(iter(importances)) == "learning_rate" and sum(importances.values()) == pytest.approx(1)
    written = {path.name for path in write_search(study, tmp_path)}
    assert written == {"trials.csv", "importance.csv", "best.json", "history.png", "parameters.png", "importance.png"}
    assert len(read_csv(tmp_path / "trials.csv")) == 30
    assert read_json(tmp_path / "best.json")["params"] == study.best_params
    for name in ("history", "parameters", "importance"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_search_is_run_again_and_goes_on(tmp_path, demo_workspace):
    words = [sys.executable, "-m", "experiments.search", f"--workspace={demo_workspace.root}", f"--output={tmp_path}"]
    words += ["--set=backbone=small_cnn,weights=none,case=0,sequence_length=10", "--steps=2", "--checkpoints=2"]
    words += ["--attention_length=0,5", "--layers=1,2", "--units=8,16", "--startup_trials=2", "--poll_seconds=0.2"]
    for trials in (1, 3):
        told = subprocess.run([*words, f"--trials={trials}"], cwd=ROOT, capture_output=True, text=True)
        assert told.returncode == 0, told.stdout + told.stderr
        rows = read_csv(tmp_path / "trials.csv")
        assert sum(row["state"] in ("complete", "pruned") for row in rows) == trials
