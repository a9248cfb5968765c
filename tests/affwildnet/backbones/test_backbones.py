"""Every registered backbone passes the same checks."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.backbones import BACKBONES


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_features_are_one_finite_vector_a_face_and_do_not_depend_on_batching(name: str) -> None:
    tf.keras.utils.set_random_seed(1)
    backbone = BACKBONES[name](96)
    faces = np.random.default_rng(1).uniform(-1, 1, (3, 96, 96, 3)).astype(np.float32)
    features = backbone(faces, training=False).numpy()
    assert features.shape == (3, backbone.output_shape[-1]) and np.isfinite(features).all()
    alone = np.concatenate([backbone(faces[i : i + 1], training=False) for i in range(3)])
    np.testing.assert_allclose(alone, features, rtol=1e-4, atol=1e-5)
    assert not np.allclose(features[0], features[1])
