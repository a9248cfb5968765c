"""The demo report's figures, each a panel that can stand under others on a phone, and the curves that they show."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.statistics.drawing import COLOURS, TICKS, Panel, data_uri, new_axes
from data_pipeline.statistics.figures import FRAME_RATE
from tfrecords.workspace import read_csv

if TYPE_CHECKING:
    from affwildnet.model_folder import ModelFolder

NARROW = (3.5, 2.9)  # three stand side by side


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Predictions and labels of one entry's frames (from 1) for one dimension."""

    frames: np.ndarray
    predicted: np.ndarray
    labels: np.ndarray


def embed_png(path: Path, alt: str) -> Panel:
    """A picture file as it is."""
    return Panel(data_uri("png", path.read_bytes()), alt)


def draw_losses(title: str, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Panel:
    """Training losses; `curves` are steps and values by dimension, ``total`` for the whole loss."""
    drawn: list[str] = []
    told = []
    with new_axes(drawn, NARROW) as (axis,):
        for name, (steps, values) in curves.items():
            colour = COLOURS.get(name, "black")
            width = max(1, len(values) // 25)
            if width > 1:
                axis.plot(steps, values, color=colour, alpha=0.22, linewidth=0.7)
            # A mean of the steps before, so that single batches do not hide the trend; it starts where it is full.
            smooth = np.convolve(values, np.full(width, 1 / width), "valid")
            line = "--" if name == "total" else "-"
            marker = "." if len(values) < 10 else ""
            axis.plot(steps[width - 1 :], smooth, color=colour, label=name, linestyle=line, marker=marker)
            told.append(f"{name} from {smooth[0]:.2f} to {smooth[-1]:.2f}")
        axis.set(xlabel="step", ylabel="loss, 1 − CCC", title=title)
        axis.legend()
    return Panel(drawn[0], f"{title}, training loss by step: " + "; ".join(told) + ".")


def draw_validation(steps: np.ndarray, ccc: Mapping[str, np.ndarray], best: Mapping[str, int]) -> Panel:
    """Validation CCC of every checkpoint by dimension, the best one marked; `best` are steps by dimension."""
    drawn: list[str] = []
    told = []
    with new_axes(drawn, NARROW) as (axis,):
        for marker, (name, values) in zip("osv^", ccc.items(), strict=False):
            axis.plot(steps, values, color=COLOURS.get(name, "black"), marker=marker, markersize=4, label=name)
            chosen = np.flatnonzero(steps == best.get(name, -1))
            if len(chosen):
                at = (steps[chosen[0]], values[chosen[0]])
                axis.scatter(*at, s=130, facecolors="none", edgecolors=COLOURS.get(name, "black"), linewidths=1.6)
                axis.annotate(f"step {at[0]}", at, (0, 9), textcoords="offset points", ha="center", fontsize=8)
                told.append(f"best {name} {at[1]:.3f} at step {at[0]}")
        axis.axhline(0, color="0.6", linewidth=0.8)
        lowest = min(0.0, float(np.nanmin([np.nanmin(values) for values in ccc.values()])))
        axis.set(xlabel="step", ylabel="CCC", title="Model, validation part", ylim=(lowest - 0.05, 1))
        axis.margins(x=0.12)
        axis.legend(ncols=2, loc="lower right")
    return Panel(drawn[0], "Validation CCC by step: " + ("; ".join(told) or "no best checkpoint is known") + ".")


def draw_predictions(title: str, curves: Mapping[str, Predictions], ccc: Mapping[str, float]) -> Panel:
    """An entry's predicted and true curves over seconds, a dimension a row, broken where frames are absent."""
    drawn: list[str] = []
    told = []
    with new_axes(drawn, (4.4, 3.4), len(curves)) as axes:
        for axis, (name, own) in zip(axes, curves.items(), strict=True):
            seconds = (own.frames - 1) / FRAME_RATE
            gaps = np.flatnonzero(np.diff(own.frames) > 1) + 1
            seconds, labels, predicted = (
                np.insert(values.astype(float), gaps, np.nan) for values in (seconds, own.labels, own.predicted)
            )
            axis.plot(seconds, labels, color="0.35", linewidth=1.2, linestyle="--", label="true")
            axis.plot(seconds, predicted, color=COLOURS.get(name, "black"), linewidth=1.5, label="predicted")
            # The legend stands above the curves.
            axis.set(ylabel=name, ylim=(-1.1, 1.6), yticks=(-1, 0, 1))
            axis.legend(ncols=2, loc="upper right", borderaxespad=0)
            told.append(f"{name} CCC {ccc[name]:.2f}" if name in ccc else f"{name}, CCC unknown")
        axes[0].set_title(f"{title}: {', '.join(told)}", fontsize=9)
        axes[-1].set_xlabel("seconds")
    return Panel(drawn[0], f"Predicted and true curves of {title}: {', '.join(told)}.")


def draw_scatter(dimension: str, predicted: np.ndarray, labels: np.ndarray) -> Panel:
    """Predicted over true values of all test frames."""
    drawn: list[str] = []
    with new_axes(drawn, (4.0, 3.8)) as (axis,):
        axis.plot((-1, 1), (-1, 1), color="0.4", linewidth=0.9, linestyle="--")
        # Thousands of frames: faint dots show where they lie thick.
        faint = float(np.clip(1500 / max(len(labels), 1), 0.08, 0.5))
        axis.scatter(labels, predicted, s=5, alpha=faint, color=COLOURS[dimension], linewidths=0, rasterized=True)
        axis.set(xlabel=f"true {dimension}", ylabel=f"predicted {dimension}", xticks=TICKS, yticks=TICKS)
        axis.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
    correlation = np.corrcoef(predicted, labels)[0, 1] if len(labels) > 1 and predicted.std() * labels.std() else 0.0
    alt = f"Predicted over true {dimension} of {len(labels)} test frames: correlation {correlation:.2f}."
    return Panel(drawn[0], alt)


def draw_stages(seconds: Mapping[str, float]) -> Panel:
    """Seconds of each stage as bars, in the order in which they ran."""
    drawn: list[str] = []
    names = list(seconds)
    with new_axes(drawn, (6.5, 0.7 + 0.27 * len(names))) as (axis,):
        bars = axis.barh(names, list(seconds.values()), color="#56789a", height=0.7)
        axis.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
        axis.invert_yaxis()
        axis.margins(x=0.1)
        axis.grid(axis="y", visible=False)
        axis.set_xlabel("seconds")
    return Panel(drawn[0], "Seconds a stage: " + ", ".join(f"{name} {own:.1f}" for name, own in seconds.items()) + ".")


def read_losses(folder: ModelFolder) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Steps and training losses by dimension, ``total`` for their sum, from a model's TensorBoard events."""
    if not any(folder.events("train").glob("events.*")):
        return {}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    # 0 keeps all steps; the default thins them at random.
    events = EventAccumulator(str(folder.events("train")), size_guidance={"tensors": 0}).Reload()
    curves = {}
    for name, suffix in (("total", "_loss"), ("valence", "_loss_valence"), ("arousal", "_loss_arousal")):
        for tag in events.Tags()["tensors"]:
            if tag.startswith("losses/") and tag.endswith(suffix):
                own = events.Tensors(tag)
                values = np.array([float(make_ndarray(event.tensor_proto)) for event in own])
                curves[name] = (np.array([event.step for event in own]), values)
    return curves


def read_predictions(model: ModelFolder, dimension: str) -> dict[str, Predictions]:
    """Each test entry's predictions of `dimension` by the checkpoint that was best at it."""
    entries = {}
    for path in sorted(model.test(dimension).glob("*.csv")):
        rows = read_csv(path, required=("frame", dimension, f"{dimension}_label"))
        columns = (np.array([float(row[name]) for row in rows]) for name in ("frame", dimension, f"{dimension}_label"))
        if rows:
            entries[path.stem] = Predictions(*columns)
    return entries
