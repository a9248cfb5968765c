"""A subject's picture that can be moved: expression and head by displacement fields, the rest by a similarity."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np

from data_pipeline.demo_faces import expression
from data_pipeline.demo_faces import portrait as parts
from data_pipeline.demo_faces.portrait import HEAD, NECK, portrait
from data_pipeline.demo_faces.sampling import Array, Image, array, sample
from data_pipeline.demo_faces.subjects import Subject, draw_subject, light_gains, subject_picture, to_picture

HEAD_ACTIONS = ("yaw", "pitch", "tilt")  # level 1: the nose's tip by 0.1 eye distances, and a tilt of 0.1 radians

_STEP = 2.0  # portrait pixels between the points of the displacement fields
_PATCH = (106.0, -24.0, 348.0, 222.0)  # what the fields cover: left, top, right, bottom in portrait pixels
_REACH = 0.085  # of one landmark, in eye distances (the Matérn kernel's length)
_MAP_STEP = 2  # frame pixels between the points at which the whole map is computed

_STEPS_ALONE, _STEPS_FROM_GUESS = 30, 4  # towards the inverse of a displacement

_BOX_POINTS = parts.RIGHT_BROW[:5] + parts.LEFT_BROW[:5] + parts.JAW + parts.TEMPLES
_LIPS = parts.UPPER_INNER_LIP + parts.LOWER_INNER_LIP
_ANCHORS = (
    (1, 2, 98, 327, 6, 168, 48, 278, 4, 8, 9, 10, 338, 297, 332, 284, 251, 389, 162, 21, 54, 103, 67, 109)
    + (50, 280, 205, 425, 101, 330, 187, 411, 117, 346)
)  # fmt: skip
_CONTROLS = tuple(
    sorted(
        set(_ANCHORS + _BOX_POINTS + parts.RIGHT_BROW + parts.LEFT_BROW + _LIPS)
        | set(parts.UPPER_OUTER_LIP + parts.LOWER_OUTER_LIP + parts.RIGHT_UPPER_LID + parts.RIGHT_LOWER_LID)
        | set(parts.LEFT_UPPER_LID + parts.LEFT_LOWER_LID)
    )
)


@dataclasses.dataclass(frozen=True)
class Puppet:
    """A subject at a scale. "Picture" coordinates are pixels of `picture`; A = 8 actions + 3 of the head."""

    picture: Image  # (h, w, 4) RGBA, colours multiplied by alpha
    head: Array  # (2,) the middle of the head in the picture
    fields: Array  # (A, h * w * 2) displacements of level 1 in picture pixels
    shape: tuple[int, int]  # h, w of the fields
    origin: Array  # (2,) picture position of the fields' first point
    step: float  # picture pixels between the fields' points
    mouth: Array  # (h, w, 2): how much a pixel is inside the mouth, and 0 at the upper to 1 at the lower lip
    lips: Array  # (22, 2) the inner lips in the picture
    lip_moves: Array  # (A, 22 * 2)
    box: Array  # (n, 2) the points whose extent is the face's box
    box_moves: Array  # (A, n * 2)
    light: Array  # (3,)


@dataclasses.dataclass(frozen=True)
class Pose:
    """Where a puppet stands in a frame: its head's middle (pixels), angle (radians), size, opacity, head actions."""

    x: float
    y: float
    angle: float = 0.0
    zoom: float = 1.0
    opacity: float = 1.0
    yaw: float = 0.0
    pitch: float = 0.0
    tilt: float = 0.0

    def matrix(self, head: Array) -> Array:
        """(2, 3): picture position -> frame position."""
        cos, sin = self.zoom * math.cos(self.angle), self.zoom * math.sin(self.angle)
        x, y = float(head[0]), float(head[1])
        return array([[cos, -sin, self.x - cos * x + sin * y], [sin, cos, self.y - sin * x - cos * y]])


