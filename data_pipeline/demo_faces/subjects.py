"""What makes a subject, and the picture of that subject."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np

from data_pipeline.demo_faces.portrait import HEAD, HEIGHT, WIDTH, portrait
from data_pipeline.demo_faces.sampling import Array, Image, array, sample

# Standard deviation of the shape warp and its correlation length, both in eye distances. Identity must stay a real
# difficulty (a warp of 5 % at least), but at a scale at which it does not read as a smile.
SHAPE_DEVIATION = 0.058
SHAPE_LENGTH = 0.6

_GRID_STEP = 4  # portrait pixels between the points on which the shape warp is drawn


@dataclasses.dataclass(frozen=True)
class Subject:
    """A subject's constant traits. Gains are factors on CIELAB lightness, shifts are added to its a and b."""

    shape_seed: tuple[int, ...]
    width: float  # of the face against its height, 1 is the portrait's
    flipped: bool
    skin_gain: float
    skin_shift: tuple[float, float]
    hair_gain: float
    hair_shift: tuple[float, float]
    hair_saturation: float
    suit_gain: float
    suit_turn: float  # radians in the a-b plane
    light_angle: float  # radians; where the light comes from
    light_strength: float
    exposure: float
    warmth: float  # share by which red gains and blue loses
    expressivity: tuple[float, float]  # factors on valence's and on arousal's movements


def draw_subject(*seed: int) -> Subject:
    """The subject of a seed: the same arguments give the same subject."""
    rng = np.random.default_rng([2, *seed])
    tone = rng.uniform() ** 1.2  # 0 light, 1 dark
    hair = rng.choice(["blond", "brown", "black", "red", "grey"], p=[0.2, 0.32, 0.28, 0.1, 0.1])
    hair_gain, hair_shift, saturation = {
        "blond": (rng.uniform(0.9, 1.2), (0.0, rng.uniform(-4, 8)), 1.0),
        "brown": (rng.uniform(0.45, 0.75), (rng.uniform(2, 8), 2.0), 1.0),
        "black": (rng.uniform(0.2, 0.36), (0.0, 0.0), 0.25),
        "red": (rng.uniform(0.6, 0.85), (rng.uniform(14, 26), 12.0), 1.0),
        "grey": (rng.uniform(0.9, 1.25), (0.0, 0.0), 0.12),
    }[str(hair)]
    return Subject(
        shape_seed=(3, *seed),
        width=float(rng.normal(1.0, 0.04)),
        flipped=bool(rng.uniform() < 0.5),
        skin_gain=float(1.04 - 0.52 * tone + rng.normal(0, 0.03)),
        skin_shift=(float(rng.normal(2.0, 1.5) + 2 * tone), float(4 * tone + rng.normal(0, 2))),
        hair_gain=float(hair_gain),
        hair_shift=(float(hair_shift[0]), float(hair_shift[1])),
        hair_saturation=float(saturation),
        suit_gain=float(rng.uniform(0.6, 1.1)),
        suit_turn=float(rng.uniform(-np.pi, np.pi)),
        light_angle=float(rng.uniform(-np.pi, np.pi)),
        light_strength=float(rng.uniform(0.0, 0.4)),
        exposure=float(rng.uniform(0.82, 1.12)),
        warmth=float(rng.normal(0, 0.05)),
        expressivity=(float(rng.uniform(0.88, 1.12)), float(rng.uniform(0.88, 1.12))),
    )


def shape_warp(subject: Subject, points: Array) -> Array:
    """Where the subject's face differs from the portrait's: displacements (..., n, 2) at `points`, portrait pixels.

    A smooth Gaussian random field with the standard deviation `SHAPE_DEVIATION` in x and in y, over subjects.
    """
    at = (array(points) / _GRID_STEP).reshape(-1, points.shape[-2], 2)
    warp = sample(_shape_field(subject), at, endless=True)
    return warp.reshape(points.shape)


def to_picture(subject: Subject, points: Array, scale: float) -> Array:
    """Portrait positions (n, 2) -> positions (n, 2) in `subject_picture`."""
    points = array(points)
    return _place(subject, points + shape_warp(subject, points), scale)


