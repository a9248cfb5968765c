"""A KCF tracker a person, as the thesis tried on clips of one: the detection that the tracker's box agrees with."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import scipy.optimize

from data_pipeline.filters.clip_faces import NOBODY, Choice, ClipFaces, FrameFaces, box_overlaps

# A detection is the person's if it overlaps the tracker's box by this much (intersection over union).
MIN_OVERLAP = 0.3


def kcf(clip: ClipFaces, people: int) -> list[list[Choice]]:
    """Follows each person with OpenCV's KCF through the clip's pictures, from the first frame that shows them all.

    The tracker names a box in every frame; of the frame's detections the one that overlaps it most is the person's and
    starts the tracker anew, since KCF's box never changes its size. A tracker that loses its target keeps its last box.
    The distance is one less the overlap; two people's boxes are dealt out so that it is least in sum.
    """
    first, starts = clip.start(people) or (len(clip.frames), [])
    choices: list[list[Choice]] = [[NOBODY] * people for _ in clip.frames]
    if not starts:
        return choices
    at = {found.frame: index for index, found in enumerate(clip.frames)}
    boxes = clip.frames[first].boxes[starts]
    trackers: list[cv2.TrackerKCF | None] = []
    for frame, picture in enumerate(clip.pictures(), start=1):
        if frame < clip.frames[first].frame:
            continue
        if not trackers:
            trackers = [_start(picture, box) for box in boxes]
            choices[first] = [(face, float("nan")) for face in starts]
            continue
        for person, tracker in enumerate(trackers):
            if tracker is not None:
                followed, box = tracker.update(picture)
                boxes[person] = box if followed else boxes[person]
        if frame in at:
            row = _agreeing(boxes, clip.frames[at[frame]])
            choices[at[frame]] = row
            for person, (face, _) in enumerate(row):
                if face >= 0:
                    boxes[person] = clip.frames[at[frame]].boxes[face]
                    trackers[person] = _start(picture, boxes[person])
    return choices


def _agreeing(boxes: np.ndarray, found: FrameFaces) -> list[Choice]:
    overlaps = box_overlaps(boxes, found.boxes)
    row: list[Choice] = [(-1, 1 - float(mine.max())) for mine in overlaps]
    for person, face in zip(*scipy.optimize.linear_sum_assignment(-overlaps), strict=True):
        if overlaps[person, face] >= MIN_OVERLAP:
            row[person] = (int(face), 1 - float(overlaps[person, face]))
    return row


def _start(picture: np.ndarray, box: Sequence[float]) -> cv2.TrackerKCF | None:
    """A tracker of the box's part within the picture; None where too little of it is, which KCF cannot take."""
    height, width = picture.shape[:2]
    left, top = max(round(box[0]), 0), max(round(box[1]), 0)
    right, bottom = min(round(box[0] + box[2]), width), min(round(box[1] + box[3]), height)
    if right - left < 4 or bottom - top < 4:
        return None
    tracker = cv2.TrackerKCF_create()  # type: ignore[attr-defined]
    tracker.init(np.ascontiguousarray(picture), (left, top, right - left, bottom - top))
    return tracker
