"""What `predict` leaves of a video: a CSV, a plot of the curves, and the video with boxes and values drawn in."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from affwildnet.video_prediction import Prediction
from data_pipeline.decode import video_frames
from tfrecords.workspace import atomic_path

BOX = ("x", "y", "width", "height")
COLOURS = {"valence": "#0072b2", "arousal": "#d55e00"}  # told apart by people with any colour vision
SYNTHETIC = "SYNTHETIC"
SYNTHETIC_NOTICE = "SYNTHETIC: this model was trained on drawn faces and knows no people"


def write_rows(
    path: Path, predictions: Iterable[Prediction], outputs: Sequence[str], frame_rate: float, synthetic: bool
) -> tuple[int, int]:
    """Writes the CSV as predictions come; returns the numbers of frames and of frames with a face.

    Columns: frame (from 1), seconds ((frame - 1) / rate, the time at which it is shown), track, x, y, width, height,
    score, one for each output, and model, which says SYNTHETIC where it knows drawn faces only.
    """
    frames = with_face = 0
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["frame", "seconds", "track", *BOX, "score", *outputs, "model"])
        model = SYNTHETIC if synthetic else ""
        last_with_face = -1
        for row in predictions:
            frames = row.frame + 1
            cells: list[object] = [""] * (6 + len(outputs))
            if row.face is not None and row.values is not None:
                box = [f"{getattr(row.face, side):.1f}" for side in BOX]
                values = [f"{value:.4f}" for value in row.values]
                cells = [row.track, *box, f"{row.face.score:.3f}", *values]
                with_face += row.frame != last_with_face
                last_with_face = row.frame
            writer.writerow([frames, f"{row.frame / frame_rate:.4f}", *cells, model])
    return frames, with_face


def read_rows(path: Path) -> list[dict[str, str]]:
    """The CSV that `write_rows` wrote."""
    with open(path, encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def plot_curves(rows: Sequence[dict[str, str]], outputs: Sequence[str], path: Path, title: str) -> None:
    """A PNG of each output over time, a line for every person, broken where the face is away."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(outputs), 1, sharex=True, figsize=(10, 2.6 * len(outputs)), squeeze=False)
    tracks = sorted({int(row["track"]) for row in rows if row["track"]})
    for axis, name in zip(axes[:, 0], outputs, strict=True):
        for track in tracks:
            own = [row for row in rows if row["track"] == str(track)]
            seconds = np.array([float(row["seconds"]) for row in own])
            values = np.array([float(row[name]) for row in own])
            holes = np.flatnonzero(np.diff(seconds) > 0.1) + 1
            style = {"color": COLOURS.get(name)} if len(tracks) == 1 else {"label": f"person {track}"}
            axis.plot(np.insert(seconds, holes, np.nan), np.insert(values, holes, np.nan), **style)
        axis.axhline(0, color="0.7", linewidth=0.8)
        axis.set_ylabel(name)
        axis.set_ylim(-1.05, 1.05)
        if len(tracks) > 1:
            axis.legend(loc="upper right", fontsize="small")
        if not tracks:
            axis.text(0.5, 0.5, "no face was found", transform=axis.transAxes, ha="center")
    axes[-1, 0].set_xlabel("seconds")
    figure.suptitle(title)
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)


def write_overlay(
    video: Path, rows: Sequence[dict[str, str]], outputs: Sequence[str], frame_rate: float, path: Path, synthetic: bool
) -> None:
    """The video as H.264 MP4 with each person's box and values drawn in."""
    by_frame: dict[int, list[dict[str, str]]] = {}
    for row in rows:
        by_frame.setdefault(int(row["frame"]), []).append(row)
    with atomic_path(path) as temporary, av.open(str(temporary), "w") as container:
        stream = None
        for number, picture in enumerate(_even_frames(video, frame_rate), start=1):
            if stream is None:
                stream = container.add_stream(
                    "libx264", rate=round(frame_rate), options={"crf": "20", "preset": "veryfast"}
                )
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            for row in by_frame.get(number, []):
                if row["track"]:
                    draw_person(picture, row, outputs)
            if synthetic:
                _label(picture, SYNTHETIC, (6, picture.shape[0] - 8), _text_scale(picture), (255, 255, 0))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode(None))


def draw_person(picture: np.ndarray, row: dict[str, str], outputs: Sequence[str]) -> None:
    """Draws one row's box and values into an uint8 RGB picture."""
    x, y, width, height = (round(float(row[side])) for side in BOX)
    scale = _text_scale(picture)
    cv2.rectangle(picture, (x, y), (x + width, y + height), (255, 255, 255), 2)
    line = round(24 * scale)
    # Above the box where there is room, else inside its upper edge.
    top = y - 6 - line * (len(outputs) - 1) if y > line * (len(outputs) + 0.5) else y + line
    for index, name in enumerate(outputs):
        colour = tuple(int(COLOURS.get(name, "#333333")[i : i + 2], 16) for i in (1, 3, 5))
        text = f"{name} {float(row[name]):+.2f}"
        _label(picture, text, (max(x, 2), top + index * line), scale, (255, 255, 255), colour)


def _label(
    picture: np.ndarray,
    text: str,
    at: tuple[int, int],
    scale: float,
    colour: tuple[int, ...],
    background: tuple[int, ...] = (0, 0, 0),
) -> None:
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale * 0.6, 1)
    cv2.rectangle(picture, (at[0] - 2, at[1] - height - 4), (at[0] + width + 2, at[1] + 4), background, -1)
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale * 0.6, colour, 1, cv2.LINE_AA)


def _text_scale(picture: np.ndarray) -> float:
    return max(0.7, picture.shape[0] / 480)


def _even_frames(video: Path, frame_rate: float) -> Iterator[np.ndarray]:
    """Frames whose sides H.264 can hold in 4:2:0, cut by a pixel if need be."""
    for picture in video_frames(video, frame_rate):
        yield np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])
