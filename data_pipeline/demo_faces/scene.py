"""What stands behind the puppets: a room out of focus."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from data_pipeline.demo_faces.sampling import Array, Image, array


def background(rng: np.random.Generator, width: int, height: int, light: Array) -> Image:
    """A room out of focus: (height, width, 3) RGB, under light of the colour `light` (3,)."""
    base, other = _wall_colour(rng), _wall_colour(rng)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = ((x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle)) / width + 0.5
    wall = base + (0.75 * base + 0.25 * other - base) * np.clip(along, 0, 1)[..., None]
    pattern = [_plain, _lights, _stripes, _shelves, _window][rng.integers(5)]
    image = pattern(rng, wall.astype(np.float32), other)
    vignette = 1 - 0.28 * (((x - width / 2) / width) ** 2 + ((y - height / 2) / height) ** 2)[..., None] * 2
    grain = cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), 1.0)[..., None] * 5
    return np.clip((image + grain) * vignette * np.sqrt(light), 0, 255).astype(np.uint8)


def _wall_colour(rng: np.random.Generator) -> Array:
    # Walls are muted: saturated ones look like nothing but a computer's.
    return array(colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0.08, 0.42), rng.uniform(0.35, 0.85))) * 255


def _plain(rng: np.random.Generator, wall: Array, other: Array) -> Array:
    coarse = rng.normal(size=(wall.shape[0] // 20, wall.shape[1] // 20, 1)).astype(np.float32)
    mottled = cv2.GaussianBlur(cv2.resize(coarse, (wall.shape[1], wall.shape[0])), (0, 0), 18)[..., None]
    return wall * (1 + 0.16 * mottled)


def _lights(rng: np.random.Generator, wall: Array, other: Array) -> Array:
    glow = np.zeros(wall.shape[:2], np.float32)
    for _ in range(34):
        at, radius = (int(rng.integers(wall.shape[1])), int(rng.integers(wall.shape[0]))), int(rng.integers(9, 34))
        disc = np.zeros_like(glow)
        cv2.circle(disc, at, radius, float(rng.uniform(0.1, 0.45)), -1)
        glow += disc
    return wall * 0.55 + cv2.GaussianBlur(glow, (0, 0), 2.2)[..., None] * (0.5 * other + array([120, 105, 80]))


def _stripes(rng: np.random.Generator, wall: Array, other: Array) -> Array:
    period = rng.uniform(24, 60)
    wave = np.sin(np.arange(wall.shape[1], dtype=np.float32) * 2 * np.pi / period + rng.uniform(0, 6))
    return wall + (other - wall) * (0.3 * (np.tanh(4 * wave) + 1) / 2)[None, :, None].astype(np.float32)


def _shelves(rng: np.random.Generator, wall: Array, other: Array) -> Array:
    image = (wall * 0.5).copy()
    height, width = image.shape[:2]
    for shelf in range(-10, height, 92):
        x = int(rng.integers(0, 12))
        while x < width:
            thick, tall = int(rng.integers(9, 24)), int(rng.integers(48, 78))
            colour = 0.75 * _wall_colour(rng) + 0.25 * other
            cv2.rectangle(image, (x, shelf + 84 - tall), (x + thick, shelf + 84), tuple(map(float, colour)), -1)
            x += thick + int(rng.integers(1, 4)) + (int(rng.integers(20, 70)) if rng.uniform() < 0.08 else 0)
        cv2.rectangle(image, (0, shelf + 84), (width, shelf + 92), (92.0, 66.0, 44.0), -1)
    return cv2.GaussianBlur(image, (0, 0), 3.0)


def _window(rng: np.random.Generator, wall: Array, other: Array) -> Array:
    image = wall.copy()
    height, width = image.shape[:2]
    left, wide = int(rng.integers(-40, width - 200)), int(rng.integers(200, 300))
    sky = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    view = array([170, 205, 235]) * (1 - 0.4 * sky) + array([120, 150, 100]) * 0.4 * sky
    start = max(left, 0)
    image[20 : height - 90, start : left + wide] = np.broadcast_to(view, image.shape)[
        20 : height - 90, start : left + wide
    ]
    frame_colour = (225.0, 220.0, 210.0)
    cv2.rectangle(image, (left, 20), (left + wide, height - 90), frame_colour, 10)
    cv2.line(image, (left + wide // 2, 20), (left + wide // 2, height - 90), frame_colour, 8)
    cv2.line(image, (left, height // 2 - 40), (left + wide, height // 2 - 40), frame_colour, 6)
    return cv2.GaussianBlur(image, (0, 0), 3.5)
