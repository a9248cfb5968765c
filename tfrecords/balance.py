"""What each frame weighs, so that every region of the valence-arousal plane counts alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

SQUARES = 10  # a side of the plane


def _quadrants(plane: np.ndarray) -> np.ndarray:
    """0 to 3 for labels (N, 2); 0 counts as positive."""
    return (plane >= 0) @ np.array([2, 1])


def _squares(plane: np.ndarray) -> np.ndarray:
    """0 to 99 for labels (N, 2) in [-1, 1]."""
    places = np.clip(((plane + 1) / 2 * SQUARES).astype(np.int64), 0, SQUARES - 1)
    return places @ np.array([SQUARES, 1])


REGIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {"class": _quadrants, "value": _squares}


def frame_weights(labels: Sequence[np.ndarray], balance: str) -> list[np.ndarray]:
    """Weights float64 (N,) of each file's frames, from labels (N, 2): one over the frames in its region of the plane.

    `balance` is a name in `REGIONS`: the four quadrants (``class``) or 10 x 10 squares (``value``). Frames without
    valence and arousal (NaN) are a region of their own.
    """
    plane = np.concatenate(labels)
    missing = np.isnan(plane).any(axis=1)
    regions = np.where(missing, 0, 1 + REGIONS[balance](np.where(missing[:, None], 0, plane)))
    weights = 1 / np.bincount(regions)[regions]
    return np.split(weights, np.cumsum([len(part) for part in labels])[:-1])
