"""From valence and arousal to movements of the face.

Valence drives the corners of the mouth, the cheeks and a little the inner brows; arousal drives how far mouth and eyes
are open and the brows. An *action* is one such movement; its *level* says how far it is applied, 0 being the portrait
as it is (a smile with parted lips), and `displacements` says where level 1 moves each point of the face mesh.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from data_pipeline.demo_faces import portrait as parts
from data_pipeline.demo_faces.portrait import portrait
from data_pipeline.demo_faces.sampling import Array

ACTIONS = ("smile", "cheeks", "lips_close", "mouth_open", "lids_close", "lids_wide", "brows_up", "brows_knit")

# All in eye distances.
_CORNER_RISE, _CORNER_SPREAD = 0.19, 0.09
_CHEEK_RISE = 0.075
_MOUTH_OPENING = 0.37
_LID_RISE = 0.065
_BROW_RISE = 0.19

# The portrait smiles; at valence 0 the corners hang this much lower (in levels of "smile").
NEUTRAL_SMILE = -0.45
_AROUSAL_LIPS_PART = -0.2  # below it the lips close, above it the mouth opens


def action_levels(valence: ArrayLike, arousal: ArrayLike, blink: ArrayLike = 0.0) -> Array:
    """Levels of `ACTIONS`, float32 (..., 8), for valence and arousal in [-1, 1] and blinks in 0..1."""
    valence, arousal, blink = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (valence, arousal, blink)))
    rest = _AROUSAL_LIPS_PART
    levels = {
        "smile": NEUTRAL_SMILE + np.where(valence > 0, 0.85, 1.0) * valence,
        "cheeks": np.where(valence > 0, 0.8, 0.6) * valence,
        "lips_close": 0.88 * np.clip((rest - arousal) / (1 + rest), 0, 1),
        "mouth_open": np.clip((arousal - rest) / (1 - rest), 0, 1),
        "lids_close": np.maximum(0.55 * np.clip(-arousal, 0, 1), 0.9 * blink),
        "lids_wide": np.clip(arousal, 0, 1) * (1 - blink),
        "brows_up": np.where(arousal > 0, 1.0, 0.25) * arousal,
        "brows_knit": np.clip(-valence, 0, 1),
    }
    return np.stack([levels[action] for action in ACTIONS], axis=-1).astype(np.float32)


def mouth_gap(levels: Array) -> float:
    """The gap between the inner lips as a multiple of the portrait's, for one frame's levels (8,)."""
    points = portrait().landmarks
    at_rest = float(points[14, 1] - points[13, 1]) / portrait().eye_distance
    close, opening = levels[ACTIONS.index("lips_close")], levels[ACTIONS.index("mouth_open")]
    return float(1 - close + opening * _MOUTH_OPENING / at_rest)


def displacements() -> Array:
    """What level 1 of each action does: (8, 468, 2) in portrait pixels; points that it leaves alone have 0."""
    points = portrait().landmarks
    moved = np.zeros((len(ACTIONS), len(points), 2), np.float32)
    view = dict(zip(ACTIONS, moved, strict=True))
    _mouth(points, view)
    _eyes(points, view)
    _brows(points, view)
    moved *= portrait().eye_distance
    # Closing is measured on the portrait itself: lips and lids meet, whatever their distance.
    _meet(points, view["lips_close"], parts.UPPER_INNER_LIP, parts.LOWER_INNER_LIP, share=0.5)
    _meet(points, view["lips_close"], parts.UPPER_OUTER_LIP, parts.LOWER_OUTER_LIP, share=0.5, reach=0.28)
    for upper, lower in (
        (parts.RIGHT_UPPER_LID, parts.RIGHT_LOWER_LID),
        (parts.LEFT_UPPER_LID, parts.LEFT_LOWER_LID),
    ):
        _meet(points, view["lids_close"], upper, lower, share=0.85)
    return moved


def _mouth(points: Array, view: dict[str, Array]) -> None:
    middle, half_width = points[[13, 14]].mean(axis=0), abs(points[291, 0] - points[61, 0]) / 2
    lips = parts.UPPER_OUTER_LIP + parts.LOWER_OUTER_LIP + parts.UPPER_INNER_LIP + parts.LOWER_INNER_LIP
    for index in set(lips):
        across = float(np.clip((points[index, 0] - middle[0]) / half_width, -1, 1))
        # Corners travel, the lips' middle hardly; a parabola bends the whole mouth like a smile or a frown.
        view["smile"][index] = _CORNER_SPREAD * across, -_CORNER_RISE * across**2 + 0.03
    for upper in set(parts.UPPER_OUTER_LIP + parts.UPPER_INNER_LIP):
        view["mouth_open"][upper] += 0, -0.22 * _MOUTH_OPENING * _bow(points, upper, middle, half_width)
    for lower in set(parts.LOWER_OUTER_LIP + parts.LOWER_INNER_LIP) - {61, 291, 78, 308}:
        view["mouth_open"][lower] += 0, 0.78 * _MOUTH_OPENING * _bow(points, lower, middle, half_width)
    for corner, side in ((61, -1), (78, -1), (291, 1), (308, 1)):
        view["mouth_open"][corner] = -0.06 * side, 0.08
    for index in parts.JAW:
        across = (points[index, 0] - middle[0]) / (1.6 * half_width)
        view["mouth_open"][index] = 0, 0.66 * _MOUTH_OPENING * np.exp(-2.0 * across**2)
    for index, side in ((50, -1), (280, 1), (205, -1), (425, 1), (101, -1), (330, 1), (187, -1), (411, 1)):
        view["cheeks"][index] = 0.03 * side, -_CHEEK_RISE
    for index in (145, 144, 153, 374, 373, 380):
        view["cheeks"][index] = 0, -0.022


def _bow(points: Array, index: int, middle: Array, half_width: float) -> float:
    """1 at the middle of the mouth, 0 at its corners."""
    across = float(np.clip((points[index, 0] - middle[0]) / half_width, -1, 1))
    return (1 - across**2) ** 0.7


def _eyes(points: Array, view: dict[str, Array]) -> None:
    for upper, lower in (
        (parts.RIGHT_UPPER_LID, parts.RIGHT_LOWER_LID),
        (parts.LEFT_UPPER_LID, parts.LEFT_LOWER_LID),
    ):
        profile = np.sin(np.linspace(0, np.pi, len(upper)))
        view["lids_wide"][list(upper), 1] = -_LID_RISE * profile
        view["lids_wide"][list(lower), 1] = 0.4 * _LID_RISE * profile


def _brows(points: Array, view: dict[str, Array]) -> None:
    for brow, side in ((parts.RIGHT_BROW, -1), (parts.LEFT_BROW, 1)):
        view["brows_up"][list(brow), 1] = -_BROW_RISE
        for index, share in zip(brow, (0.0, 0.15, 0.35, 0.7, 1.0) * 2, strict=True):
            view["brows_knit"][index] = -0.09 * side * share, 0.10 * share
    for index in (8, 9):
        view["brows_knit"][index] = 0, 0.05


def _meet(
    points: Array, out: Array, upper: tuple[int, ...], lower: tuple[int, ...], share: float, reach: float = 1.0
) -> None:
    """Moves `upper` down by `share` of the gap (times `reach`) and `lower` up by the rest of it."""
    gap = (points[list(lower), 1] - points[list(upper), 1]) * reach
    inner = slice(1, -1)  # the corners of lids and lips belong to both rows and stay
    out[list(upper)[inner], 1] = share * gap[inner]
    out[list(lower)[inner], 1] = (share - 1) * gap[inner]
