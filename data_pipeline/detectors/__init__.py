"""Face detectors by name. A new detector is one new file and one new entry here.

A loader returns a function from an uint8 RGB picture (height, width, 3) to its faces, the most certain first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from data_pipeline.detectors.blazeface import load_blazeface
from data_pipeline.detectors.face import Face

Detect = Callable[[np.ndarray], list[Face]]
DETECTORS: dict[str, Callable[[float], Detect]] = {"blazeface": load_blazeface}
