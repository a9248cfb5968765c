"""What a search has found: its trials as a table, the best as JSON, and plots of importance and of each parameter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from data_pipeline.statistics.drawing import Panel, new_axes, new_figure, save_panel
from tfrecords.workspace import write_csv, write_json


def write_search(study: optuna.Study, folder: Path) -> list[Path]:
    """Writes ``trials.csv``, ``best.json``, ``importance.csv`` and plots; returns their paths."""
    trials = study.get_trials(deepcopy=False)
    names = sorted({name for trial in trials for name in trial.params})
    rows = [
        {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "ccc_total": trial.value if trial.state == TrialState.COMPLETE else _last(trial),
            **trial.params,
            "last_step": max(trial.intermediate_values, default=""),
            "run": trial.user_attrs.get("run", ""),
        }
        for trial in trials
    ]
    written = [folder / "trials.csv"]
    write_csv(written[0], ["trial", "state", "ccc_total", *names, "last_step", "run"], rows)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not complete:
        return written
    best = {
        "ccc_total": study.best_value,
        "params": study.best_params,
        "run": study.best_trial.user_attrs.get("run", ""),
    }
    write_json(folder / "best.json", best)
    panels = {"history": draw_history(trials), "parameters": draw_parameters(complete, names)}
    importances = parameter_importances(study, complete)
    if importances:
        values = [{"parameter": name, "importance": f"{value:.6f}"} for name, value in importances.items()]
        write_csv(folder / "importance.csv", ["parameter", "importance"], values)
        written.append(folder / "importance.csv")
        panels["importance"] = draw_importances(importances)
    for name, panel in panels.items():
        save_panel(panel, folder / f"{name}.png")
    return [*written, folder / "best.json", *(folder / f"{name}.png" for name in panels)]


def _last(trial: FrozenTrial) -> float | str:
    return trial.intermediate_values[max(trial.intermediate_values)] if trial.intermediate_values else ""


def parameter_importances(study: optuna.Study, complete: list[FrozenTrial]) -> dict[str, float]:
    """How much each parameter decides of the value (PED-ANOVA, Watanabe et al. 2023), of sum 1; {} if it cannot tell.

    It needs several trials and parameters that have varied.
    """
    if len(complete) < 4 or len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def draw_importances(importances: dict[str, float]) -> Panel:
    drawn: list[str] = []
    names = list(importances)[::-1]
    with new_axes(drawn, (5.2, 0.6 + 0.4 * len(names)), kind="png") as (axis,):
        bars = axis.barh(names, [importances[name] for name in names], color="#0072b2")
        axis.bar_label(bars, fmt="%.2f", padding=3)
        axis.set(xlabel="importance for the validation CCC (PED-ANOVA)", xlim=(0, 1.1))
    return Panel(
        drawn[0], "Importance: " + ", ".join(f"{name} {value:.2f}" for name, value in importances.items()) + "."
    )


def draw_history(trials: list[FrozenTrial]) -> Panel:
    """Value of each trial in the order of trials, and the best so far."""
    drawn: list[str] = []
    with new_axes(drawn, (5.2, 3.0), kind="png") as (axis,):
        for state, marker, colour in ((TrialState.COMPLETE, "o", "#0072b2"), (TrialState.PRUNED, "x", "#d55e00")):
            own = [trial for trial in trials if trial.state == state]
            values = [trial.value if state == TrialState.COMPLETE else _last(trial) for trial in own]
            told = [(trial.number, value) for trial, value in zip(own, values, strict=True) if value != ""]
            axis.plot([n for n, _ in told], [v for _, v in told], marker, color=colour, label=state.name.lower())
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        best = np.maximum.accumulate(np.array([trial.value for trial in complete], float))
        axis.step([trial.number for trial in complete], best, where="post", color="0.4", label="best so far")
        axis.set(xlabel="trial", ylabel="validation CCC, mean")
        axis.legend()
    return Panel(drawn[0], f"Validation CCC of {len(trials)} trials; the best is {best[-1]:.3f}.")


def draw_parameters(complete: list[FrozenTrial], names: list[str]) -> Panel:
    """Value over each parameter."""
    drawn: list[str] = []
    with new_figure(drawn, (2.6 * len(names), 2.8), "png") as figure:
        for axis, name in zip(figure.subplots(1, len(names), sharey=True, squeeze=False)[0], names, strict=True):
            values = [trial.params[name] for trial in complete]
            if all(isinstance(value, str) for value in values):
                order = sorted(set(values), key=float)
                axis.set_xticks(range(len(order)), order)
                values = [order.index(value) for value in values]
            else:
                axis.set_xscale("log")
            axis.plot(values, [trial.value for trial in complete], "o", color="#0072b2", alpha=0.7)
            axis.set(xlabel=name.replace("_", " "))
        figure.axes[0].set_ylabel("validation CCC, mean")
    return Panel(drawn[0], f"Validation CCC of {len(complete)} complete trials over {', '.join(names)}.")
