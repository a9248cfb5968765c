"""One picture of a record file: its labels, where they lie in the plane, its gaps, and some of its faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from tfrecords.index import RecordFile
from tfrecords.labels import ORIGINAL_LABELS
from tfrecords.workspace import atomic_path

FACES = 12
MOST_CURVES = 4


def plot_record(path: Path, file: RecordFile, labels: dict[str, np.ndarray], faces: dict[int, np.ndarray]) -> None:
    """Writes a PNG.

    Args:
      labels: name -> float (N,) of every record, NaN for missing. Of more than `MOST_CURVES` only valence and
        arousal are curves, the others rows of shades.
      faces: frame -> uint8 RGB (S, S, 3), shown side by side; {} for a file of features.
    """
    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    as_curves = [name for name in labels if len(labels) <= MOST_CURVES or name in ORIGINAL_LABELS]
    shades = {name: values for name, values in labels.items() if name not in as_curves}
    tall = 0.25 * len(shades)
    figure = plt.figure(figsize=(12, 8 + tall), layout="constrained")
    rows = figure.add_gridspec(4, 4, height_ratios=[3, max(0.7 * tall, 0.01), 0.7, 1.6])
    curves, plane = figure.add_subplot(rows[0, :3]), figure.add_subplot(rows[0, 3])
    gaps, strip = figure.add_subplot(rows[2, :]), figure.add_subplot(rows[3, :])
    if shades:
        _draw_shades(figure.add_subplot(rows[1, :]), file.frames, shades)
    # A line breaks where frames are missing.
    jumps = np.flatnonzero(np.diff(file.frames) != 1) + 1
    for name in as_curves:
        broken = np.insert(labels[name], jumps, np.nan)
        curves.plot(np.insert(file.frames.astype(float), jumps, np.nan), broken, label=name)
    curves.set(xlabel="frame", ylabel="label", ylim=(-1.05, 1.05), title=f"{file.entry}: {len(file.frames)} records")
    if as_curves:
        curves.legend(loc="upper right")
    plane_names = as_curves[:2]
    if len(plane_names) == 2:
        both = np.stack([labels[name] for name in plane_names])
        x, y = both[:, ~np.isnan(both).any(axis=0)]
        counts, edges, _ = np.histogram2d(x, y, bins=20, range=((-1, 1), (-1, 1)))
        shown = plane.pcolormesh(edges, edges, np.where(counts.T > 0, counts.T, np.nan), cmap="viridis")
        figure.colorbar(shown, ax=plane, label="frames", location="bottom")
        plane.set(xlabel=plane_names[0], ylabel=plane_names[1], aspect="equal", title="histogram")
    first, last = int(file.frames[0]), int(file.frames[-1])
    there = np.zeros(last - first + 1)
    there[file.frames - first] = 1
    gaps.imshow(there[None], aspect="auto", extent=(first - 0.5, last + 0.5, 0, 1), cmap="Greys", vmin=0, vmax=1.4)
    gaps.set(yticks=[], xlabel="frame", title=f"{file.sidecar.gaps} gaps (white: no record)")
    if faces:
        strip.imshow(np.concatenate(list(faces.values()), axis=1))
        side = file.sidecar.size
        strip.set_xticks([(n + 0.5) * side for n in range(len(faces))], [str(frame) for frame in faces])
    strip.set(yticks=[], xlabel="frame" if faces else "features, no faces")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=100)
    plt.close(figure)


def _draw_shades(axis: Any, frames: np.ndarray, labels: dict[str, np.ndarray]) -> None:
    """A row a label over the frames, from -1 (dark) to 1 (light); white where there is none."""
    first, last = int(frames[0]), int(frames[-1])
    grid = np.full((len(labels), last - first + 1), np.nan)
    grid[:, frames - first] = list(labels.values())
    extent = (first - 0.5, last + 0.5, len(labels) - 0.5, -0.5)
    axis.imshow(grid, aspect="auto", extent=extent, cmap="viridis", vmin=-1, vmax=1, interpolation="nearest")
    axis.set_yticks(range(len(labels)), list(labels), fontsize=7)
    axis.set(title="further labels, -1 to 1 (white: none)")
