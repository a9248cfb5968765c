"""Resizing by the rules' names."""

import numpy as np
import pytest
import tensorflow as tf

from tfrecords.faces import resize_face


@pytest.mark.parametrize("shape", [(50, 70, 3), (96, 96, 3), (203, 141, 3), (1, 2, 3)])
def test_linear_tf1_is_tensorflow_1s_bilinear_rounded(shape: tuple[int, int, int]) -> None:
    crop = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    exact = tf.compat.v1.image.resize_bilinear(crop[np.newaxis], (96, 96), align_corners=False)[0].numpy()
    resized = resize_face(crop, 96, "linear_tf1")
    assert resized.dtype == np.uint8 and resized.shape == (96, 96, 3)
    assert np.abs(resized - exact).max() <= 0.5 + 1e-3


def test_rules_differ_where_a_face_grows() -> None:
    crop = np.random.default_rng(2).integers(0, 256, (48, 48, 3), np.uint8)
    results = [resize_face(crop, 96, rule) for rule in ("cubic", "linear", "linear_tf1")]
    assert all(result.shape == (96, 96, 3) for result in results)
    assert not np.array_equal(results[1], results[2]) and not np.array_equal(results[0], results[1])
