"""The picture of how well annotators agree on one dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfrecords.workspace import atomic_path


def plot_agreement(
    path: Path, dimension: str, rows: Sequence[Mapping[str, Any]], pairs: Mapping[tuple[str, str], float]
) -> None:
    """Draws the entries in the order of their mean pairwise CCC, with ICC(2,1) and ICC(2,k), and the CCC of each pair.

    Args:
      path: of the PNG.
      dimension: for the titles.
      rows: rows of ``agreement.csv``, one an entry.
      pairs: (annotator, annotator) -> CCC.
    """
    from matplotlib.figure import Figure

    names = sorted({name for pair in pairs for name in pair})
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    ordered = sorted(rows, key=lambda row: np.nan_to_num(row["ccc"], nan=-2))
    places = range(1, len(ordered) + 1)
    for measure, label, marker in [
        ("ccc", "mean CCC", "o"),
        ("icc_2_1", "ICC(2,1)", "x"),
        ("icc_2_k", "ICC(2,k)", "+"),
    ]:
        left.plot(places, [row[measure] for row in ordered], marker, markersize=4, label=label)
    left.axhline(0, color="grey", linewidth=0.8)
    left.set(
        title=f"{dimension}: agreement an entry", xlabel="entry, by mean CCC", ylabel="agreement", ylim=(-1.05, 1.05)
    )
    if len(ordered) <= 40:
        left.set_xticks(places, [row["entry"] for row in ordered], rotation=90, fontsize=7)
    left.legend(loc="lower right")
    table = np.array([[pairs.get((one, other), np.nan) for other in names] for one in names]).reshape(len(names), -1)
    if names:
        right.imshow(table, vmin=-1, vmax=1, cmap="RdBu")
        for one, other in np.ndindex(table.shape):
            if np.isfinite(table[one, other]) and len(names) <= 12:
                ink = "white" if abs(table[one, other]) > 0.6 else "black"
                right.text(other, one, f"{table[one, other]:.2f}", ha="center", va="center", fontsize=8, color=ink)
    right.set(title="CCC of each pair", xticks=range(len(names)), yticks=range(len(names)), yticklabels=names)
    right.set_xticklabels(names, rotation=90)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
