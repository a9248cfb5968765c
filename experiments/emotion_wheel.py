"""Valence and arousal as a density over a labelled wheel of emotions (thesis, figure 2.4)."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from data_pipeline.statistics.drawing import Panel, new_figure

# Degrees anti-clockwise from positive valence, of Russell's direct circular scaling of 28 words (J. A. Russell: A
# circumplex model of affect. JPSP 39(6), 1980), some of them, so that they do not overlap.
WORDS = {
    "happy": 7.8,
    "delighted": 24.9,
    "excited": 48.6,
    "astonished": 69.8,
    "alarmed": 96.5,
    "afraid": 116.0,
    "distressed": 138.0,
    "miserable": 188.7,
    "depressed": 210.0,
    "bored": 242.0,
    "tired": 267.7,
    "calm": 316.2,
    "serene": 328.6,
    "pleased": 353.2,
}
_BINS = 40


def draw_wheel(densities: dict[str, tuple[np.ndarray, np.ndarray]], title: str) -> Panel:
    """A wheel for each name: valence and arousal, each (N,), of all frames; all share one colour scale."""
    drawn: list[str] = []
    edges = np.linspace(-1, 1, _BINS + 1)
    counts = {}
    for name, values in densities.items():
        valence, arousal = (np.clip(v, -1, 1) for v in values)
        found, _, _ = np.histogram2d(valence, arousal, bins=_BINS, range=((-1, 1), (-1, 1)))
        counts[name] = 100 * found / max(found.sum(), 1)
    highest = max(float(found.max()) for found in counts.values())
    with new_figure(drawn, (4.2 * len(densities) + 0.9, 4.4), "png") as figure:
        axes = figure.subplots(1, len(densities), squeeze=False)[0]
        for axis, (name, found) in zip(axes, counts.items(), strict=True):
            _draw_circle(axis)
            shown = np.ma.masked_equal(found.T, 0)
            mesh = axis.pcolormesh(edges, edges, shown, cmap="viridis_r", vmin=0, vmax=highest, zorder=0.5)
            axis.set_title(name)
        figure.colorbar(mesh, ax=list(axes), label="% of the frames in a square of 0.05 × 0.05", shrink=0.8)
        figure.suptitle(title, fontsize=9)
    told = "; ".join(
        f"{name}: mean valence {v.mean():+.2f}, mean arousal {a.mean():+.2f}" for name, (v, a) in densities.items()
    )
    return Panel(drawn[0], f"{title}, density over the wheel of emotions. {told}.")


def _draw_circle(axis: Axes) -> None:
    axis.grid(False)
    turn = np.linspace(0, 2 * np.pi, 200)
    axis.plot(np.cos(turn), np.sin(turn), color="0.35", linewidth=1)
    for radius in (1 / 3, 2 / 3):
        axis.plot(radius * np.cos(turn), radius * np.sin(turn), color="0.8", linewidth=0.6)
    axis.axhline(0, color="0.7", linewidth=0.7)
    axis.axvline(0, color="0.7", linewidth=0.7)
    for word, degrees in WORDS.items():
        x, y = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        axis.plot([x], [y], ".", color="0.35", markersize=4)
        align = "left" if x > 0.25 else "right" if x < -0.25 else "center"
        axis.text(1.07 * x, 1.07 * y, word, ha=align, va="center", fontsize=8)
    axis.set(xlim=(-1.75, 1.75), ylim=(-1.3, 1.3), aspect="equal", xlabel="valence", ylabel="arousal")
    axis.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    for side in ("left", "bottom"):
        axis.spines[side].set_visible(False)
