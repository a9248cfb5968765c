"""The bytes of image files -> faces, inside a graph."""

from __future__ import annotations

import tensorflow as tf

from affwildnet.graph_resize import graph_resize


def decode_faces(images: tf.Tensor, size: int, resize: str) -> tf.Tensor:
    """Decodes and resizes faces.

    Args:
      images: string (B, T), each the bytes of a JPEG, PNG, BMP or GIF file of one face.
      size, resize: as `InputSpec`'s.

    Returns:
      uint8 RGB (B, T, size, size, 3).

    Raises:
      tf.errors.InvalidArgumentError: some cannot be decoded; it names their numbers, from 0, row by row.
    """
    flat = tf.reshape(images, [-1])
    count = tf.size(flat, out_type=tf.int64)

    def decode(number: tf.Tensor, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        picture = tf.io.decode_image(image, channels=3, expand_animations=False)
        return number, graph_resize(tf.ensure_shape(picture, [None, None, 3]), size, resize)

    # An operator's error ends a whole map and tells no number. A data set can pass over it, and what is missing then
    # is told by the numbers that came through; the first element stands for none, as a batch of nothing is an error.
    decoded = tf.data.Dataset.from_tensor_slices((tf.range(count), flat)).map(decode).ignore_errors()
    nothing = tf.data.Dataset.from_tensors((tf.constant(-1, tf.int64), tf.zeros([size, size, 3], tf.uint8)))
    numbers, faces = nothing.concatenate(decoded).batch(count + 1).get_single_element()
    missing = tf.sets.difference(tf.range(count)[tf.newaxis], numbers[tf.newaxis]).values
    told = "these images are no JPEG or PNG files, or damaged (numbers from 0, row by row):"
    with tf.control_dependencies([tf.debugging.Assert(tf.equal(tf.size(missing), 0), [told, missing], summarize=20)]):
        faces = tf.identity(faces[1:])
    return tf.reshape(faces, tf.concat([tf.shape(images), [size, size, 3]], axis=0))
