"""A video -> valence and arousal of every person in every frame, in one pass and constant memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from affwildnet.serving import LoadedModel
from data_pipeline.decode import video_frames
from data_pipeline.detectors import Detect
from data_pipeline.detectors.face import Face
from data_pipeline.face_mesh import load_face_mesh
from data_pipeline.frames import Frame
from data_pipeline.tracks import MAX_MISSED, follow_faces
from tfrecords.faces import landmarks_in_box, resize_face

# Frames that are predicted at once; a larger piece keeps the device busier and the rows waiting longer.
PIECE = 32
# A face as the network takes it, and its landmarks in the box, float32 (136,), or none for a network without.
Inputs = tuple[np.ndarray, np.ndarray]
NO_LANDMARKS = np.empty(0, np.float32)


@dataclasses.dataclass(frozen=True)
class Prediction:
    """One person in one frame (from 0), or with `face` None a frame without a face; `values` float32 (outputs,)."""

    frame: int
    track: int = 0
    face: Face | None = None
    values: np.ndarray | None = None


@dataclasses.dataclass
class _Person:
    """A track's recurrent state, and its frames and faces that wait to be predicted."""

    state: tf.Tensor
    last_frame: int
    frames: list[int] = dataclasses.field(default_factory=list)
    faces: list[np.ndarray] = dataclasses.field(default_factory=list)
    landmarks: list[np.ndarray] = dataclasses.field(default_factory=list)


def predict_video(video: Path, model: LoadedModel, detect: Detect) -> Iterator[Prediction]:
    """Predictions in the order of frames and tracks, a row for every frame and person, or one for a frame without.

    Frames come at the model's frame rate; crops and sizes follow its ``input.json``. A track's recurrent state goes on
    from piece to piece; who was out of view for more than a second is a new track and starts from the zero state.

    Raises:
      InputError: the video cannot be read.
    """
    people: dict[int, _Person] = {}
    waiting: list[list[tuple[int, Face]]] = []
    done = 0
    for frame, found in enumerate(follow_faces(_faces(video, model, detect))):
        waiting.append([(track, face) for track, face, _ in found])
        for track, _, (picture, landmarks) in found:
            person = people.setdefault(track, _Person(tf.zeros([1, model.state_width]), frame))
            person.last_frame = frame
            person.frames.append(frame)
            person.faces.append(picture)
            person.landmarks.append(landmarks)
        if len(waiting) == PIECE:
            yield from _predict_piece(done, waiting, people, model)
            done, waiting = frame + 1, []
            people = {track: person for track, person in people.items() if frame - person.last_frame <= MAX_MISSED}
    yield from _predict_piece(done, waiting, people, model)


def _faces(video: Path, model: LoadedModel, detect: Detect) -> Iterator[list[tuple[Face, Inputs]]]:
    """Each frame's faces with what the network takes of them."""
    spec = model.spec
    find_landmarks = load_face_mesh() if model.landmarks_68 else None

    def inputs(frame: Frame, face: Face) -> Inputs:
        crop = frame.region(*face.bounds(frame.width, frame.height, spec.crop_margin))
        resized = resize_face(crop, spec.size, spec.resize)
        if find_landmarks is None:
            return resized, NO_LANDMARKS
        points = find_landmarks(frame.picture(), face)
        return resized, landmarks_in_box(points, (face.x, face.y, face.width, face.height))

    frames = (Frame((picture,)) for picture in video_frames(video, spec.frame_rate))
    for frame, faces in detect(frames):
        yield [(face, inputs(frame, face)) for face in faces]


def _predict_piece(
    first: int, waiting: list[list[tuple[int, Face]]], people: dict[int, _Person], model: LoadedModel
) -> Iterator[Prediction]:
    values: dict[tuple[int, int], np.ndarray] = {}
    for track, person in people.items():
        if person.frames:
            faces, landmarks = (tf.constant(np.stack(parts)[None]) for parts in (person.faces, person.landmarks))
            predicted, person.state = model.step(faces, person.state, landmarks)
            values.update({(frame, track): v for frame, v in zip(person.frames, predicted[0].numpy(), strict=True)})
            person.frames, person.faces, person.landmarks = [], [], []
    for frame, found in enumerate(waiting, start=first):
        if not found:
            yield Prediction(frame)
        for track, face in found:
            yield Prediction(frame, track, face, values[frame, track])
