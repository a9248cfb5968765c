"""Filters by name: which detection of a frame shows the right person. A new filter is one new file and one entry here.

A filter takes ``frames``, the crops of each frame that has detections (uint8 RGB arrays, in the order of their names),
and ``starts``, for each person the index of the first frame's detection that shows them. It returns for each frame and
person the index of the chosen crop, or -1, and the distance that decided (NaN where none was measured).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from data_pipeline.filters.first_by_name import first_by_name
from data_pipeline.filters.rgb_histogram import rgb_histogram

Choice = tuple[int, float]
Filter = Callable[[Iterable[Sequence[np.ndarray]], Sequence[int]], list[list[Choice]]]
FILTERS: dict[str, Filter] = {"first_by_name": first_by_name, "rgb_histogram": rgb_histogram}
