"""Figures of a database: how its labels are spread, how long its videos are, one entry's frames under its curves."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib
import matplotlib.ticker
import numpy as np

from data_pipeline.statistics.drawing import COLOURS, LINES, TICKS, Panel, new_axes, new_figure

FRAME_RATE = 30.0
MONTAGE_COLUMNS = 8


def draw_histogram(dimension: str, values: Mapping[str, np.ndarray], *, kind: str = "svg") -> Panel:
    """Shares of the frames over one dimension, a line a partition; `values` are labels in [-1, 1] by partition."""
    drawn: list[str] = []
    edges = np.linspace(-1, 1, 21)
    with new_axes(drawn, kind=kind) as (axis,):
        for name, own in values.items():
            colour, line = LINES.get(name, ("black", ":"))
            counts, _ = np.histogram(own, edges)
            axis.stairs(100 * counts / max(len(own), 1), edges, color=colour, linestyle=line, linewidth=1.6, label=name)
        axis.set(xlabel=f"{dimension} label", ylabel="% of the part's frames", xlim=(-1, 1), xticks=TICKS)
        axis.legend()
    told = ", ".join(f"{name} mean {own.mean():+.2f} ± {own.std():.2f}" for name, own in values.items() if len(own))
    return Panel(drawn[0], f"Histogram of the {dimension} labels by partition: {told}.")


def draw_density(valence: np.ndarray, arousal: np.ndarray, *, kind: str = "svg") -> Panel:
    """How many frames lie where in the valence-arousal plane."""
    drawn: list[str] = []
    with new_axes(drawn, (4.4, 3.4), kind=kind) as (axis,):
        counts, _, _ = np.histogram2d(valence, arousal, bins=20, range=((-1, 1), (-1, 1)))
        shown = np.ma.masked_equal(counts.T, 0)
        edges = np.linspace(-1, 1, 21)
        mesh = axis.pcolormesh(edges, edges, shown, cmap="viridis_r", rasterized=True, vmin=0)
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


def draw_thin_regions(counts: np.ndarray, thin: int, *, kind: str = "png") -> Panel:
    """Frames in each square of the plane, `counts` int (valence bins, arousal bins); those below `thin` are hatched."""
    drawn: list[str] = []
    edges = np.linspace(-1, 1, len(counts) + 1)
    # Room for a scale of five digits.
    with new_axes(drawn, (4.8, 3.4), kind=kind) as (axis,):
        axis.grid(False)
        shown = np.ma.masked_less(counts.T, max(thin, 1))
        colours = matplotlib.colors.LogNorm(vmin=max(thin, 1), vmax=max(counts.max(), thin + 1, 2))
        mesh = axis.pcolormesh(edges, edges, shown, cmap="viridis_r", norm=colours, edgecolors="white", linewidth=0.5)
        ticks = matplotlib.ticker.LogLocator(subs=(1, 2, 5))
        bar = axis.figure.colorbar(mesh, ax=axis, label="frames in the square", ticks=ticks, format="{x:,.0f}")
        bar.minorticks_off()
        width = edges[1] - edges[0]
        for column, row in np.argwhere(counts < thin):
            box = {"hatch": "////", "facecolor": "white", "edgecolor": "#b0b0b0", "linewidth": 0.4}
            axis.add_patch(matplotlib.patches.Rectangle((edges[column], edges[row]), width, width, **box))
            if counts[column, row]:
                text = {"ha": "center", "va": "center", "fontsize": 5.5}
                place = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"}
                middle = (edges[column] + width / 2, edges[row] + width / 2)
                axis.text(*middle, f"{counts[column, row]}", bbox=place, **text)
        axis.axhline(0, color="0.3", linewidth=0.8)
        axis.axvline(0, color="0.3", linewidth=0.8)
        axis.set(xlabel="valence", ylabel="arousal", aspect="equal", xticks=TICKS, yticks=TICKS)
        axis.set(xlim=(-1, 1), ylim=(-1, 1), title=f"hatched: fewer than {thin:,} frames")
    told = f"{int((counts < thin).sum())} of {counts.size} squares hold fewer than {thin} frames, "
    return Panel(drawn[0], f"Thin regions of the valence-arousal plane: {told}{int((counts == 0).sum())} hold none.")


def draw_lengths(clips: Mapping[float, Sequence[float]], *, kind: str = "svg") -> Panel:
    """Lengths of the source videos, stacked by frame rate; `clips` are seconds by frames per second."""
    drawn: list[str] = []
    rates = sorted(clips)
    longest = max(max(clips[rate]) for rate in rates)
    step = next((step for step in (0.5, 1, 2, 5, 10, 30, 60, 300) if longest / step <= 25), 600)
    edges = np.arange(0, longest + step, step)
    with new_axes(drawn, kind=kind) as (axis,):
        shades = matplotlib.colormaps["cividis"](np.linspace(0, 0.92, max(len(rates), 2)))[: len(rates)]
        labels = [f"{rate:g} frames/s ({len(clips[rate])})" for rate in rates]
        own = [list(clips[rate]) for rate in rates]
        axis.hist(own, edges, stacked=True, color=list(shades), label=labels, edgecolor="white", linewidth=0.4)
        axis.set(xlabel="length of the source, seconds", ylabel="clips", xlim=(0, edges[-1]))
        axis.yaxis.get_major_locator().set_params(integer=True)
        axis.legend(loc="upper left")
    return Panel(drawn[0], "Histogram of the sources' lengths by frame rate; clips at " + "; ".join(labels) + ".")


def draw_strip(title: str, frames: np.ndarray, values: np.ndarray, faces: Mapping[int, np.ndarray]) -> Panel:
    """An entry's curves with some of its faces above them (thesis, figure 3.2).

    Args:
      frames: int (N,), from 1, ascending.
      values: float (N, 2), valence and arousal in [-1, 1].
      faces: frame -> uint8 RGB square; each stands above its moment's letter.
    """
    drawn: list[str] = []
    shown = sorted(faces)
    seconds = (frames - 1) / FRAME_RATE
    gaps = np.flatnonzero(np.diff(frames) > 1) + 1
    with new_figure(drawn, (9.0, 4.2), "png") as figure:
        grid = figure.add_gridspec(2, len(shown), height_ratios=(1, 1.9))
        axis = figure.add_subplot(grid[1, :])
        for column, name in enumerate(("valence", "arousal")):
            curve = np.insert(values[:, column], gaps, np.nan)
            line = "-" if column == 0 else "--"
            axis.plot(np.insert(seconds, gaps, np.nan), curve, line, color=COLOURS[name], label=name, linewidth=1.5)
        for number, frame in enumerate(shown):
            letter, at = chr(ord("a") + number), int(np.searchsorted(frames, frame))
            picture = figure.add_subplot(grid[0, number])
            picture.imshow(faces[frame])
            picture.set_axis_off()
            told = f"V {1000 * values[at, 0]:+.0f}\nA {1000 * values[at, 1]:+.0f}"
            picture.set_title(f"{letter}\n{told}", fontsize=8)
            axis.axvline(seconds[at], color="0.55", linewidth=0.8, linestyle=":")
            axis.annotate(letter, (seconds[at], 1.02), xycoords=("data", "axes fraction"), ha="center", fontsize=8)
        axis.axhline(0, color="0.6", linewidth=0.8)
        axis.set(xlabel="seconds", ylabel="label", ylim=(-1.05, 1.05), yticks=TICKS)
        axis.margins(x=0.01)
        axis.legend(ncols=2, loc="lower right")
        figure.suptitle(title, fontsize=9)
    low, high = values.min(axis=0), values.max(axis=0)
    told = f"valence from {low[0]:+.2f} to {high[0]:+.2f}, arousal from {low[1]:+.2f} to {high[1]:+.2f}"
    return Panel(drawn[0], f"{len(shown)} faces of {title} above its curves: {told}.")


def draw_montage(tiles: Sequence[tuple[str, Sequence[str], np.ndarray | None]], pixels: int) -> Panel:
    """A tile a subject: the id, its entries, and uint8 RGB (pixels, pixels, 3), grey where there is no face yet."""
    drawn: list[str] = []
    columns = min(MONTAGE_COLUMNS, max(len(tiles), 1))
    rows = -(-len(tiles) // columns)
    with new_figure(drawn, (1.1 * columns, 1.5 * rows), "png") as figure:
        for number, (subject, entries, picture) in enumerate(tiles, start=1):
            axis = figure.add_subplot(rows, columns, number)
            axis.set_axis_off()
            axis.imshow(np.full((pixels, pixels, 3), 225, np.uint8) if picture is None else picture)
            if picture is None:
                axis.text(pixels / 2, pixels / 2, "no face", ha="center", va="center", fontsize=7)
            axis.set_title(_shorten(subject, 16), fontsize=8, fontweight="bold", pad=2)
            more = [f"and {len(entries) - 2} more"] if len(entries) > 2 else []
            told = "\n".join([*(_shorten(entry, 20) for entry in entries[:2]), *more])
            axis.text(pixels / 2, 1.04 * pixels, told, ha="center", va="top", fontsize=6, color="0.3")
    told = ", ".join(subject for subject, _, _ in tiles)
    return Panel(drawn[0], f"A face of each of {len(tiles)} subjects with id and entries: {told}.")


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else textwrap.shorten(text, length, placeholder="…") or text[: length - 1] + "…"
