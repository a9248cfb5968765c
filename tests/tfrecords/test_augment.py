"""Changes are the same over a sequence, differ between sequences, and are drawn again alike."""

import numpy as np
import pytest
import tensorflow as tf

from tfrecords.augment import _CHANGES, MIRRORED, augment_batch, crop, flip

NAMES = tuple(_CHANGES)


def _batch():
    face = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    landmarks = np.random.default_rng(1).uniform(-1, 1, 136).astype(np.float32)
    faces = np.broadcast_to(face, (3, 4, 96, 96, 3))
    return {"faces": tf.constant(faces), "landmarks_68": tf.constant(np.broadcast_to(landmarks, (3, 4, 136)))}


@pytest.mark.parametrize("name", NAMES)
def test_change_is_one_over_a_sequence_another_for_the_next_and_the_same_when_drawn_again(name):
    changed = [augment_batch(_batch(), (name,), 1, tf.constant(6, tf.int64)) for _ in range(2)]
    faces = changed[0]["faces"].numpy()
    assert faces.dtype == np.uint8 and (faces == faces[:, :1]).all()
    later = augment_batch(_batch(), (name,), 1, tf.constant(7, tf.int64))
    np.testing.assert_array_equal(faces[1:], later["faces"].numpy()[:2])
    for key in ("faces", "landmarks_68"):
        np.testing.assert_array_equal(changed[0][key], changed[1][key])
    several = augment_batch(
        _batch()
        | {"faces": tf.tile(_batch()["faces"], [4, 1, 1, 1, 1])}
        | {"landmarks_68": tf.tile(_batch()["landmarks_68"], [4, 1, 1])},
        (name,),
        1,
        tf.constant(0, tf.int64),
    )
    assert len({sequence.tobytes() for sequence in several["faces"].numpy()}) > 1


def test_flipped_landmarks_lie_where_the_flipped_face_has_them():
    # Each landmark is drawn as a pixel of its own brightness, then looked for after the flip.
    places = np.random.default_rng(0).permutation(96 * 96)[:68]
    rows, columns = places // 96, places % 96
    face = np.zeros((1, 96, 96, 3), np.float32)
    face[0, rows, columns] = np.arange(1, 69)[:, None]
    points = (np.stack([columns, rows], axis=-1) + 0.5) / 48 - 1
    flipped, moved = flip(tf.constant(face), tf.constant(points[None], tf.float32), tf.zeros(8))
    x, y = np.floor((moved.numpy()[0] + 1) * 48).astype(int).T
    np.testing.assert_array_equal(flipped.numpy()[0, y, x, 0] - 1, MIRRORED)
    assert (MIRRORED[MIRRORED] == np.arange(68)).all() and MIRRORED[36] == 45 and MIRRORED[0] == 16


def test_cropped_landmarks_lie_where_the_cropped_face_has_them():
    rows, columns = np.mgrid[:96, :96].astype(np.float32)
    face = np.stack([columns, rows, rows], axis=-1)[None]  # a pixel tells where it was
    draw = tf.constant([0.3, 0.4, 0.7] + [0.0] * 5)
    changed, moved = crop(tf.constant(face), tf.constant([[[0.1, -0.2]] * 68]), draw)
    x, y = (moved.numpy()[0, 0] + 1) * 48 - 0.5
    found = changed.numpy()[0, round(float(y)), round(float(x)), :2]
    np.testing.assert_allclose(found, [1.1 * 48 - 0.5, 0.8 * 48 - 0.5], atol=0.6)
