"""Resizing inside a graph against OpenCV's, which made the faces that networks were trained on."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.graph_resize import RULES, graph_resize
from tfrecords.faces import RESIZE_RULES, resize_face

SIZES = [(96, 96), (97, 60), (40, 130), (250, 251), (192, 192), (500, 300), (1, 3), (90, 91), (95, 12), (120, 72)]


@functools.cache
def _compiled(rule):
    signature = [tf.TensorSpec((None, None, 3), tf.uint8)]
    return tf.function(lambda picture: graph_resize(picture, 96, rule), input_signature=signature)


def test_every_rule_of_the_records_is_there():
    assert RULES.keys() == RESIZE_RULES.keys()


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize("size", SIZES)
def test_faces_are_opencv_s_to_one_grey_level(rule, size):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    expected = resize_face(picture, 96, rule).astype(int)
    found = _compiled(rule)(picture).numpy().astype(int)
    # OpenCV sums whole numbers, with its own rounding: one level at most, up as often as down but for ties.
    assert np.abs(found - expected).max() <= 1
    assert abs((found - expected).mean()) < 0.15
