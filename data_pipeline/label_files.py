"""``labels/ENTRY.txt`` as arrays, for what counts millions of frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfrecords.labels import ORIGINAL_LABELS, read_label_names, read_labels


def read_label_values(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Frame numbers int64 (N,) and float64 (N, 2), valence and arousal in [-1, 1]; further columns are passed over.

    Raises:
      InputError: naming the line that does not have the file's columns.
    """
    names = read_label_names(path)
    try:
        table = np.loadtxt(path, ndmin=2) if path.stat().st_size else np.empty((0, 1 + len(names)))
        sound = table.shape[1] == 1 + len(names) and np.isfinite(table).all()
    except ValueError:
        sound = False
    if not sound:
        # Slower, and it names the bad line.
        labels = read_labels(path)
        table = np.array([(frame, *label.values()) for frame, label in labels.items()], float)
        table = table.reshape(-1, 1 + len(names))
    columns = [1 + names.index(name) for name in ORIGINAL_LABELS]
    return table[:, 0].astype(np.int64), np.trunc(table[:, columns]) / 1000
