"""Searches what the thesis left to future work: ``python -m experiments.search --workspace=W --output=S --trials=50``.

Attention length, learning rate, layers and units, by Optuna: each trial is a run (`run_steps.perform`) whose validation
CCC, as the evaluator writes it, is followed; one that falls behind the others at the same step is stopped. The study is
a journal, which several machines on one file system may share (never SQLite there); run again, it goes on.
"""

from __future__ import annotations

import dataclasses
import os
import queue
from pathlib import Path

try:
    import optuna
except ImportError:
    raise ImportError("optuna is missing: pip install 'affwildnet[search]'") from None
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from experiments.places import Places
from experiments.plan import CHECKPOINTS, Run, parse_overrides, plan_run
from experiments.results import read_validation
from experiments.run_plan import parse_devices
from experiments.run_steps import Device, RunContext, perform
from experiments.search_report import write_search
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option


@dataclasses.dataclass(frozen=True)
class SearchOptions:
    """What is searched, how far, and on what."""

    workspace: str = option("", "workspace folder")
    output: str = option("search_output", "folder of the study and its runs")
    trials: int = option(50, "trials that are complete or pruned when the search ends", at_least=1)
    steps: int = option(20_000, "length of a trial, in steps of 160 frames", at_least=1)
    checkpoints: int = option(CHECKPOINTS, "checkpoints of a trial, at each of which it may be pruned", at_least=1)
    set: tuple[str, ...] = option(("backbone=vggface", "case=0", "cache_features=true"), "train's flags for all trials")
    attention_length: tuple[str, ...] = option(("0", "3", "15", "30", "60"), "frames in the attention window")
    layers: tuple[str, ...] = option(("1", "2", "3"), "recurrent layers")
    units: tuple[str, ...] = option(("64", "100", "128", "256"), "units a layer")
    min_learning_rate: float = option(1e-5, "lowest learning rate", at_least=0)
    max_learning_rate: float = option(1e-2, "highest learning rate", at_least=0)
    startup_trials: int = option(5, "trials that are drawn at random and never pruned", at_least=1)
    seed: int = option(1, "seed of the search and of every training")
    devices: tuple[str, ...] = option(("0",), "GPUs, a trial on each at a time; 1:2 and -1 as in experiments.run")
    weights_folder: str = option("weights", "where affwildnet.fetch_weights put what it fetched")
    poll_seconds: float = option(10.0, "seconds between an evaluator's looks for new checkpoints", at_least=0)


def open_study(chosen: SearchOptions) -> optuna.Study:
    """The study in ``OUTPUT/journal.log``, made if it is not there."""
    journal = Path(chosen.output) / "journal.log"
    journal.parent.mkdir(parents=True, exist_ok=True)
    # Its default lock is a symbolic link; opening exclusively works on every NFS from version 3.
    backend = JournalFileBackend(str(journal), lock_obj=JournalFileOpenLock(str(journal)))
    return optuna.create_study(
        storage=JournalStorage(backend),
        study_name="search",
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=chosen.seed, n_startup_trials=chosen.startup_trials),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=chosen.startup_trials),
    )


def trial_runs(trial: optuna.Trial, chosen: SearchOptions) -> list[Run]:
    """The trial's run, after the pre-training that it may need; its name is made of its parameters."""
    flags = {
        "attention_length": trial.suggest_categorical("attention_length", list(chosen.attention_length)),
        "layers": trial.suggest_categorical("layers", list(chosen.layers)),
        "units": trial.suggest_categorical("units", list(chosen.units)),
        "learning_rate": repr(
            trial.suggest_float("learning_rate", chosen.min_learning_rate, chosen.max_learning_rate, log=True)
        ),
    }
    return plan_run({**flags, **parse_overrides(chosen.set)}, str(chosen.seed), chosen.steps, chosen.checkpoints)


def run_trial(trial: optuna.Trial, chosen: SearchOptions, device: Device) -> float:
    """Trains and evaluates one trial; returns its highest validation CCC, the mean of both dimensions.

    Raises:
      optuna.TrialPruned: it fell behind the median of the trials before it.
      RuntimeError: a process of it failed.
    """
    output = Path(chosen.output)
    context = RunContext(chosen.workspace, str(output), os.path.abspath(chosen.weights_folder), chosen.poll_seconds)
    *needed, run = trial_runs(trial, chosen)
    trial.set_user_attr("run", run.name)
    reported: set[int] = set()

    def watch(folder: Path) -> None:
        curve = read_validation(folder)
        for step, value in zip(curve.get("step", []), curve.get("ccc_total", []), strict=True):
            if int(step) not in reported and value == value:
                reported.add(int(step))
                trial.report(float(value), int(step))
                if trial.should_prune():
                    raise optuna.TrialPruned

    for other in needed:
        _must_end_well(perform(other, context, device, test=False).reason)
    _must_end_well(perform(run, context, device, watch, test=False).reason)
    curve = read_validation(Places(output).run(run.name))
    known = [value for value in curve["ccc_total"] if value == value]
    if not known:
        raise RuntimeError(f"{run.name}: the validation CCC is not defined at any checkpoint")
    return float(max(known))


def _must_end_well(reason: str) -> None:
    if reason:
        raise RuntimeError(reason)


def retry_lost_trials(study: optuna.Study) -> int:
    """Puts trials that were running when a search was killed in the queue again; returns how many.

    Their runs are found by their parameters and go on from their checkpoints.
    """
    lost = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in lost:
        study.tell(trial.number, state=TrialState.FAIL)
        if trial.params:
            study.enqueue_trial(trial.params)
    return len(lost)


def search(study: optuna.Study, chosen: SearchOptions) -> None:
    """Runs trials, one a device at a time, until enough are complete or pruned."""
    free: queue.Queue[Device] = queue.Queue()
    devices = parse_devices(chosen.devices)
    for device in devices:
        free.put(device)

    def objective(trial: optuna.Trial) -> float:
        device = free.get()
        try:
            return run_trial(trial, chosen, device)
        finally:
            free.put(device)

    def done() -> int:
        return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))

    # A failed trial has no value, and many failures in a row are no bad luck.
    callbacks = [optuna.study.MaxTrialsCallback(chosen.trials, states=(TrialState.COMPLETE, TrialState.PRUNED))]
    missing = chosen.trials - done()
    if missing > 0:
        study.optimize(objective, missing, n_jobs=len(devices), callbacks=callbacks, catch=(RuntimeError,))


def main(argv: list[str]) -> int:
    chosen = options.from_flags(SearchOptions)
    if not chosen.workspace:
        raise InputError("--workspace", "it is not given", "name the database's folder")
    optuna.logging.set_verbosity(optuna.logging.INFO)
    study = open_study(chosen)
    lost = retry_lost_trials(study)
    if lost:
        print(f"{lost} trials were running when the search ended; they go on")
    search(study, chosen)
    for path in write_search(study, Path(chosen.output)):
        print(f"wrote {path}")
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if complete:
        print(f"best: CCC {study.best_value:.3f} with {study.best_params}")
    print(f"{len(complete)} trials complete, {len(failed)} failed; logs in {Path(chosen.output) / 'logs'}")
    return 0 if complete else 1


def run() -> None:
    options.run_main(main, SearchOptions)


if __name__ == "__main__":
    run()
