"""Predictions beside the truth over the tested stream, as figures 6.3 to 6.8 of the thesis, and how they spread."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm

from affwildnet.measured import EntryPredictions
from data_pipeline.statistics.drawing import COLOURS, TICKS, Panel, new_axes, new_figure, save_panel

# The thesis's test set; ranges of a smaller one are proportional (SPEC.md, "Evaluation").
THESIS_FRAMES = 135_145
# More would not show: what is left of each pixel's frames are their lowest and highest.
_COLUMNS = 1500
_BINS = 40


@dataclasses.dataclass(frozen=True)
class StreamFigure:
    """A figure of the thesis: which output, from which position to which; None is the whole set."""

    name: str
    output: str
    first: int | None = None
    last: int | None = None


STREAM_FIGURES = (
    StreamFigure("figure_6_3_arousal", "arousal"),
    StreamFigure("figure_6_4_arousal", "arousal", 30_000, 50_000),
    StreamFigure("figure_6_5_arousal", "arousal", 90_000, 120_000),
    StreamFigure("figure_6_6_valence", "valence"),
    StreamFigure("figure_6_7_valence", "valence", 50_000, 70_000),
    StreamFigure("figure_6_8_valence", "valence", 70_000, 100_000),
)


def figure_range(figure: StreamFigure, frames: int) -> tuple[int, int]:
    """Positions [first, last) that `figure` shows of a stream of `frames`: the thesis's, or as large a part of it."""
    if figure.first is None or figure.last is None:
        return 0, frames
    scale = min(1.0, frames / THESIS_FRAMES)
    return round(figure.first * scale), max(round(figure.last * scale), round(figure.first * scale) + 1)


def write_figures(folder: Path, entries: Sequence[EntryPredictions], outputs: Sequence[str], title: str) -> list[Path]:
    """Writes the figures and a histogram an output as PNG into `folder`; returns their paths.

    Outputs that the thesis does not have get one figure of the whole stream, ``stream_NAME``.
    """
    predictions = np.concatenate([entry.predictions for entry in entries])
    labels = np.concatenate([entry.labels for entry in entries])
    figures = [figure for figure in STREAM_FIGURES if figure.output in outputs]
    figures += [StreamFigure(f"stream_{name}", name) for name in outputs if name not in ("valence", "arousal")]
    written = []
    for figure in figures:
        first, last = figure_range(figure, len(labels))
        column = outputs.index(figure.output)
        window = slice(first, last)
        panel = draw_stream(figure.output, first, predictions[window, column], labels[window, column], title)
        written.append(folder / f"{figure.name}.png")
        save_panel(panel, written[-1])
    for column, name in enumerate(outputs):
        written.append(folder / f"histogram_{name}.png")
        save_panel(draw_histogram(name, predictions[:, column], labels[:, column], title), written[-1])
    return written


def draw_stream(output: str, first: int, predictions: np.ndarray, labels: np.ndarray, title: str) -> Panel:
    """Predictions and truth, each (N,), over their position in the stream, the first being `first`."""
    drawn: list[str] = []
    with new_axes(drawn, (9.0, 3.2), kind="png") as (axis,):
        # Truth above the predictions, thin: where they agree both are seen.
        for values, colour, label, width in (
            (predictions, COLOURS.get(output, "#009e73"), "prediction", 1.0),
            (labels, "black", "truth", 0.8),
        ):
            axis.plot(*_thinned(first, values), color=colour, label=label, linewidth=width)
        low = min(-1.0, float(np.nanmin(predictions, initial=-1.0)))
        high = max(1.0, float(np.nanmax(predictions, initial=1.0)))
        axis.set(xlabel="position in the tested stream (frames)", ylabel=output, yticks=TICKS)
        axis.set(xlim=(first, first + len(labels)), ylim=(low - 0.05, high + 0.05))
        axis.set_title(title)
        axis.legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.1)
    return Panel(drawn[0], f"{output}: prediction and truth of frames {first} to {first + len(labels)}.")


def draw_histogram(output: str, predictions: np.ndarray, labels: np.ndarray, title: str) -> Panel:
    """How many frames have which prediction (upwards) at which truth; the line is where both are equal."""
    drawn: list[str] = []
    finite = np.isfinite(predictions) & np.isfinite(labels)
    # What lies outside of the scale is counted at its edge.
    edges = np.linspace(-1, 1, _BINS + 1)
    counts, _, _ = np.histogram2d(labels[finite], predictions[finite].clip(-1, 1), bins=(edges, edges))
    with new_figure(drawn, (4.6, 3.9), kind="png") as figure:
        axis = figure.subplots()
        axis.grid(False)
        shown = np.ma.masked_equal(counts.T, 0)
        mesh = axis.pcolormesh(edges, edges, shown, cmap="viridis", norm=LogNorm(1, max(2.0, counts.max())))
        axis.plot((-1, 1), (-1, 1), color="#d55e00", linewidth=1, linestyle="--")
        figure.colorbar(mesh, ax=axis, label="frames", format="%g")
        axis.set(xlabel=f"true {output}", ylabel=f"predicted {output}", xticks=TICKS, yticks=TICKS, aspect="equal")
        axis.set_title(title)
    return Panel(drawn[0], f"Predicted over true {output} of {len(labels)} frames.")


def _thinned(first: int, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions and values to draw: all, or of each of `_COLUMNS` stretches its lowest and its highest."""
    positions = np.arange(first, first + len(values))
    if len(values) <= 2 * _COLUMNS:
        return positions, values
    starts = np.linspace(0, len(values), _COLUMNS, endpoint=False).astype(int)
    ends = np.stack([np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)], axis=1)
    return np.repeat(positions[starts], 2), ends.ravel()
