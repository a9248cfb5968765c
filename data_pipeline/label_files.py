"""``labels/ENTRY.txt`` as arrays, for what counts millions of frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfrecords.labels import ORIGINAL_LABELS, read_label_names, read_labels


def read_label_values(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Frame numbers int64 (N,) and float64 (N, 2), valence and arousal in [-1, 1], NaN for a frame that lacks them.

    Further columns are passed over.

    Raises:
      InputError: naming the line that does not have the file's columns.
    """
    frames, columns = read_label_columns(path)
    missing = np.full(len(frames), np.nan)
    return frames, np.stack([columns.get(name, missing) for name in ORIGINAL_LABELS], axis=1)


def read_label_columns(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Frame numbers int64 (N,), and each column's values float64 (N,) in [-1, 1], NaN for missing.

    Raises:
      InputError: naming the line that does not have the file's columns.
    """
    names = read_label_names(path)
    try:
        table = np.loadtxt(path, ndmin=2) if path.stat().st_size else np.empty((0, 1 + len(names)))
        sound = table.shape[1] == 1 + len(names) and _is_sound(table, names)
    except ValueError:
        sound = False
    if not sound:
        # Slower, and it names the bad line.
        labels = read_labels(path)
        rows = [(frame, *(label.get(name, np.nan) for name in names)) for frame, label in labels.items()]
        table = np.array(rows, float).reshape(-1, 1 + len(names))
    values = np.trunc(table[:, 1:]) / 1000
    return table[:, 0].astype(np.int64), dict(zip(names, values.T, strict=True))


def _is_sound(table: np.ndarray, names: list[str]) -> bool:
    """Whether the table can be a labels file's, see tfrecords/labels.py."""
    missing = np.isnan(table[:, 1:])
    of_both = missing[:, [number for number, name in enumerate(names) if name in ORIGINAL_LABELS]].sum(axis=1)
    whole = np.isfinite(table[:, 0]).all() and not np.isinf(table).any()
    alone = (of_both == 1).any() or len(set(names) & set(ORIGINAL_LABELS)) == 1
    return bool(whole and not alone and not missing.all(axis=1).any())
