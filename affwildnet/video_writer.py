"""Pictures -> an H.264 MP4, a frame at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tfrecords.workspace import atomic_path


@contextlib.contextmanager
def open_video(path: Path, frame_rate: float) -> Iterator[Callable[[np.ndarray], None]]:
    """Yields ``write(picture)`` for uint8 RGB (H, W, 3) of one size; `path` is there when the block has ended well.

    H.264 in 4:2:0 holds even sides: a last odd row or column is left out.
    """
    with atomic_path(path) as temporary:
        with av.open(str(temporary), "w") as container:
            rate = Fraction(frame_rate).limit_denominator(1001)
            stream = container.add_stream("libx264", rate=rate, options={"crf": "20", "preset": "veryfast"})
            stream.pix_fmt = "yuv420p"
            begun = False

            def write(picture: np.ndarray) -> None:
                nonlocal begun
                even = np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])
                if not begun:
                    stream.height, stream.width = even.shape[:2]
                    begun = True
                container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))

            yield write
            if begun:
                container.mux(stream.encode(None))
