"""The demo report's figures, each a panel that can stand under others on a phone, and the curves that they show.

They are drawn on matplotlib `Figure`s of their own (Agg and SVG, no pyplot), so that nothing needs a display and no
figure outlives its panel.
"""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfrecords.workspace import read_csv

if TYPE_CHECKING:
    from affwildnet.model_folder import ModelFolder

# Told apart by people with any colour vision (Okabe and Ito), and by their lines in black and white.
COLOURS = {"valence": "#0072b2", "arousal": "#d55e00", "total": "#555555"}
LINES = {"train": ("#555555", "-"), "validation": ("#009e73", "--"), "test": ("#cc79a7", "-.")}
FRAME_RATE = 30.0
TICKS = (-1, -0.5, 0, 0.5, 1)
NARROW = (3.5, 2.9)  # three stand side by side
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.constrained_layout.use": True,
    # The same numbers give the same page.
    "svg.hashsalt": "affwildnet",
}


@dataclasses.dataclass(frozen=True)
class Panel:
    """A picture as a data URI, and the words for those who cannot see it."""

    source: str
    alt: str


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Predictions and labels of one entry's frames (from 1) for one dimension."""

    frames: np.ndarray
    predicted: np.ndarray
    labels: np.ndarray


def data_uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def embed_png(path: Path, alt: str) -> Panel:
    """A picture file as it is."""
    return Panel(data_uri("png", path.read_bytes()), alt)


@contextmanager
def _axes(drawn: list[str], size: tuple[float, float] = (4.4, 3.0), rows: int = 1) -> Iterator[list[Axes]]:
    """Yields empty axes, one above the other; appends their picture to `drawn` when they are filled."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
        yield list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])
        stream = io.BytesIO()
        # The dpi is that of the parts with thousands of points, which are pictures inside the SVG.
        figure.savefig(stream, format="svg", dpi=160, metadata={"Date": None})
    drawn.append(data_uri("svg+xml", stream.getvalue()))


def draw_histogram(dimension: str, values: Mapping[str, np.ndarray]) -> Panel:
    """Shares of the frames over one dimension, a line a partition; `values` are labels in [-1, 1] by partition."""
    drawn: list[str] = []
    edges = np.linspace(-1, 1, 21)
    with _axes(drawn) as (axis,):
        for name, own in values.items():
            colour, line = LINES.get(name, ("black", ":"))
            counts, _ = np.histogram(own, edges)
            axis.stairs(100 * counts / max(len(own), 1), edges, color=colour, linestyle=line, linewidth=1.6, label=name)
        axis.set(xlabel=f"{dimension} label", ylabel="% of the part's frames", xlim=(-1, 1), xticks=TICKS)
        axis.legend()
    told = ", ".join(f"{name} mean {own.mean():+.2f} ± {own.std():.2f}" for name, own in values.items() if len(own))
    return Panel(drawn[0], f"Histogram of the {dimension} labels by partition: {told}.")


def draw_density(valence: np.ndarray, arousal: np.ndarray) -> Panel:
    """How many frames lie where in the valence-arousal plane."""
    drawn: list[str] = []
    with _axes(drawn, (4.4, 3.4)) as (axis,):
        counts, _, _ = np.histogram2d(valence, arousal, bins=20, range=((-1, 1), (-1, 1)))
        shown = np.ma.masked_equal(counts.T, 0)
        mesh = axis.pcolormesh(
            np.linspace(-1, 1, 21), np.linspace(-1, 1, 21), shown, cmap="viridis_r", rasterized=True, vmin=0
        )
        axis.figure.colorbar(mesh, ax=axis, label="frames in a square of 0.1 × 0.1")
        axis.axhline(0, color="0.6", linewidth=0.8)
        axis.axvline(0, color="0.6", linewidth=0.8)
        axis.set(xlabel="valence", ylabel="arousal", aspect="equal", xticks=TICKS, yticks=TICKS)
    shares = [
        f"{100 * np.mean((np.sign(valence) == v) & (np.sign(arousal) == a)):.0f} % {v_name} valence, {a_name} arousal"
        for v, v_name in ((1, "positive"), (-1, "negative"))
        for a, a_name in ((1, "positive"), (-1, "negative"))
    ]
    return Panel(drawn[0], "Density of all labelled frames over the valence-arousal plane: " + "; ".join(shares) + ".")


def draw_lengths(clips: Mapping[float, Sequence[float]]) -> Panel:
    """Lengths of the source videos, stacked by frame rate; `clips` are seconds by frames per second."""
    drawn: list[str] = []
    rates = sorted(clips)
    longest = max(max(clips[rate]) for rate in rates)
    step = next((step for step in (0.5, 1, 2, 5, 10, 30, 60, 300) if longest / step <= 25), 600)
    edges = np.arange(0, longest + step, step)
    with _axes(drawn) as (axis,):
        shades = matplotlib.colormaps["cividis"](np.linspace(0, 0.92, max(len(rates), 2)))[: len(rates)]
        labels = [f"{rate:g} frames/s ({len(clips[rate])})" for rate in rates]
        own = [list(clips[rate]) for rate in rates]
        axis.hist(own, edges, stacked=True, color=list(shades), label=labels, edgecolor="white", linewidth=0.4)
        axis.set(xlabel="length of the source, seconds", ylabel="clips", xlim=(0, edges[-1]))
        axis.yaxis.get_major_locator().set_params(integer=True)
        axis.legend(loc="upper left")
    return Panel(drawn[0], "Histogram of the sources' lengths by frame rate; clips at " + "; ".join(labels) + ".")


def draw_losses(title: str, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Panel:
    """Training losses; `curves` are steps and values by dimension, ``total`` for the whole loss."""
    drawn: list[str] = []
    told = []
    with _axes(drawn, NARROW) as (axis,):
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
    with _axes(drawn, NARROW) as (axis,):
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
    with _axes(drawn, (4.4, 3.4), len(curves)) as axes:
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
    with _axes(drawn, (4.0, 3.8)) as (axis,):
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
    with _axes(drawn, (6.5, 0.7 + 0.27 * len(names))) as (axis,):
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
