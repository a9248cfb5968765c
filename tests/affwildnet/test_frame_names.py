"""Frames of a batch in words."""

import numpy as np

from affwildnet.frame_names import frame_ranges


def test_every_sequence_has_its_ranges_with_gaps_and_without_padding():
    names = np.array([[b"a/00001", b"a/00002", b"a/00005", b"a/00006"], [b"b-p1/00099", b"b-p1/00100", b"x", b"x"]])
    weights = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], np.float32)
    assert frame_ranges(names, weights) == "a/00001-00002, a/00005-00006; b-p1/00099-00100"


def test_single_frames_stand_alone():
    names = np.array([[b"a/00007"], [b"c/00007"]])
    assert frame_ranges(names, np.ones((2, 1))) == "a/00007; c/00007"
