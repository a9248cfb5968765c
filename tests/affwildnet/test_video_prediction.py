import numpy as np
import pytest
from counting_model import CountingModel

from affwildnet.source_faces import NO_LANDMARKS, SeenFrame
from affwildnet.video_prediction import MAX_GAP, predict_frames
from data_pipeline.detectors.face import Face
from data_pipeline.filters.clip_tracks import root_histogram
from data_pipeline.frames import Frame
from data_pipeline.timed_frames import TimedFrame
from data_pipeline.tracks import LIVE_HOLD, People, SeenFace

RED, BLUE = (200, 20, 20), (20, 20, 200)


def _frames(people):
    """A frame for each list of (x, colour); the colour is the face's."""
    for number, faces in enumerate(people):
        seen = []
        for x, colour in faces:
            picture = np.full((8, 8, 3), colour, np.uint8)
            face = Face(x, 0, 50, 50, 0.9, np.zeros((0, 2), np.float32))
            seen.append(SeenFace(face, root_histogram(picture), (picture, NO_LANDMARKS)))
        frame = Frame((np.zeros((60, 400, 3), np.uint8),))
        yield SeenFrame(TimedFrame(number, number / 30, number, number / 30, frame), False, seen)


def _counts(people, batch=64, model=None, **how):
    found = list(predict_frames(_frames(people), model or CountingModel(), People(), batch, **how))
    assert [prediction.timed.number for prediction in found] == list(range(len(people)))
    return [{person.number: float(person.values[0]) for person in prediction.people} for prediction in found]


def test_state_goes_on_over_a_gap_of_a_second_and_a_longer_one_resets_it():
    face = [(10.0, RED)]
    for gap, count in ((MAX_GAP - 1, 11), (MAX_GAP, 1)):
        counts = _counts([face] * 10 + [[]] * gap + [face] * 10)
        assert counts[9] == {1: 10} and counts[10 + gap] == {1: count}, gap


def test_piece_boundaries_change_nothing():
    people = [[(10.0, RED)] * (number % 7 != 3) + [(200.0, BLUE)] * (number // 20 % 2) for number in range(120)]
    whole = _counts(people, batch=100_000)
    assert whole[-1][1] > 90
    for batch in (1, 7, 64):
        assert _counts(people, batch) == whole


def test_people_of_several_frames_go_through_the_network_together():
    model = CountingModel()
    _counts([[(10.0, RED), (200.0, BLUE)]] * 64, 64, model)
    assert model.calls == [(2, 32), (2, 32)]
    model = CountingModel()
    # Of different lengths: side by side as long as both go on, then the longer alone; no face is padded.
    _counts([[(10.0, RED), (200.0, BLUE)]] * 20 + [[(10.0, RED)]] * 24, 64, model)
    assert model.calls == [(2, 20), (1, 24)]


def test_live_every_frame_is_predicted_alone_and_alike():
    people = [[(10.0, RED), (200.0, BLUE)]] * 20
    model = CountingModel()
    assert _counts(people, 1, model, hold=LIVE_HOLD) == _counts(people)
    assert model.calls == [(2, 1)] * 20


@pytest.mark.parametrize("keep", [True, False])
def test_pictures_are_kept_on_request_only(keep):
    found = list(predict_frames(_frames([[(10.0, RED)]] * 6), CountingModel(), People(), keep_pictures=keep))
    assert {prediction.timed.frame.height for prediction in found} == {60 if keep else 0}
