"""A clip -> boxes, scores, landmarks (Parquet) and crops (ZIP): ``python -m data_pipeline.detect``."""

from __future__ import annotations

import dataclasses
from typing import Any

from data_pipeline.decode import FRAME_RATE, clip_planes
from data_pipeline.detectors import DETECTORS, Detect, load_detector, used_min_score
from data_pipeline.detectors.fast import STRIDES
from data_pipeline.face_mesh import load_face_mesh
from tfrecords.crops import encode_jpeg, member_name, write_crops
from tfrecords.detections import write_detections
from tfrecords.options import option
from tfrecords.workspace import Workspace

_COLUMNS = ("x", "y", "width", "height", "score", "interpolated")


@dataclasses.dataclass(frozen=True)
class DetectOptions:
    """How faces are found and cut out."""

    detector: str = option("fast", "face detector", choices=sorted(DETECTORS))
    min_score: float | None = option(
        None,
        "detections less certain than this are dropped, 0 to 1; every detector has its own scale and default",
        at_least=0,
        at_most=1,
    )
    stride: str = option(
        "adaptive",
        "the detector fast looks at every n-th frame, or as often as the faces' steadiness asks for, and interpolates",
        choices=STRIDES,
    )
    yunet_model: str = option("", "ONNX file of the detector yunet")
    crop_margin: float = option(0.0, "part of the box's sides added all round a crop; the thesis adds none", at_least=0)
    jpeg_quality: int = option(95, "JPEG quality of crops, 1 to 100", at_least=1, at_most=100)
    landmarks_68: bool = option(False, "find 68 landmarks on every face, which networks like VA-CRNN read")
    loose_crops: bool = option(False, "write crops into a folder, a file each, in place of one ZIP a clip")


def load_chosen_detector(options: DetectOptions) -> Detect:
    """The detector that the options name; raises `InputError` where it lacks a file or a package."""
    return load_detector(options.detector, options.min_score, options.stride, options.yunet_model)


def detect_faces(workspace: Workspace, clip: str, options: DetectOptions, detect: Detect | None = None) -> int:
    """Finds the faces of every frame and writes detections and crops; returns the number of frames.

    Frames are streamed, so memory does not grow with the clip's length. `detect` is the chosen detector where it has
    been loaded before, for several clips. The same clip and options give the same bytes.
    """
    detect = detect or load_chosen_detector(options)
    find_landmarks = load_face_mesh() if options.landmarks_68 else None
    rows: list[dict[str, Any]] = []
    number = 0
    with write_crops(workspace.crops(clip), options.loose_crops) as write:
        for number, (frame, faces) in enumerate(detect(clip_planes(workspace.clip(clip))), start=1):
            for index, face in enumerate(faces):
                member = member_name(number, index, len(faces))
                bounds = face.bounds(frame.width, frame.height, options.crop_margin)
                write(member, encode_jpeg(frame.region_for_jpeg(*bounds), options.jpeg_quality))
                row = {"frame": number, "face": index, "member": member, "landmarks": face.landmarks.ravel()}
                row.update({name: getattr(face, name) for name in _COLUMNS})
                if find_landmarks is not None:
                    row["landmarks_68"] = find_landmarks(frame.picture(), face).ravel()
                rows.append(row)
    facts = {
        "frames": number,
        "frame_rate": FRAME_RATE,
        "detector": options.detector,
        "min_score": used_min_score(options.detector, options.min_score),
        "stride": options.stride,
        "crop_margin": options.crop_margin,
        "landmarks_68": options.landmarks_68,
    }
    write_detections(workspace.detections(clip), rows, facts)
    return number


if __name__ == "__main__":
    from data_pipeline.stage_binary import run_one_stage  # it imports this file as a module

    run_one_stage("detect")
