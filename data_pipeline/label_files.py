"""``labels/ENTRY.txt`` as arrays, for what counts millions of frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfrecords.convert import read_labels


def read_label_values(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Frame numbers int64 (N,) and float64 (N, 2), valence and arousal in [-1, 1].

    Raises:
      InputError: naming the line that is not ``frame valence arousal``.
    """
    try:
        table = np.loadtxt(path, ndmin=2) if path.stat().st_size else np.empty((0, 3))
        sound = table.shape[1] == 3 and np.isfinite(table).all()
    except ValueError:
        sound = False
    if not sound:
        # Slower, and it names the bad line.
        labels = read_labels(path)
        table = np.array([(frame, *label.values()) for frame, label in labels.items()], float).reshape(-1, 3)
    return table[:, 0].astype(np.int64), np.trunc(table[:, 1:]) / 1000
