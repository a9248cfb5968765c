"""Face detectors by name. A new detector is one new file and one new entry here.

A detector goes over a clip: it takes the frames and gives each back with its faces, the most certain first. One that
treats single pictures (uint8 RGB (height, width, 3) -> faces) becomes such by `on_each_frame`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from data_pipeline.detectors import blazeface, fast, ffld2, haar, mtcnn, yunet
from data_pipeline.detectors.face import Face, in_view
from data_pipeline.frames import Frame

Detect = Callable[[Iterable[Frame]], Iterator[tuple[Frame, list[Face]]]]


@dataclasses.dataclass(frozen=True)
class DetectorOptions:
    """What a detector can be told; each takes what concerns it."""

    min_score: float
    stride: str = "adaptive"
    yunet_model: str = ""


@dataclasses.dataclass(frozen=True)
class Detector:
    """How a detector is loaded, and the score below which it drops faces unless told otherwise."""

    load: Callable[[DetectorOptions], Detect]
    min_score: float


def on_each_frame(detect: Callable[[np.ndarray], list[Face]]) -> Detect:
    """A detector of single pictures as one of clips."""

    def run(frames: Iterable[Frame]) -> Iterator[tuple[Frame, list[Face]]]:
        for frame in frames:
            yield frame, [face for face in detect(frame.picture()) if in_view(face, frame.width, frame.height)]

    return run


DETECTORS: dict[str, Detector] = {
    "blazeface": Detector(lambda o: on_each_frame(blazeface.load_blazeface(o.min_score)), blazeface.MIN_SCORE),
    "fast": Detector(lambda o: fast.load_fast(o.min_score, o.stride), fast.MIN_SCORE),
    "ffld2": Detector(lambda o: on_each_frame(ffld2.load_ffld2(o.min_score)), ffld2.MIN_SCORE),
    "haar": Detector(lambda o: on_each_frame(haar.load_haar(o.min_score)), haar.MIN_SCORE),
    "mtcnn": Detector(lambda o: on_each_frame(mtcnn.load_mtcnn(o.min_score)), mtcnn.MIN_SCORE),
    "yunet": Detector(lambda o: on_each_frame(yunet.load_yunet(o.min_score, o.yunet_model)), yunet.MIN_SCORE),
}


def used_min_score(name: str, min_score: float | None) -> float:
    """`min_score`, or where it is None the detector's own."""
    return DETECTORS[name].min_score if min_score is None else min_score


def load_detector(name: str, min_score: float | None = None, stride: str = "adaptive", yunet_model: str = "") -> Detect:
    """The detector `name` of `DETECTORS`, ready to go over clips.

    Raises:
      InputError: it needs a file or a package that is not there.
    """
    return DETECTORS[name].load(DetectorOptions(used_min_score(name, min_score), stride, yunet_model))
