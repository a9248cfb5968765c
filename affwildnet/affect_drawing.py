"""Valence and arousal drawn into pictures: a face's box with its values, and the plane with a trail a person."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

COLOURS = {"valence": "#0072b2", "arousal": "#d55e00"}  # told apart by people with any colour vision
# Of people, on the plane and around their boxes.
PEOPLE_COLOURS = ((0, 158, 115), (230, 159, 0), (86, 180, 233), (204, 121, 167), (240, 228, 66), (213, 94, 0))
_DARK, _LIGHT = (24, 24, 28), (225, 225, 225)

Trail = collections.deque[tuple[float, float]]


def person_colour(number: int) -> tuple[int, int, int]:
    """The RGB colour of a person, by number from 1."""
    return PEOPLE_COLOURS[(number - 1) % len(PEOPLE_COLOURS)]


def draw_person(
    picture: np.ndarray,
    box: Sequence[float],
    values: Mapping[str, float],
    name: str = "",
    colour: tuple[int, int, int] = (255, 255, 255),
) -> None:
    """Draws a box (x, y, width, height) with a name and values into an uint8 RGB picture."""
    x, y, width, height = (round(side) for side in box)
    scale = _text_scale(picture)
    cv2.rectangle(picture, (x, y), (x + width, y + height), colour, 2)
    lines: list[tuple[str, tuple[int, ...]]] = [(name, (0, 0, 0))] if name else []
    lines += [(f"{output} {value:+.2f}", _rgb(COLOURS.get(output, "#333333"))) for output, value in values.items()]
    line = round(24 * scale)
    # Above the box where there is room, else inside its upper edge.
    top = y - 6 - line * (len(lines) - 1) if y > line * (len(lines) + 0.5) else y + line
    for index, (text, background) in enumerate(lines):
        _label(picture, text, (max(x, 2), top + index * line), scale, (255, 255, 255), background)


def draw_note(picture: np.ndarray, text: str) -> None:
    """Writes a word into the lower left corner of a picture."""
    _label(picture, text, (6, picture.shape[0] - 8), _text_scale(picture), (255, 255, 0))


def draw_plane(side: int, axes: tuple[str, str], trails: Mapping[int, Trail]) -> np.ndarray:
    """The plane of two outputs, `axes` to the right and up, from -1 to 1: uint8 RGB (side, side, 3).

    Each person's trail fades towards the past and ends in a dot; what lies outside is drawn at the edge.
    """
    plane = np.full((side, side, 3), _DARK, np.uint8)
    edge = round(0.12 * side)
    reach = side - 2 * edge

    def place(x: float, y: float) -> tuple[int, int]:
        x, y = (min(max(value, -1.05), 1.05) for value in (x, y))
        return round(edge + (x + 1) / 2 * reach), round(edge + (1 - y) / 2 * reach)

    cv2.circle(plane, (side // 2, side // 2), reach // 2, (70, 70, 76), 1, cv2.LINE_AA)
    cv2.line(plane, place(-1, 0), place(1, 0), (110, 110, 116), 1)
    cv2.line(plane, place(0, -1), place(0, 1), (110, 110, 116), 1)
    scale = side / 420
    for text, at in (
        (f"{axes[0]} +1", (side - edge - round(100 * scale), side // 2 - round(8 * scale))),
        ("-1", (edge, side // 2 - round(8 * scale))),
        (f"{axes[1]} +1", (side // 2 + round(8 * scale), edge - round(6 * scale))),
        ("-1", (side // 2 + round(8 * scale), side - edge + round(18 * scale))),
    ):
        cv2.putText(plane, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * scale, _LIGHT, 1, cv2.LINE_AA)
    for number, trail in trails.items():
        colour, points = person_colour(number), [place(*point) for point in trail]
        for index in range(1, len(points)):
            part = index / len(points)
            faded = tuple(round(part * own + (1 - part) * dark) for own, dark in zip(colour, _DARK, strict=True))
            cv2.line(plane, points[index - 1], points[index], faded, 2, cv2.LINE_AA)
        if points:
            cv2.circle(plane, points[-1], max(4, round(7 * scale)), colour, -1, cv2.LINE_AA)
    return plane


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))


def _label(
    picture: np.ndarray,
    text: str,
    at: tuple[int, int],
    scale: float,
    colour: tuple[int, ...],
    background: tuple[int, ...] = (0, 0, 0),
) -> None:
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale * 0.6, 1)
    cv2.rectangle(picture, (at[0] - 2, at[1] - height - 4), (at[0] + width + 2, at[1] + 4), background, -1)
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale * 0.6, colour, 1, cv2.LINE_AA)


def _text_scale(picture: np.ndarray) -> float:
    return max(0.7, picture.shape[0] / 480)
