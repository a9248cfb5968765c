"""The record schema: one `tf.train.Example` a labelled frame.

| key | type | in profile |
| --- | --- | --- |
| ``frameNo`` | bytes, ``ENTRY/00012`` | original, face |
| ``frame`` | bytes: the face, JPEG, PNG, raw uint8 or float32 (size, size, 3) RGB in [0, 255] | original, face |
| ``valence``, ``arousal`` | int64 in [-1000, 1000] | original, face |
| ``label/NAME`` | float, any label by name, valence and arousal in [-1, 1] | face |
| ``box`` | 4 floats: x, y, width, height in pixels of the clip | face |
| ``score`` | float, the detector's | face |
| ``landmarks`` | 2K floats: x0, y0, x1, y1, … in pixels of the clip | face |
| ``landmarks_68`` | 136 floats: iBUG's 68 landmarks in the box (`faces.landmarks_in_box`) | face, where found |

The original's own four keys are the profile ``original`` (SPEC, TFRecords).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import tensorflow as tf

from tfrecords.crops import encode_jpeg
from tfrecords.labels import ORIGINAL_LABELS

ENCODINGS = ("jpeg", "png", "raw", "float32")
PROFILES = ("face", "original")
SCALE = 1000.0  # the joystick's whole numbers per unit of valence or arousal


def encode_face(face: np.ndarray, encoding: str, jpeg_quality: int = 95) -> bytes:
    """An uint8 RGB face (size, size, 3) as the bytes of `encoding`."""
    if encoding == "jpeg":
        return encode_jpeg(face, jpeg_quality)
    if encoding == "png":
        return cv2.imencode(".png", face[:, :, ::-1])[1].tobytes()
    return face.astype(np.float32 if encoding == "float32" else np.uint8).tobytes()


def encode_example(
    name: str,
    face: bytes,
    labels: Mapping[str, int],
    box: Sequence[float] | None = None,
    score: float | None = None,
    landmarks: np.ndarray | None = None,
    landmarks_68: np.ndarray | None = None,
) -> bytes:
    """One serialised example; with neither box, score nor landmarks it has the profile ``original``.

    `labels` are whole numbers in [-1000, 1000]. The same arguments give the same bytes.
    """
    feature = {"frameNo": bytes_feature(name.encode()), "frame": bytes_feature(face)}
    # Only the original's two: another dimension could be called like any other key.
    whole = {key: tf.train.Int64List(value=[value]) for key, value in labels.items() if key in ORIGINAL_LABELS}
    feature |= {key: tf.train.Feature(int64_list=value) for key, value in whole.items()}
    if box is not None and score is not None and landmarks is not None:
        feature |= {f"label/{key}": float_feature([value / SCALE]) for key, value in labels.items()}
        feature |= {
            "box": float_feature(box),
            "score": float_feature([score]),
            "landmarks": float_feature(landmarks.ravel()),
        }
    if landmarks_68 is not None:
        feature["landmarks_68"] = float_feature(landmarks_68.ravel())
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return example.SerializeToString(deterministic=True)


def parse_labels(serialized: tf.Tensor, names: Sequence[str], profile: str) -> tf.Tensor:
    """Labels float32 (N, len(names)) of serialised examples (N,), valence and arousal in [-1, 1]."""
    if profile == "original":
        spec = {name: tf.io.FixedLenFeature([], tf.int64) for name in names}
        found = tf.io.parse_example(serialized, spec)
        return tf.stack([tf.cast(found[name], tf.float32) / SCALE for name in names], axis=-1)
    spec = {f"label/{name}": tf.io.FixedLenFeature([], tf.float32) for name in names}
    found = tf.io.parse_example(serialized, spec)
    return tf.stack([found[f"label/{name}"] for name in names], axis=-1)


def parse_faces(serialized: tf.Tensor, encoding: str, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Faces uint8 RGB (N, size, size, 3) and frame names string (N,) of serialised examples (N,)."""
    spec = {"frame": tf.io.FixedLenFeature([], tf.string), "frameNo": tf.io.FixedLenFeature([], tf.string)}
    found = tf.io.parse_example(serialized, spec)
    shape = (-1, size, size, 3)
    if encoding == "raw":
        faces = tf.reshape(tf.io.decode_raw(found["frame"], tf.uint8), shape)
    elif encoding == "float32":
        faces = tf.cast(tf.reshape(tf.io.decode_raw(found["frame"], tf.float32), shape), tf.uint8)
    else:
        decode = tf.io.decode_jpeg if encoding == "jpeg" else tf.io.decode_png
        faces = tf.map_fn(lambda data: decode(data, channels=3), found["frame"], fn_output_signature=tf.uint8)
        faces = tf.ensure_shape(faces, (None, size, size, 3))
    return faces, found["frameNo"]


def parse_landmarks_68(serialized: tf.Tensor) -> tf.Tensor:
    """The 68 landmarks in the box, float32 (N, 136), of serialised examples (N,) that have them."""
    return tf.io.parse_example(serialized, {"landmarks_68": tf.io.FixedLenFeature([136], tf.float32)})["landmarks_68"]


def bytes_feature(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def float_feature(values: Sequence[float] | np.ndarray) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))
