"""Objects that move behind the puppets and distract: some are round, some stand in a frame, none is a face."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import cv2
import numpy as np

from data_pipeline.demo_faces.sampling import Image

_SPRITE = 92  # an object's side in frame pixels
_FINE = 4  # objects are drawn this much larger and shrunk, for smooth edges
_SIDE = _SPRITE * _FINE
_MIDDLE = _SIDE // 2

_Colour = tuple[int, int, int, int]


def random_object(rng: np.random.Generator) -> Image:
    """A ball, a clock, a plant or a picture: (92, 92, 4) RGBA, colours multiplied by alpha."""
    canvas = np.zeros((_SIDE, _SIDE, 4), np.uint8)
    drawers: tuple[Callable[[Image, np.random.Generator], None], ...] = (_ball, _clock, _plant, _picture)
    drawers[rng.integers(len(drawers))](canvas, rng)
    return np.asarray(cv2.resize(canvas, (_SPRITE, _SPRITE), interpolation=cv2.INTER_AREA), np.uint8)


def put_object(frame: Image, sprite: Image, x: float, y: float, angle: float) -> None:
    """Draws `sprite` into the RGB `frame`, its middle at (x, y) pixels, turned by `angle` radians."""
    half = sprite.shape[0] / 2
    reach = int(half * 1.45)
    left, top = max(int(x) - reach, 0), max(int(y) - reach, 0)
    right, bottom = min(int(x) + reach, frame.shape[1]), min(int(y) + reach, frame.shape[0])
    if right <= left or bottom <= top:
        return
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([turn, (x - left, y - top) - turn @ (half, half)])
    layer = cv2.warpAffine(sprite, matrix, (right - left, bottom - top)).astype(np.float32)
    window = frame[top:bottom, left:right]
    window[:] = window * (1 - layer[..., 3:] / 255) + layer[..., :3]


def _ball(canvas: Image, rng: np.random.Generator) -> None:
    red, green, blue, _ = _vivid(rng)
    for radius, gain in ((0.46, 0.72), (0.40, 0.86), (0.33, 1.0)):
        at = _MIDDLE - int((0.46 - radius) * 0.8 * _SIDE)
        cv2.circle(canvas, (at, at), int(radius * _SIDE), _opaque(red * gain, green * gain, blue * gain), -1)
    axes = (int(0.44 * _SIDE), int(0.15 * _SIDE))
    cv2.ellipse(canvas, (_MIDDLE, _MIDDLE), axes, 25, 0, 360, _PALE, _SIDE // 40)


def _clock(canvas: Image, rng: np.random.Generator) -> None:
    def at(turn: float, radius: float) -> tuple[int, int]:
        return int(_MIDDLE + radius * _SIDE * np.cos(turn)), int(_MIDDLE + radius * _SIDE * np.sin(turn))

    cv2.circle(canvas, (_MIDDLE, _MIDDLE), int(0.46 * _SIDE), _DARK, -1)
    cv2.circle(canvas, (_MIDDLE, _MIDDLE), int(0.41 * _SIDE), _PALE, -1)
    for hour in range(12):
        cv2.line(canvas, at(hour * np.pi / 6, 0.34), at(hour * np.pi / 6, 0.38), _DARK, _SIDE // 50)
    for length, thick in ((0.22, 28), (0.32, 45)):
        cv2.line(canvas, (_MIDDLE, _MIDDLE), at(rng.uniform(0, 2 * np.pi), length), _DARK, _SIDE // thick)


def _plant(canvas: Image, rng: np.random.Generator) -> None:
    axes = (int(0.24 * _SIDE), int(0.06 * _SIDE))
    for leaf in np.linspace(-70, 70, 7) + rng.uniform(-6, 6, 7):
        across, up = np.sin(np.deg2rad(leaf)), np.cos(np.deg2rad(leaf))
        centre = int(_MIDDLE + 0.22 * _SIDE * across), int((0.66 - 0.26 * up) * _SIDE)
        cv2.ellipse(canvas, centre, axes, leaf - 90, 0, 360, _opaque(50, rng.uniform(95, 150), 60), -1)
    pot = np.array([(0.34, 0.68), (0.66, 0.68), (0.60, 0.97), (0.40, 0.97)]) * _SIDE
    cv2.fillPoly(canvas, [pot.astype(np.int32)], _opaque(168, 92, 60))


def _picture(canvas: Image, rng: np.random.Generator) -> None:
    for inset, colour in ((0.0, _DARK), (0.07, _PALE)):
        left_top = int((0.1 + inset) * _SIDE), int((0.04 + inset) * _SIDE)
        right_bottom = int((0.9 - inset) * _SIDE), int((0.96 - inset) * _SIDE)
        cv2.rectangle(canvas, left_top, right_bottom, colour, -1)
    hills = np.array([(0.17, 0.8), (0.4, 0.45), (0.55, 0.65), (0.7, 0.5), (0.83, 0.8)]) * _SIDE
    cv2.fillPoly(canvas, [hills.astype(np.int32)], _vivid(rng))
    cv2.circle(canvas, (int(0.68 * _SIDE), int(0.28 * _SIDE)), int(0.07 * _SIDE), _opaque(240, 190, 80), -1)


def _opaque(red: float, green: float, blue: float) -> _Colour:
    return int(red), int(green), int(blue), 255


def _vivid(rng: np.random.Generator) -> _Colour:
    red, green, blue = colorsys.hsv_to_rgb(rng.uniform(), 0.7, 0.9)
    return _opaque(255 * red, 255 * green, 255 * blue)


_PALE, _DARK = _opaque(240, 236, 226), _opaque(52, 44, 40)