def make_puppet(subject: Subject, scale: float) -> Puppet:
    """The subject at `scale` (1: the portrait's size, 44 pixels between the eyes); takes about a third of a second."""
    landmarks = to_picture(subject, portrait().landmarks, scale)
    # A displacement in the portrait becomes one in the picture: scaled, mirrored with it.
    linear = array([scale * subject.width * (-1 if subject.flipped else 1), scale])
    moves = expression.displacements() * linear
    corners = to_picture(subject, array([_PATCH[:2], _PATCH[2:]]), scale)
    origin, end = corners.min(axis=0), corners.max(axis=0)
    step = _STEP * scale
    x, y = np.meshgrid(np.arange(origin[0], end[0], step), np.arange(origin[1], end[1], step))
    grid = np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)

    reach = _REACH * portrait().eye_distance * scale
    controls = landmarks[list(_CONTROLS)]
    weights = _interpolation_weights(controls, moves[:, _CONTROLS], reach)

    def fields_at(points: Array) -> Array:
        face = (_kernel(points, controls, reach) @ weights).reshape(len(points), -1, 2).swapaxes(0, 1)
        fields = np.concatenate([face, _head_moves(subject, points, scale)]).reshape(len(moves) + 3, -1)
        # BLAS may differ in the last digits from call to call; 1/256 pixel is fine enough and always the same.
        return array((fields * 256).round() / 256)

    lips, box = landmarks[list(_LIPS)], landmarks[list(_BOX_POINTS)]
    picture = subject_picture(subject, scale)
    return Puppet(
        picture=picture,
        head=to_picture(subject, array([HEAD]), scale)[0],
        fields=fields_at(grid),
        shape=x.shape,
        origin=origin,
        step=step,
        mouth=_mouth_inside(lips, picture.shape[:2], scale),
        lips=lips,
        lip_moves=fields_at(lips),
        box=box,
        box_moves=fields_at(box),
        light=light_gains(subject) * min(1.0, subject.skin_gain + 0.15),
    )


def all_levels(levels: Array, pose: Pose) -> Array:
    """The levels (8,) of the face and those of the head, (A,)."""
    return np.concatenate([levels, (pose.yaw, pose.pitch, pose.tilt)]).astype(np.float32)


def face_box(puppet: Puppet, levels: Array, pose: Pose) -> tuple[float, float, float, float]:
    """The true box in the frame: x, y, width, height in pixels, from brows to chin and temple to temple."""
    points = puppet.box + _combined(all_levels(levels, pose), puppet.box_moves).reshape(-1, 2)
    placed = _apply(pose.matrix(puppet.head), points)
    low, high = placed.min(axis=0), placed.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def invert(puppet: Puppet, levels: Array, guess: Array | None = None) -> Array:
    """The displacement back: (h, w, 2) such that picture point q shows what stood at q + back(q).

    Args:
      levels: (A,) from `all_levels`.
      guess: the frame before's; starting there, a few steps to the fixed point are enough.
    """
    height, width = puppet.shape
    field = np.empty((height, width, 3), np.float32)
    field[..., :2] = _combined(levels, puppet.fields).reshape(height, width, 2)
    # Steps divided by the steepest vertical slope around, as lips and lids part with slopes above 1 (sideways it is
    # small): never too far, so the iteration cannot swing.
    field[1:-1, :, 2] = (field[2:, :, 1] - field[:-2, :, 1]) * (0.5 / puppet.step)
    field[[0, -1], :, 2] = 0
    field[..., 2] = cv2.dilate(np.maximum(field[..., 2], 0), np.ones((7, 3), np.uint8))
    indices = np.empty((height, width, 2), np.float32)
    indices[..., 0], indices[..., 1] = np.arange(width), np.arange(height)[:, None]
    back = np.zeros_like(indices) if guess is None else guess
    for _ in range(_STEPS_ALONE if guess is None else _STEPS_FROM_GUESS):
        here = sample(field, indices + back * (1 / puppet.step))
        error = back + here[..., :2]
        error[..., 1] /= 1 + here[..., 2]
        back = back - error
    return back


