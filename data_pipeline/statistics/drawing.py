"""How figures look, and how they become pictures that a page can carry.

They are drawn on matplotlib `Figure`s of their own (Agg and SVG, no pyplot), so that nothing needs a display and no
figure outlives its panel.
"""

from __future__ import annotations

import base64
import dataclasses
import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfrecords.workspace import atomic_path

# Told apart by people with any colour vision (Okabe and Ito), and by their lines in black and white.
COLOURS = {"valence": "#0072b2", "arousal": "#d55e00", "total": "#555555"}
LINES = {"train": ("#555555", "-"), "validation": ("#009e73", "--"), "test": ("#cc79a7", "-.")}
PNG_DPI = 200
TICKS = (-1, -0.5, 0, 0.5, 1)
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
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


def data_uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def save_panel(panel: Panel, path: Path) -> None:
    """Writes a panel's picture, of whichever kind it is, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(base64.b64decode(panel.source.split(",", 1)[1]))


def shown_inches(panel: Panel) -> float:
    """How wide a PNG was drawn, so that a page shows every figure's letters in one size."""
    # A PNG's bytes 16 to 19 are its width in pixels.
    header = base64.b64decode(panel.source.split(",", 1)[1][:32])
    return struct.unpack(">I", header[16:20])[0] / PNG_DPI


@contextmanager
def new_figure(drawn: list[str], size: tuple[float, float], kind: str = "svg") -> Iterator[Figure]:
    """Yields an empty figure of `size` inches; appends its picture (svg or png) to `drawn` when it is filled."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
        yield figure
        stream = io.BytesIO()
        # In an SVG the dpi is that of the parts with thousands of points, which are pictures inside it.
        if kind == "svg":
            figure.savefig(stream, format="svg", dpi=160, metadata={"Date": None})
        else:
            figure.savefig(stream, format="png", dpi=PNG_DPI, metadata={"Software": None})
    drawn.append(data_uri({"svg": "svg+xml"}.get(kind, kind), stream.getvalue()))


@contextmanager
def new_axes(
    drawn: list[str], size: tuple[float, float] = (4.4, 3.0), rows: int = 1, kind: str = "svg"
) -> Iterator[list[Axes]]:
    """Yields empty axes, one above the other; appends their picture to `drawn` when they are filled."""
    with new_figure(drawn, size, kind) as figure:
        yield list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])
