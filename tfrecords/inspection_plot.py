"""One picture of a record file: its labels, where they lie in the plane, its gaps, and some of its faces."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from tfrecords.index import RecordFile
from tfrecords.workspace import atomic_path

FACES = 12


def plot_record(path: Path, file: RecordFile, labels: dict[str, np.ndarray], faces: dict[int, np.ndarray]) -> None:
    """Writes a PNG.

    Args:
      labels: name -> float (N,) of every record.
      faces: frame -> uint8 RGB (S, S, 3), shown side by side; {} for a file of features.
    """
    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(12, 8), layout="constrained")
    rows = figure.add_gridspec(3, 4, height_ratios=[3, 0.7, 1.6])
    curves, plane = figure.add_subplot(rows[0, :3]), figure.add_subplot(rows[0, 3])
    gaps, strip = figure.add_subplot(rows[1, :]), figure.add_subplot(rows[2, :])
    # A line breaks where frames are missing.
    jumps = np.flatnonzero(np.diff(file.frames) != 1) + 1
    for name, values in labels.items():
        curves.plot(np.insert(file.frames.astype(float), jumps, np.nan), np.insert(values, jumps, np.nan), label=name)
    curves.set(xlabel="frame", ylabel="label", ylim=(-1.05, 1.05), title=f"{file.entry}: {len(file.frames)} records")
    curves.legend(loc="upper right")
    plane_names = list(labels)[:2]
    if len(plane_names) == 2:
        x, y = (labels[name] for name in plane_names)
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