def subject_picture(subject: Subject, scale: float) -> Image:
    """The subject's RGBA picture, colours multiplied by alpha: uint8 of (350 * `scale`, 512 * `scale`, 4)."""
    height, width = int(np.ceil(HEIGHT * scale)), int(np.ceil(WIDTH * scale))
    colours = np.dstack([_recoloured(subject), portrait().matte * 255]).astype(np.uint8)

    # Inverse of p -> place(p + warp(p)) at each pixel: undo the placement, then p = q - warp(p) to a fixed point.
    # Both the inverse and the light are smooth, so every fourth pixel is enough.
    step = 4
    y, x = np.mgrid[0 : height + step : step, 0 : width + step : step].astype(np.float32)
    target = _unplace(subject, np.stack([x, y], axis=-1), scale)
    source = target
    for _ in range(6):
        source = target - shape_warp(subject, source)

    def enlarged(coarse: Array) -> Array:
        # In place of cv2.resize, because grid point i stands at pixel 4 * i exactly.
        grow = array([[step, 0, 0], [0, step, 0]])
        return cv2.warpAffine(coarse, grow, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    picture = sample(colours, enlarged(source), cubic=True)
    alpha = picture[..., 3:].astype(np.float32) / 255
    lit = picture[..., :3] * (enlarged(_light(subject, x, y, scale)) * alpha)
    return np.dstack([cv2.convertScaleAbs(lit), picture[..., 3]])


def light_gains(subject: Subject) -> Array:
    """The light's colour: factors (3,) on red, green and blue."""
    return array(subject.exposure) * np.array([1 + subject.warmth, 1, 1 - subject.warmth], np.float32)


@functools.lru_cache(maxsize=4)
def _shape_field(subject: Subject) -> Array:
    """(89, 130, 2) displacements in portrait pixels, a point each `_GRID_STEP` pixels."""
    eye_distance = portrait().eye_distance
    sigma = SHAPE_LENGTH * eye_distance / _GRID_STEP
    margin = int(4 * sigma)
    noise = np.random.default_rng(subject.shape_seed).normal(
        size=(HEIGHT // _GRID_STEP + 2 + 2 * margin, WIDTH // _GRID_STEP + 2 + 2 * margin, 2)
    )
    smooth = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), sigma)[margin:-margin, margin:-margin]
    # White noise blurred by a Gaussian keeps a standard deviation of 1 / (2 sqrt(pi) sigma).
    return smooth * np.float32(2 * np.sqrt(np.pi) * sigma * SHAPE_DEVIATION * eye_distance)


def _place(subject: Subject, points: Array, scale: float) -> Array:
    x = HEAD[0] + (points[..., 0] - HEAD[0]) * subject.width
    if subject.flipped:
        x = WIDTH - 1 - x
    return np.stack([x, points[..., 1]], axis=-1).astype(np.float32) * scale


def _unplace(subject: Subject, points: Array, scale: float) -> Array:
    x, y = points[..., 0] / scale, points[..., 1] / scale
    if subject.flipped:
        x = WIDTH - 1 - x
    return np.stack([HEAD[0] + (x - HEAD[0]) / subject.width, y], axis=-1).astype(np.float32)


def _recoloured(subject: Subject) -> Array:
    """The portrait in the subject's colours: (350, 512, 3) float32 RGB in 0..255."""
    parts = portrait()
    lab = cv2.cvtColor(parts.image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lightness, chroma = lab[..., :1], lab[..., 1:]
    a, b = chroma[..., :1], chroma[..., 1:]
    cos, sin = 0.8 * np.cos(subject.suit_turn), 0.8 * np.sin(subject.suit_turn)
    suit = np.concatenate([cos * a - sin * b, sin * a + cos * b], axis=-1)
    looks = (
        (parts.skin, subject.skin_gain, chroma + array(subject.skin_shift)),
        (parts.hair, subject.hair_gain, chroma * subject.hair_saturation + array(subject.hair_shift)),
        (parts.suit, subject.suit_gain, suit),
    )
    out = array(lab.copy())
    for mask, gain, recoloured in looks:
        out += mask[..., None] * (np.concatenate([lightness * gain, recoloured], axis=-1) - lab)
    out[..., 0] = np.clip(out[..., 0], 0, 100)
    return np.clip(cv2.cvtColor(out.astype(np.float32), cv2.COLOR_LAB2RGB) * 255, 0, 255)


def _light(subject: Subject, x: Array, y: Array, scale: float) -> Array:
    """Factors (h, w, 3) at picture positions `x`, `y` (h, w): a soft ramp over the head times the light's colour."""
    middle = to_picture(subject, array([HEAD]), scale)[0]
    along = (x - middle[0]) * np.cos(subject.light_angle) + (y - middle[1]) * np.sin(subject.light_angle)
    ramp = 1 + subject.light_strength * np.tanh(along / (70 * scale))
    return (ramp[..., None] * light_gains(subject)).astype(np.float32)
