"""Random changes of faces, the same over a whole sequence, so that nothing moves that the person did not move.

What is drawn for a sequence depends on the seed and the sequence's number in training alone, so that a resumed run
draws it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

# A face after the change, float32 (T, S, S, 3) in [0, 255], and its landmarks float32 (T, 68, 2) in the box.
Changed = tuple[tf.Tensor, tf.Tensor]


def _mirrored() -> np.ndarray:
    """Which of iBUG's 68 landmarks each becomes in the mirror, int64 (68,)."""
    pairs = [(0, 16), (17, 26), (31, 35), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46), (48, 54)]
    pairs += [(49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67)]
    pairs += [(1 + n, 15 - n) for n in range(7)] + [(18 + n, 25 - n) for n in range(4)] + [(32, 34)]
    order = np.arange(68)
    for left, right in pairs:
        order[[left, right]] = right, left
    return order


MIRRORED = _mirrored()


def flip(faces: tf.Tensor, landmarks: tf.Tensor, draw: tf.Tensor) -> Changed:
    """Left and right exchanged, in half of the sequences."""
    mirrored = tf.gather(landmarks, MIRRORED, axis=1) * [-1.0, 1.0]
    turn = draw[0] < 0.5
    return tf.where(turn, tf.reverse(faces, axis=[2]), faces), tf.where(turn, mirrored, landmarks)


def colour(faces: tf.Tensor, landmarks: tf.Tensor, draw: tf.Tensor) -> Changed:
    """Contrast by up to a fifth, brightness by up to 25 of 255, each channel by up to a tenth."""
    mean = tf.reduce_mean(faces, keepdims=True)
    changed = (faces - mean) * (0.8 + 0.4 * draw[0]) + mean + 50.0 * (draw[1] - 0.5)
    return tf.clip_by_value(changed * (0.9 + 0.2 * draw[2:5]), 0.0, 255.0), landmarks


def crop(faces: tf.Tensor, landmarks: tf.Tensor, draw: tf.Tensor) -> Changed:
    """A square of 0.8 to 1 of the side, anywhere, brought back to the size."""
    side = 0.8 + 0.2 * draw[0]
    begin = draw[1:3] * (1 - side)  # x, y
    count, size = tf.shape(faces)[0], faces.shape[1]
    # Where the outer pixels' centres of the result lie, in pixels; crop_and_resize takes these, 0 to 1 of size - 1.
    centres = tf.concat([begin * size + 0.5 * side, (begin + side) * size - 0.5 * side], axis=0) - 0.5
    box = tf.clip_by_value(centres / (size - 1), 0.0, 1.0)
    boxes = tf.tile(tf.gather(box, [1, 0, 3, 2])[None], [count, 1])  # it wants y first
    changed = tf.image.crop_and_resize(faces, boxes, tf.range(count), [size, size])
    middle = 2 * begin + side - 1
    return changed, (landmarks - middle) / side


def erase(faces: tf.Tensor, landmarks: tf.Tensor, draw: tf.Tensor) -> Changed:
    """A rectangle of a tenth to two fifths of each side gets one colour (after Zhong et al., 2020)."""
    size = faces.shape[1]
    sides = 0.1 + 0.3 * draw[0:2]
    begin = draw[2:4] * (1 - sides) * size
    places = tf.range(size, dtype=tf.float32)
    within = [(places >= begin[axis]) & (places < begin[axis] + sides[axis] * size) for axis in (0, 1)]
    hidden = within[0][:, None] & within[1][None]
    return tf.where(hidden[None, :, :, None], 255.0 * draw[4:7], faces), landmarks


_CHANGES: Mapping[str, Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Changed]] = {
    "flip": flip,
    "crop": crop,
    "colour": colour,
    "erase": erase,
}
_DRAWS = 8


def augment_batch(
    batch: Mapping[str, tf.Tensor], names: Sequence[str], seed: int, first: tf.Tensor
) -> dict[str, tf.Tensor]:
    """`batch` with its ``faces`` uint8 (B, T, S, S, 3), and its ``landmarks_68`` if it has them, changed.

    Args:
      names: of flip, crop, colour, erase, which are applied in this order.
      seed: the training's.
      first: int64, the number in training of the batch's first sequence.
    """
    faces = batch["faces"]
    sequences, length = tf.shape(faces)[0], tf.shape(faces)[1]
    known = "landmarks_68" in batch
    landmarks = batch["landmarks_68"] if known else tf.zeros([sequences, length, 136])

    def change(number: tf.Tensor) -> Changed:
        row = tf.cast(number - first, tf.int32)
        changed, points = tf.cast(faces[row], tf.float32), tf.reshape(landmarks[row], [-1, 68, 2])
        for place, (name, apply) in enumerate(_CHANGES.items()):
            if name in names:
                draw = tf.random.stateless_uniform([_DRAWS], tf.stack([seed * len(_CHANGES) + place, number]))
                changed, points = apply(changed, points, draw)
        return tf.cast(tf.round(changed), tf.uint8), tf.reshape(points, [-1, 136])

    numbers = first + tf.range(sequences, dtype=tf.int64)
    kinds = (tf.TensorSpec(faces.shape[1:], tf.uint8), tf.TensorSpec([None, 136], tf.float32))
    changed, points = tf.map_fn(change, numbers, fn_output_signature=kinds)
    return {**batch, "faces": changed} | ({"landmarks_68": points} if known else {})
