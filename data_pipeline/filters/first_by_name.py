"""The plainest of the original scripts: the only detection, or the first by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def first_by_name(frames: Iterable[Sequence[np.ndarray]], start: int) -> list[tuple[int, float]]:
    """Chooses the first crop of every frame (in the first frame `start`)."""
    return [(start if number == 0 else 0, float("nan")) for number, _ in enumerate(frames)]