def draw(frame: Image, puppet: Puppet, levels: Array, pose: Pose, guess: Array | None = None) -> tuple[Image, Array]:
    """Draws the puppet over an RGB `frame` (h, w, 3); returns the new frame and `guess` for the next call."""
    back = invert(puppet, all_levels(levels, pose), guess)
    sources = _sources(puppet, back, pose, frame.shape[:2])
    layer = sample(puppet.picture, sources)
    _draw_mouth(layer, puppet, levels, pose, sources)
    if pose.opacity < 1:
        layer = cv2.convertScaleAbs(layer, alpha=pose.opacity)
    behind = cv2.cvtColor(255 - cv2.extractChannel(layer, 3), cv2.COLOR_GRAY2RGB)
    seen = cv2.add(cv2.multiply(frame, behind, scale=1 / 255), cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB))
    return np.asarray(seen, np.uint8), back


def render_face(seed: int, valence: float, arousal: float, size: int) -> Image:
    """One face, looking straight ahead, filling most of a (size, size, 3) uint8 RGB picture; `seed` is its identity."""
    subject = draw_subject(seed, 0)
    puppet = make_puppet(subject, size / 150)
    levels = expression.action_levels(valence, arousal)
    x, y, width, height = face_box(puppet, expression.action_levels(0, 0), Pose(0, 0))
    pose = Pose(size / 2 - (x + width / 2), 0.53 * size - (y + height / 2))
    shade = np.random.default_rng([4, seed]).uniform(60, 200, 3)
    frame = np.broadcast_to(shade.astype(np.uint8), (size, size, 3)).copy()
    return draw(frame, puppet, levels, pose)[0]


