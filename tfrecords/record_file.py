"""Writing a TFRecord file, and where each of its records begins."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from tfrecords.workspace import atomic_path

# A record is framed by its length (8 bytes) before it, and a checksum (4 bytes) of the length and of the data.
FRAMING = 16


def write_records(path: Path, examples: Iterable[bytes]) -> tuple[tuple[int, ...], str]:
    """Writes serialised examples atomically; returns each one's offset with the file's size last, and its SHA-256."""
    # TensorFlow takes seconds and hundreds of megabytes to import, and only this stage of the pipeline needs it.
    import tensorflow as tf

    offsets = [0]
    with atomic_path(path) as temporary:
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            for serialized in examples:
                writer.write(serialized)
                offsets.append(offsets[-1] + len(serialized) + FRAMING)
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
    return tuple(offsets), digest
