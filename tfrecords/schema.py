"""The record schema: one `tf.train.Example` a labelled frame.

| key | type | in profile |
| --- | --- | --- |
| ``frameNo`` | bytes, ``ENTRY/00012`` | original, face |
| ``frame`` | bytes: the face, JPEG, PNG, raw uint8 or float32 (size, size, 3) RGB in [0, 255] | original, face |
| ``valence``, ``arousal`` | int64 in [-1000, 1000] | original, face |
| ``label/NAME`` | float, any label by name, valence and arousal in [-1, 1]; no key where it is missing | face |
| ``box`` | 4 floats: x, y, width, height in pixels of the clip | face |
| ``score`` | float, the detector's | face |
| ``landmarks`` | 2K floats: x0, y0, x1, y1, … in pixels of the clip | face |
| ``landmarks_68`` | 136 floats: iBUG's 68 landmarks in the box (`faces.landmarks_in_box`) | face, where found |

The original's own four keys are the profile ``original`` (SPEC, TFRecords), which has all of them in every record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import tensorflow as tf

from tfrecords.crops import RECORD_JPEG_QUALITY, encode_jpeg
from tfrecords.labels import ORIGINAL_LABELS
from tfrecords.sidecar import Sidecar

ENCODINGS = ("jpeg", "png", "raw", "float32")
PROFILES = ("face", "original")
# Pictures decoded by as many operations of one graph, and in a group of a loop.
_UNROLLED, _GROUP = 320, 32
SCALE = 1000.0  # the joystick's whole numbers per unit of valence or arousal


def encode_face(face: np.ndarray, encoding: str, jpeg_quality: int = RECORD_JPEG_QUALITY) -> bytes:
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

    `labels` are whole numbers in [-1000, 1000], those that the frame has. The same arguments give the same bytes.
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
    """Labels float32 (N, len(names)) of serialised examples (N,), valence and arousal in [-1, 1], NaN for missing."""
    spec = {"frameNo": tf.io.FixedLenFeature([], tf.string)} | _label_spec(names, profile)
    return _stack_labels(tf.io.parse_example(serialized, spec), names, profile)


def parse_beside_value(
    serialized: tf.Tensor, names: Sequence[str], profile: str, landmarks_68: bool
) -> dict[str, tf.Tensor]:
    """Of serialised examples (N,), with or without what a network takes: ``names`` string (N,), ``ENTRY/00012``;
    ``labels`` float32 (N, len(names)), NaN for missing; with `landmarks_68` those in the box, float32 (N, 136).
    """
    spec = {"frameNo": tf.io.FixedLenFeature([], tf.string)} | _label_spec(names, profile)
    if landmarks_68:
        spec["landmarks_68"] = tf.io.FixedLenFeature([136], tf.float32)
    found = tf.io.parse_example(serialized, spec)
    parsed = {"names": found["frameNo"], "labels": _stack_labels(found, names, profile)}
    return parsed | ({"landmarks_68": found["landmarks_68"]} if landmarks_68 else {})


def _label_spec(names: Sequence[str], profile: str) -> dict[str, tf.io.FixedLenFeature]:
    if profile == "original":
        return {name: tf.io.FixedLenFeature([], tf.int64) for name in names if name in ORIGINAL_LABELS}
    return {f"label/{name}": tf.io.FixedLenFeature([], tf.float32, default_value=np.nan) for name in names}


def _stack_labels(found: Mapping[str, tf.Tensor], names: Sequence[str], profile: str) -> tf.Tensor:
    if profile == "original":
        missing = tf.fill(tf.shape(found["frameNo"]), np.float32(np.nan))
        whole = {name: tf.cast(found[name], tf.float32) / SCALE for name in names if name in found}
        return tf.stack([whole.get(name, missing) for name in names], axis=-1)
    return tf.stack([found[f"label/{name}"] for name in names], axis=-1)


def decode_picture(picture: tf.Tensor, encoding: str) -> tf.Tensor:
    """A JPEG or PNG picture, a string, as uint8 RGB (height, width, 3), the same values as OpenCV's.

    TensorFlow's own choice of the inverse transform, INTEGER_FAST, is hardly quicker and a quarter further off.
    """
    if encoding == "jpeg":
        return tf.io.decode_jpeg(picture, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.io.decode_png(picture, channels=3)


def decode_pictures(pictures: tf.Tensor, encoding: str, size: int) -> tf.Tensor:
    """Pictures, strings (N,), as uint8 RGB (N, size, size, 3), see `decode_picture`.

    One operation a picture and no loop around it, in groups where N is large or unknown: a loop takes as long as a
    picture.
    """

    def decode_group(group: tf.Tensor, count: int) -> tf.Tensor:
        faces = [decode_picture(picture, encoding) for picture in tf.unstack(group, count)]
        return tf.stack([tf.ensure_shape(face, [size, size, 3]) for face in faces])

    if pictures.shape[0] is not None and pictures.shape[0] <= _UNROLLED:
        return decode_group(pictures, pictures.shape[0])
    count = tf.shape(pictures)[0]
    padded = tf.concat([pictures, tf.repeat(pictures[-1:], -count % _GROUP)], axis=0)
    faces = tf.map_fn(
        lambda group: decode_group(group, _GROUP),
        tf.reshape(padded, [-1, _GROUP]),
        fn_output_signature=tf.TensorSpec((_GROUP, size, size, 3), tf.uint8),
    )
    return tf.reshape(faces, [-1, size, size, 3])[:count]


def blank_picture(sidecar: Sidecar) -> bytes:
    """A black face."""
    return encode_face(np.zeros((sidecar.size, sidecar.size, 3), np.uint8), sidecar.encoding)


def blank_rest(sidecar: Sidecar) -> bytes:
    """A serialised example of zeros without its value, in the place of one that cannot be read."""
    feature = {"frameNo": bytes_feature(f"{sidecar.entry}/damaged".encode())}
    if sidecar.profile == "original":
        zero = tf.train.Feature(int64_list=tf.train.Int64List(value=[0]))
        feature |= {name: zero for name in sidecar.labels}
    else:
        feature |= {f"label/{name}": float_feature([0.0]) for name in sidecar.labels}
    if sidecar.landmarks_68:
        feature["landmarks_68"] = float_feature([0.0] * 136)
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(deterministic=True)


def bytes_feature(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def float_feature(values: Sequence[float] | np.ndarray) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))
