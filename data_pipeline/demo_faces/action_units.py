"""Which of FACS's action units the puppet's actions are, and how strongly a frame shows each.

| unit | FACS name | comes from the action | 0 at | 1 at |
| --- | --- | --- | --- | --- |
| AU1, AU2 | inner, outer brow raiser | ``brows_up`` (both brows move as one) | resting or lower | arousal 1 |
| AU4 | brow lowerer | ``brows_knit`` | valence 0 or more | valence -1 |
| AU5 | upper lid raiser | ``lids_wide`` | arousal 0 or less, or a blink | arousal 1 |
| AU6 | cheek raiser | ``cheeks`` | valence 0 or less | valence 1 |
| AU12 | lip corner puller | ``smile`` above the neutral face's | valence 0 or less | valence 1 |
| AU15 | lip corner depressor | ``smile`` below the neutral face's | valence 0 or more | valence -1 |
| AU25 | lips part | ``lips_close`` (0.4 of it), ``mouth_open`` (0.6) | lips that meet | the mouth fully open |
| AU26 | jaw drop | ``mouth_open`` | the mouth's rest or closed | the mouth fully open |
| AU45 | blink | ``lids_close`` beyond what low arousal does | lids half closed or open | lids closed |

Names after P. Ekman, W. V. Friesen, J. C. Hager: Facial Action Coding System, 2002.
"""

from __future__ import annotations

import numpy as np

from data_pipeline.demo_faces.expression import ACTIONS, NEUTRAL_SMILE
from data_pipeline.demo_faces.sampling import Array

# A label's name -> FACS's name of the unit.
FACS_NAMES = {
    "au01": "inner brow raiser",
    "au02": "outer brow raiser",
    "au04": "brow lowerer",
    "au05": "upper lid raiser",
    "au06": "cheek raiser",
    "au12": "lip corner puller",
    "au15": "lip corner depressor",
    "au25": "lips part",
    "au26": "jaw drop",
    "au45": "blink",
}
UNITS = tuple(FACS_NAMES)


def unit_intensities(levels: Array) -> Array:
    """Intensities in [0, 1] of the action units `UNITS`, float32 (..., 10), of `expression.ACTIONS`' levels (..., 8).

    What is not moved is 0, and so is what is moved the other way.
    """
    level = {action: levels[..., index] for index, action in enumerate(ACTIONS)}
    brows = level["brows_up"]
    units = {
        "au01": brows,
        "au02": brows,
        "au04": level["brows_knit"],
        "au05": level["lids_wide"],
        "au06": level["cheeks"] / 0.8,
        "au12": (level["smile"] - NEUTRAL_SMILE) / 0.85,
        "au15": NEUTRAL_SMILE - level["smile"],
        "au25": 0.4 * (1 - level["lips_close"] / 0.88) + 0.6 * level["mouth_open"],
        "au26": level["mouth_open"],
        "au45": (level["lids_close"] - 0.55) / 0.35,
    }
    return np.clip(np.stack([units[unit] for unit in UNITS], axis=-1), 0, 1).astype(np.float32)
