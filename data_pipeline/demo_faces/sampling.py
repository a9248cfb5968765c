"""Values of pictures and fields at positions between their points."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float32 unless its comment says otherwise
Image = NDArray[np.uint8]


def sample(values: Array, positions: Array, cubic: bool = False, endless: bool = False) -> Array:
    """`values` (h, w[, c]) at `positions` (m, n, 2), x and y in points -> (m, n[, c]) of the type of `values`.

    Beyond the edge stand zeros or, if `endless`, the edge's values.
    """
    how = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    border = cv2.BORDER_REPLICATE if endless else cv2.BORDER_CONSTANT
    return np.asarray(cv2.remap(values, positions, None, how, borderMode=border))  # type: ignore[call-overload]


def array(values: Any) -> Array:
    """`values` as float32."""
    return np.asarray(values, np.float32)
