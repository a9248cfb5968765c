"""The practice clip: a drawn face whose valence and arousal are known, so that one sees how well one follows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np

from data_pipeline.decode import FRAME_RATE, ffmpeg_binary
from tfrecords.workspace import atomic_path

SECONDS = 20
SIZE = 320
_SKIN, _INK, _PAPER = (120, 190, 250), (40, 40, 60), (235, 230, 225)  # BGR
_KNOTS = (0, 2, 4.5, 7, 9, 12, 14, 17, 18.5, 20)
_CURVES = {
    "valence": (0, 0, 0.8, 0.8, 0, -0.7, -0.7, 0.5, 0, 0),
    "arousal": (0, 0, 0.6, -0.2, -0.6, -0.6, 0.7, 0.7, 0, 0),
}


def practice_curve(dimension: str, seconds: np.ndarray) -> np.ndarray:
    """What the drawn face shows at `seconds` (N,), int64 in [-1000, 1000]; of other dimensions than ours, valence's."""
    return np.rint(1000 * np.interp(seconds, _KNOTS, _CURVES.get(dimension, _CURVES["valence"]))).astype(np.int64)


def write_practice_clip(path: Path) -> None:
    """Writes the clip as H.264 in MP4, 320×320, without sound."""
    with atomic_path(path) as temporary:
        command = [ffmpeg_binary(), "-v", "quiet", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24"]
        command += ["-s", f"{SIZE}x{SIZE}", "-r", str(FRAME_RATE), "-i", "pipe:", "-c:v", "libx264"]
        command += ["-preset", "veryfast", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(temporary)]
        moments = np.arange(SECONDS * FRAME_RATE) / FRAME_RATE
        shown = zip(practice_curve("valence", moments), practice_curve("arousal", moments), strict=True)
        pictures = b"".join(_face(valence / 1000, arousal / 1000).tobytes() for valence, arousal in shown)
        subprocess.run(command, input=pictures, check=True)


def _face(valence: float, arousal: float) -> np.ndarray:
    """A face, uint8 BGR (`SIZE`, `SIZE`, 3): the mouth bends with valence, eyes and mouth open with arousal."""
    picture = np.full((SIZE, SIZE, 3), _PAPER, np.uint8)
    cv2.circle(picture, (160, 160), 130, _SKIN, -1, cv2.LINE_AA)
    cv2.circle(picture, (160, 160), 130, _INK, 3, cv2.LINE_AA)
    opened = (arousal + 1) / 2
    for side in (-1, 1):
        eye = (160 + side * 50, 130)
        cv2.ellipse(picture, eye, (22, round(3 + 24 * opened)), 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.ellipse(picture, eye, (22, round(3 + 24 * opened)), 0, 0, 360, _INK, 2, cv2.LINE_AA)
        if opened > 0.15:
            cv2.circle(picture, eye, round(4 + 5 * opened), _INK, -1, cv2.LINE_AA)
        # Inner ends down where valence is negative.
        inner, outer = (
            (160 + side * 28, round(92 - 20 * opened - 14 * min(valence, 0))),
            (160 + side * 78, 95 - round(20 * opened)),
        )
        cv2.line(picture, inner, outer, _INK, 5, cv2.LINE_AA)
    across = np.linspace(-1, 1, 25)
    bend = 34 * valence * (1 - across**2) - 17 * valence
    gap = 22 * max(arousal, 0) * (1 - across**2)
    xs = 160 + 62 * across
    upper, lower = np.stack([xs, 222 + bend - gap / 2], 1), np.stack([xs, 222 + bend + gap / 2], 1)
    mouth = np.rint(np.concatenate([upper, lower[::-1]])).astype(np.int32)
    cv2.fillPoly(picture, [mouth], (60, 60, 140), cv2.LINE_AA)
    cv2.polylines(picture, [mouth], True, _INK, 4, cv2.LINE_AA)
    return picture
