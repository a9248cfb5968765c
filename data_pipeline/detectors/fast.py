"""The default detector: BlazeFace on some frames, ONet as its check, tracks through the frames between.

As clean as MTCNN on every frame and many times as quick: a look at a frame is BlazeFace on a copy of 192 pixels; ONet
judges what is new or doubtful; tracks follow the faces; a cut ends them; the more steadily the faces stay, the fewer
frames are looked at, down to every third. Where a look finds anything unexpected, the frames that were passed over are
looked at after all, so that a face's first and last frames are those of every frame. The thresholds were tried on the
few real clips of ``../shared/media`` (``detection_trials.md`` beside it).
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from data_pipeline.cuts import is_cut, thumbnail
from data_pipeline.detectors import onet
from data_pipeline.detectors.blazeface import load_network, small_size
from data_pipeline.detectors.face import Face, in_view
from data_pipeline.detectors.face_tracks import KEEP_SCORE, FaceTracks, Look
from data_pipeline.frames import Frame

# The least probability of ONet: true faces had 0.85 to 0.997, false boxes at most 0.38.
MIN_SCORE = 0.7
STRIDES = ("adaptive", "1", "2", "3")
# Frames that are held back for what later looks say of them.
HOLD = 3
# Overlap of a face's boxes from look to look at which every third frame, or every second, is enough.
STEADY_FOR_3 = 0.8
STEADY_FOR_2 = 0.6
# MTCNN's box in sides of BlazeFace's: the centre lies higher, it is narrower and taller.
RISE, WIDTH, HEIGHT = 0.072, 0.83, 1.16
# Patches with less brightness or contrast (mean and standard deviation, of 255) are no faces one could read.
MIN_BRIGHTNESS, MIN_CONTRAST = 20.0, 8.0


def load_fast(min_score: float, stride: str) -> Callable[[Iterable[Frame]], Iterator[tuple[Frame, list[Face]]]]:
    """A function from a clip's frames to each frame with its faces; at most some frames are held at a time.

    A face's score is ONet's probability at its track's last check; boxes are as MTCNN's; landmarks are right eye, left
    eye, nose tip, mouth, right ear, left ear (the person's right and left). With `stride` "1" every frame is looked at,
    with "2" and "3" every second or third; "adaptive" chooses by what is seen only, so a clip always gives the same.
    """
    look = _load_look()
    return lambda frames: _follow(frames, look, FaceTracks(min_score), stride)


def mtcnn_box(face: Face) -> Face:
    """BlazeFace's box as MTCNN would draw it, so that crops are alike whichever detector made them."""
    width, height = WIDTH * face.width, HEIGHT * face.height
    x = face.x + (face.width - width) / 2
    y = face.y + face.height / 2 - RISE * face.height - height / 2
    return dataclasses.replace(face, x=x, y=y, width=width, height=height)


def _load_look() -> Callable[[Frame], Look]:
    network, probability = load_network(), onet.load_onet()

    def look(frame: Frame) -> Look:
        width, height = frame.width, frame.height
        faces = network(frame.resized(*small_size(width, height)), width, height, KEEP_SCORE)
        return faces, functools.cache(lambda index: _check(frame, faces[index], probability))

    return look


def _check(frame: Frame, face: Face, probability: Callable[[np.ndarray], float]) -> float:
    """ONet's probability that the box holds a face; 0 for a patch too dark or flat to tell."""
    side = HEIGHT * face.height
    y = face.y + (0.5 - RISE) * face.height
    patch = frame.square(face.x + face.width / 2, y, side, onet.SIZE)
    if patch.mean() < MIN_BRIGHTNESS or patch.std() < MIN_CONTRAST:
        return 0.0
    return probability(patch)


def _follow(
    frames: Iterable[Frame], look: Callable[[Frame], Look], tracks: FaceTracks, stride: str
) -> Iterator[tuple[Frame, list[Face]]]:
    held: collections.deque[tuple[int, Frame]] = collections.deque()
    looked, step = -1, 1
    before: np.ndarray | None = None

    def look_up_to(number: int) -> None:
        """Looks at the frame `number`, and at those passed over if it shows anything unexpected."""
        passed = [(other, frame) for other, frame in held if looked < other <= number]
        last = look(passed[-1][1])
        if not tracks.explain(last):
            for other, frame in passed[:-1]:
                tracks.update(other, look(frame))
        tracks.update(number, last)

    def hand_out(end: int) -> Iterator[tuple[Frame, list[Face]]]:
        while held and held[0][0] < end:
            number, frame = held.popleft()
            faces = [mtcnn_box(face) for face in tracks.faces(number)]
            yield frame, [face for face in faces if in_view(face, frame.width, frame.height)]
        tracks.forget(end)

    for number, frame in enumerate(frames):
        now = thumbnail(frame)
        if before is not None and is_cut(before, now):
            if looked < number - 1:
                look_up_to(number - 1)
                looked = number - 1
            tracks.end()
            yield from hand_out(number)
        before = now
        held.append((number, frame))
        if number - looked >= step or len(held) == 1:
            look_up_to(number)
            looked = number
            step = int(stride) if stride != "adaptive" else _next_step(tracks)
            yield from hand_out(number - HOLD + 1)
    if held and looked < held[-1][0]:
        look_up_to(held[-1][0])
    tracks.end()
    yield from hand_out(held[-1][0] + 1 if held else 0)


def _next_step(tracks: FaceTracks) -> int:
    """How many frames on to look again: the more, the steadier the faces are, and most where there is none."""
    return 3 if tracks.is_steady(STEADY_FOR_3) else 2 if tracks.is_steady(STEADY_FOR_2) else 1
