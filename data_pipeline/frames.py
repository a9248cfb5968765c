"""A decoded frame, of which only the parts that are asked for are turned into RGB.

A video's frame is luma and two smaller planes of colour. Turning all of a 720p frame into RGB costs a third of what its
decoding does, while a detector wants a small copy of it and the crops want its faces only.
"""

from __future__ import annotations

import dataclasses
import functools

import av
import cv2
import numpy as np

# Red's and blue's part of luma, by the number that ITU-T H.273 gives the matrix: BT.709, unknown, BT.601 twice. ffmpeg
# takes an unknown one for BT.601, so this does too.
_LUMA_PARTS = {1: (0.2126, 0.0722), 2: (0.299, 0.114), 5: (0.299, 0.114), 6: (0.299, 0.114)}
_FULL_RANGE = 2
_PLANAR = ("yuv420p", "yuvj420p")


@dataclasses.dataclass(frozen=True)
class Frame:
    """One frame: uint8 planes Y (H, W), U and V (H/2, W/2, rounded up), or one RGB picture (H, W, 3) alone.

    `to_rgb` is the float matrix (3, 4) from (Y, U, V, 1) to RGB, or None where `planes` is a picture; `plain` says that
    it is BT.601's with 16 to 235, which OpenCV turns into RGB quickest. Planes are views of the decoder's memory: keep
    a few frames, not all.
    """

    planes: tuple[np.ndarray, ...]
    to_rgb: np.ndarray | None = None
    plain: bool = False

    @property
    def height(self) -> int:
        return int(self.planes[0].shape[0])

    @property
    def width(self) -> int:
        return int(self.planes[0].shape[1])

    def picture(self) -> np.ndarray:
        """All of it, uint8 RGB (height, width, 3)."""
        return self.region(0, 0, self.width, self.height)

    def region(self, left: int, top: int, right: int, bottom: int) -> np.ndarray:
        """The pixels within these bounds, which must lie in the frame, uint8 RGB (bottom - top, right - left, 3)."""
        first = self.planes[0][top:bottom, left:right]
        if self.to_rgb is None:
            return first
        x, y = left // 2, top // 2
        width, height = (right + 1) // 2 - x, (bottom + 1) // 2 - y
        parts = [first]
        for plane in self.planes[1:]:
            doubled = cv2.resize(plane[y : y + height, x : x + width], (2 * width, 2 * height))
            parts.append(doubled[top - 2 * y : bottom - 2 * y, left - 2 * x : right - 2 * x])
        return cv2.transform(cv2.merge(parts), self.to_rgb)

    def region_for_jpeg(self, left: int, top: int, right: int, bottom: int) -> np.ndarray:
        """`region`, quicker where the frame is `plain`: colour is not smoothed between pixels, for JPEG undoes it."""
        x, y = left // 2, top // 2
        width, height = (right + 1) // 2 - x, (bottom + 1) // 2 - y
        if not self.plain or 2 * (x + width) > self.width or 2 * (y + height) > self.height:
            return self.region(left, top, right, bottom)
        joined = np.empty((3 * height, 2 * width), np.uint8)  # Y, then U and V row after row, as OpenCV wants them
        joined[: 2 * height] = self.planes[0][2 * y : 2 * (y + height), 2 * x : 2 * (x + width)]
        colours = joined[2 * height :].reshape(2, height, width)
        for colour, plane in zip(colours, self.planes[1:], strict=True):
            colour[:] = plane[y : y + height, x : x + width]
        whole = cv2.cvtColor(joined, cv2.COLOR_YUV2RGB_I420)
        return whole[top - 2 * y : bottom - 2 * y, left - 2 * x : right - 2 * x]

    def resized(self, width: int, height: int) -> np.ndarray:
        """The whole frame at another size, uint8 RGB (height, width, 3)."""
        return self._joined([cv2.resize(plane, (width, height)) for plane in self.planes])

    def square(self, x: float, y: float, side: float, pixels: int) -> np.ndarray:
        """The square around (x, y) as uint8 RGB (pixels, pixels, 3); its edge goes on where the frame ends."""
        parts = []
        for plane in self.planes:
            scale = plane.shape[1] / self.width, plane.shape[0] / self.height
            step = side / pixels * scale[0], side / pixels * scale[1]
            # Pixel centres of the square -> the plane's pixel centres.
            corner = [(place - side / 2) * s + d / 2 - 0.5 for place, s, d in zip((x, y), scale, step, strict=True)]
            matrix = np.array([[step[0], 0, corner[0]], [0, step[1], corner[1]]])
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            parts.append(cv2.warpAffine(plane, matrix, (pixels, pixels), flags=flags, borderMode=cv2.BORDER_REPLICATE))
        return self._joined(parts)

    def luma(self, width: int, height: int) -> np.ndarray:
        """The brightness of the frame at a small size, uint8 (height, width), sampled quickly."""
        small = cv2.resize(self.planes[0], (width, height))
        return small if self.to_rgb is not None else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        return parts[0] if self.to_rgb is None else cv2.transform(cv2.merge(parts), self.to_rgb)


def decoded_frame(frame: av.VideoFrame) -> Frame:
    """PyAV's frame as ours, upright: its planes where they are 8-bit 4:2:0 in a known matrix, else its RGB picture."""
    planar = frame.format.name in _PLANAR and int(frame.colorspace) in _LUMA_PARTS and frame.rotation == 0
    if not planar:
        return Frame((np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)),))
    full_range = frame.format.name == "yuvj420p" or int(frame.color_range) == _FULL_RANGE
    matrix = int(frame.colorspace)
    plain = _LUMA_PARTS[matrix] == _LUMA_PARTS[6] and not full_range
    return Frame(tuple(_view(plane) for plane in frame.planes), _yuv_to_rgb(matrix, full_range), plain)


def _view(plane: av.video.plane.VideoPlane) -> np.ndarray:
    # PyAV's stubs leave out that a plane is a buffer.
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
    return rows[: plane.height, : plane.width]


@functools.cache
def _yuv_to_rgb(matrix: int, full_range: bool) -> np.ndarray:
    """Float (3, 4), from (Y, U, V, 1) of 0 to 255 to RGB of 0 to 255 (ITU-T H.273, equations 8.3)."""
    red, blue = _LUMA_PARTS[matrix]
    green = 1 - red - blue
    # RGB from Y in [0, 1] and U, V in [-1/2, 1/2].
    mix = np.array(
        [
            [1, 0, 2 * (1 - red)],
            [1, -2 * blue * (1 - blue) / green, -2 * red * (1 - red) / green],
            [1, 2 * (1 - blue), 0],
        ]
    )
    black, luma_steps, chroma_steps = (0, 255, 255) if full_range else (16, 219, 224)
    scaled = 255 * mix / [luma_steps, chroma_steps, chroma_steps]
    return np.concatenate([scaled, -scaled @ np.array([[black], [128], [128]])], axis=1)
