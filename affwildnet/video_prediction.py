"""Frames with faces -> valence and arousal of every person in every frame, in one pass and constant memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from affwildnet.read_ahead import read_ahead
from affwildnet.serving import LoadedModel
from affwildnet.source_faces import Inputs, SeenFrame, find_faces
from data_pipeline.detectors import Detect
from data_pipeline.detectors.face import Face
from data_pipeline.frames import Frame
from data_pipeline.timed_frames import TimedFrame, timed_frames
from data_pipeline.tracks import HOLD, People, follow_people

# Faces that are predicted at once: more keep a device busier and take more memory.
BATCH_FACES = 64
# Frames that wait for that at most, where few faces come.
_MOST_WAITING = 256
# Who was away for more frames than this, a second, starts from the zero state.
MAX_GAP = 30
_NO_PICTURE = Frame((np.zeros((0, 0, 3), np.uint8),))


@dataclasses.dataclass(frozen=True)
class PersonValues:
    """One person in one frame: `number` from 1, `values` float32 (outputs,)."""

    number: int
    face: Face
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class FramePrediction:
    """A frame and everyone in it, by number ascending."""

    timed: TimedFrame
    people: list[PersonValues]


@dataclasses.dataclass
class _Sequence:
    """Successive faces of one person, from the state before them (W,)."""

    number: int
    state: np.ndarray
    places: list[int] = dataclasses.field(default_factory=list)
    inputs: list[Inputs] = dataclasses.field(default_factory=list)


_Found = tuple[TimedFrame, list[tuple[int, Face, Inputs]]]


def predict_frames(
    seen: Iterable[SeenFrame],
    model: LoadedModel,
    people: People,
    batch_faces: int = BATCH_FACES,
    hold: int = HOLD,
    keep_pictures: bool = False,
) -> Iterator[FramePrediction]:
    """A prediction for every frame, in order; who is who by `data_pipeline.tracks`, `people` can be asked at the end.

    Faces of several frames and people go through the network together, `batch_faces` or a few more at a time. A
    person's recurrent state goes on from frame to frame, over cuts and gaps of up to a second; after a longer one it
    starts from zero. With `batch_faces` 1 every frame is predicted as soon as it is known who is in it (live video).
    Only with `keep_pictures` do the predictions' frames keep their pictures.
    """
    states: dict[int, tuple[int, np.ndarray]] = {}
    waiting: list[_Found] = []
    faces = 0
    for one in _people(seen, people, hold, keep_pictures):
        waiting.append(one)
        faces += len(one[1])
        if faces >= batch_faces or len(waiting) >= (_MOST_WAITING if batch_faces > 1 else 1):
            yield from _predict(waiting, states, model)
            waiting, faces = [], 0
    yield from _predict(waiting, states, model)


def predict_ahead(
    seen: Iterable[SeenFrame], model: LoadedModel, people: People, batch_faces: int
) -> Iterator[FramePrediction]:
    """`predict_frames`, with the next frames' decoding and detection in another thread while the device computes."""
    with read_ahead(seen, 2 * batch_faces) as ready:
        yield from predict_frames(ready, model, people, batch_faces)


def predict_video(video: Path, model: LoadedModel, detect: Detect) -> Iterator[FramePrediction]:
    """`predict_frames` of a video file, whose faces `detect` finds.

    Raises:
      InputError: the video cannot be read.
    """
    return predict_frames(find_faces(timed_frames(video, model.spec.frame_rate), model, detect), model, People())


def warm_up(model: LoadedModel) -> None:
    """Runs the network once: its first call takes seconds, in which a live stream would go by."""
    faces = tf.zeros([1, 1, model.spec.size, model.spec.size, 3], tf.uint8)
    model.step(faces, tf.zeros([1, model.state_width]), tf.zeros([1, 1, 136]))


def _people(seen: Iterable[SeenFrame], people: People, hold: int, keep_pictures: bool) -> Iterator[_Found]:
    passed: list[TimedFrame] = []

    def frames() -> Iterator[tuple[int, bool, Sequence]]:
        for one in seen:
            passed.append(one.timed if keep_pictures else dataclasses.replace(one.timed, frame=_NO_PICTURE))
            yield one.timed.number, one.cut, one.faces

    for found in follow_people(frames(), people, hold):
        yield passed.pop(0), found


def _predict(
    waiting: Sequence[_Found], states: dict[int, tuple[int, np.ndarray]], model: LoadedModel
) -> Iterator[FramePrediction]:
    sequences: list[_Sequence] = []
    current: dict[int, _Sequence] = {}
    for place, (timed, found) in enumerate(waiting):
        for number, _, inputs in found:
            last, state = states.get(number, (-MAX_GAP - 1, np.zeros(model.state_width, np.float32)))
            away = timed.number - last > MAX_GAP
            if number not in current or away:
                state = np.zeros(model.state_width, np.float32) if away else state
                current[number] = _Sequence(number, state)
                sequences.append(current[number])
            current[number].places.append(place)
            current[number].inputs.append(inputs)
            states[number] = timed.number, state
    values = _run_together(sequences, model)
    for number, sequence in current.items():
        states[number] = states[number][0], sequence.state
    if waiting:
        now = waiting[-1][0].number
        for number in [number for number, (last, _) in states.items() if now - last > MAX_GAP]:
            del states[number]
    for place, (timed, found) in enumerate(waiting):
        everyone = [PersonValues(number, face, values[number, place]) for number, face, _ in found]
        yield FramePrediction(timed, everyone)


def _run_together(sequences: Sequence[_Sequence], model: LoadedModel) -> dict[tuple[int, int], np.ndarray]:
    """(number, place) -> values; leaves each sequence with the state after it.

    Sequences of different lengths run side by side up to the end of the shortest, then those that go on, and so forth:
    nothing is padded, for a padded face would change the state.
    """
    values: dict[tuple[int, int], np.ndarray] = {}
    begin = 0
    for end in sorted({len(sequence.places) for sequence in sequences}):
        running = [sequence for sequence in sequences if len(sequence.places) >= end]
        faces, landmarks = (
            tf.constant(np.stack([[inputs[part] for inputs in s.inputs[begin:end]] for s in running]))
            for part in (0, 1)
        )
        predicted, after = model.step(faces, tf.constant(np.stack([s.state for s in running])), landmarks)
        for sequence, own, state in zip(running, predicted.numpy(), after.numpy(), strict=True):
            sequence.state = state
            for place, value in zip(sequence.places[begin:end], own, strict=True):
                values[sequence.number, place] = value
        begin = end
    return values