def _sources(puppet: Puppet, back: Array, pose: Pose, size: tuple[int, int]) -> Array:
    """For each frame pixel its position in the picture, (h, w, 2); computed on every second pixel and enlarged."""
    height, width = size
    rows, columns = -(-height // _MAP_STEP), -(-width // _MAP_STEP)
    # cv2.resize lays pixel centres over each other: coarse point i stands for frame position 2 i + 0.5.
    offset = (_MAP_STEP - 1) / 2
    inverse = cv2.invertAffineTransform(pose.matrix(puppet.head))
    x = np.arange(columns, dtype=np.float32) * _MAP_STEP + offset
    y = np.arange(rows, dtype=np.float32)[:, None] * _MAP_STEP + offset
    coarse = np.empty((rows, columns, 2), np.float32)
    for axis in (0, 1):
        coarse[..., axis] = inverse[axis, 0] * x + (inverse[axis, 1] * y + inverse[axis, 2])
    window = _fields_window(puppet, pose, (rows, columns))
    at = (coarse[window] - puppet.origin) * (1 / puppet.step)
    if at.size:
        coarse[window] += sample(back, at)
    return cv2.resize(coarse, (columns * _MAP_STEP, rows * _MAP_STEP), interpolation=cv2.INTER_LINEAR)[:height, :width]


def _fields_window(puppet: Puppet, pose: Pose, size: tuple[int, int]) -> tuple[slice, slice]:
    """The part of the coarse map, (rows, columns) = `size`, that the displacement fields reach."""
    height, width = puppet.shape
    corners = array([(0, 0), (width, 0), (0, height), (width, height)]) * puppet.step + puppet.origin
    placed = _apply(pose.matrix(puppet.head), corners) / _MAP_STEP
    left, top = np.clip(np.floor(placed.min(axis=0)).astype(int), 0, size[::-1])
    right, bottom = np.clip(np.ceil(placed.max(axis=0)).astype(int) + 1, 0, size[::-1])
    return slice(top, bottom), slice(left, right)


def _draw_mouth(layer: Image, puppet: Puppet, levels: Array, pose: Pose, sources: Array) -> None:
    """Darkens the inside of the mouth below the upper teeth, or the line between closed lips."""
    lips = puppet.lips + _combined(all_levels(levels, pose), puppet.lip_moves).reshape(-1, 2)
    placed = _apply(pose.matrix(puppet.head), lips)
    low = np.maximum(np.floor(placed.min(axis=0)).astype(int) - 4, 0)
    high = np.minimum(np.ceil(placed.max(axis=0)).astype(int) + 5, (layer.shape[1], layer.shape[0]))
    if (high <= low).any():
        return
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    inside, depth = cv2.split(sample(puppet.mouth, np.ascontiguousarray(sources[window])))
    gap = expression.mouth_gap(levels)
    # The upper teeth keep about their length while the gap grows, so they fill ever less of it.
    teeth_end = min(1.1, 1.1 / max(gap, 1e-3) ** 0.85)
    dark = np.clip((depth - teeth_end) / 0.22 + 0.5, 0, 1) * min(1.0, max(0.0, gap - 1.0) * 2)
    line = 0.8 * min(1.0, max(0.0, (0.75 - gap) / 0.5))
    amount = (inside * np.maximum(dark, line))[..., None]
    tongue = np.clip((depth - 0.62) / 0.3, 0, 1)[..., None]
    colour = (array([44, 14, 16]) * (1 - tongue) + array([118, 52, 52]) * tongue) * puppet.light
    pixels = layer[window]
    pixels[..., :3] = pixels[..., :3] * (1 - amount) + colour * amount * (pixels[..., 3:] / 255) + 0.5


def _kernel(points: Array, controls: Array, reach: float) -> Array:
    """Matérn 3/2: smooth like a Gaussian, yet it can follow lips and lids that lie close together."""
    apart = points.astype(np.float64)[:, None] - controls[None]
    distance = cv2.magnitude(apart[..., 0], apart[..., 1]) * (3**0.5 / (2 * reach))
    return (1 + distance) * np.exp(-distance)


def _interpolation_weights(controls: Array, moves: Array, reach: float) -> Array:
    """(c, A * 2) float64 weights such that the kernel's sum passes through `moves` (A, c, 2) at the controls."""
    matrix = _kernel(controls, controls, reach) + 0.003 * np.eye(len(controls))
    flat = np.moveaxis(moves, 1, 0).reshape(len(controls), -1)
    return np.linalg.solve(matrix, flat.astype(np.float64))


def _head_moves(subject: Subject, points: Array, scale: float) -> Array:
    """(3, n, 2): the head turning left-right, up-down (as if it were round) and leaning, fading out below the chin."""
    head, neck = to_picture(subject, array([HEAD, NECK]), scale)
    unit = portrait().eye_distance * scale
    x, y = ((points - head) / unit).T
    # Round and nearest at the middle of the face; hair and background hardly move.
    depth = np.clip(1 - (x / 1.9) ** 2 - ((y - 0.6) / 2.3) ** 2, 0, None)
    fixed = np.clip((points[:, 1] - neck[1] + 0.3 * unit) / (0.9 * unit), 0, 1)
    edge = np.clip((2.75 - np.maximum(abs(x), -y)) / 0.7, 0, 1)
    attached = (1 - fixed * fixed * (3 - 2 * fixed)) * edge
    turn = 0.1 * unit * depth * attached
    lean = 0.1 * (points - neck) * attached[:, None]
    nothing = np.zeros_like(turn)
    return np.stack(
        [
            np.stack([turn, nothing], axis=1),
            np.stack([nothing, turn], axis=1),
            np.stack([-lean[:, 1], lean[:, 0]], axis=1),
        ]
    ).astype(np.float32)


def _mouth_inside(lips: Array, size: tuple[int, int], scale: float) -> Array:
    upper, lower = lips[: len(lips) // 2], lips[len(lips) // 2 :]
    inside: Array = np.zeros(size, np.float32)
    cv2.fillPoly(inside, [np.round(np.concatenate([upper, lower[::-1]]) * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)
    inside = cv2.GaussianBlur(inside, (0, 0), 0.6 * scale)
    columns = np.arange(size[1])
    upper, lower = (row[np.argsort(row[:, 0])] for row in (upper, lower))
    top, bottom = (np.interp(columns, row[:, 0], row[:, 1]) for row in (upper, lower))
    depth = (np.arange(size[0])[:, None] - top) / np.maximum(bottom - top, 1.0)
    return np.dstack([inside, np.clip(depth, 0, 1)]).astype(np.float32)


def _apply(matrix: Array, points: Array) -> Array:
    x, y = points[:, :1], points[:, 1:]
    return x * matrix[:, 0] + y * matrix[:, 1] + matrix[:, 2]


def _combined(levels: Array, moves: Array) -> Array:
    """`levels` (A,) times `moves` (A, n), term by term: as quick as BLAS here, and the same to the last digit."""
    total = levels[0] * moves[0]
    for level, move in zip(levels[1:], moves[1:], strict=True):
        if level:
            total += level * move
    return total
