"""A clip -> boxes, scores, landmarks (Parquet) and crops (ZIP): ``python -m data_pipeline.detect``."""

from __future__ import annotations

import dataclasses
from typing import Any

from data_pipeline.decode import FRAME_RATE, clip_frames
from data_pipeline.detectors import DETECTORS
from data_pipeline.detectors.face import crop
from data_pipeline.face_mesh import load_face_mesh
from tfrecords.crops import encode_jpeg, member_name, write_crops
from tfrecords.detections import write_detections
from tfrecords.options import option
from tfrecords.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class DetectOptions:
    """How faces are found and cut out."""

    detector: str = option("blazeface", "face detector", choices=sorted(DETECTORS))
    min_score: float = option(0.6, "detections less certain than this are dropped, 0 to 1", at_least=0, at_most=1)
    crop_margin: float = option(0.0, "part of the box's sides added all round a crop; the thesis adds none", at_least=0)
    jpeg_quality: int = option(95, "JPEG quality of crops, 1 to 100", at_least=1, at_most=100)
    landmarks_68: bool = option(False, "find 68 landmarks on every face, which networks like VA-CRNN read")
    loose_crops: bool = option(False, "write crops into a folder, a file each, in place of one ZIP a clip")


def detect_faces(workspace: Workspace, clip: str, options: DetectOptions) -> int:
    """Finds the faces of every frame and writes detections and crops; returns the number of frames.

    Frames are streamed, so memory does not grow with the clip's length.
    """
    detect = DETECTORS[options.detector](options.min_score)
    find_landmarks = load_face_mesh() if options.landmarks_68 else None
    rows: list[dict[str, Any]] = []
    frame = 0
    with write_crops(workspace.crops(clip), options.loose_crops) as write:
        for frame, picture in enumerate(clip_frames(workspace.clip(clip)), start=1):
            faces = detect(picture)
            for number, face in enumerate(faces):
                member = member_name(frame, number, len(faces))
                write(member, encode_jpeg(crop(picture, face, options.crop_margin), options.jpeg_quality))
                row = {"frame": frame, "face": number, "member": member, "landmarks": face.landmarks.ravel()}
                row.update({name: getattr(face, name) for name in ("x", "y", "width", "height", "score")})
                if find_landmarks is not None:
                    row["landmarks_68"] = find_landmarks(picture, face).ravel()
                rows.append(row)
    facts = {
        "frames": frame,
        "frame_rate": FRAME_RATE,
        "detector": options.detector,
        "min_score": options.min_score,
        "crop_margin": options.crop_margin,
        "landmarks_68": options.landmarks_68,
    }
    write_detections(workspace.detections(clip), rows, facts)
    return frame


if __name__ == "__main__":
    from data_pipeline.stage_binary import run_one_stage  # it imports this file as a module

    run_one_stage("detect")
