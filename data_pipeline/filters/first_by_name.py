"""The plainest of the original scripts: the only detection, or the first by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def first_by_name(frames: Iterable[Sequence[np.ndarray]], starts: Sequence[int]) -> list[list[tuple[int, float]]]:
    """Chooses the first crop of every frame for the first person, the second for the second where there is one.

    In the first frame the crops are those that `starts` names.
    """
    unmeasured = float("nan")
    choices = []
    for number, crops in enumerate(frames):
        taken = starts if number == 0 else [face if face < len(crops) else -1 for face in range(len(starts))]
        choices.append([(face, unmeasured) for face in taken])
    return choices
