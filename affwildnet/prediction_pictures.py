"""What people look at of a prediction: a plot of the curves, and the video with boxes and values drawn in."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from affwildnet.affect_drawing import COLOURS, draw_note, draw_person
from affwildnet.heads import most_telling, regression_places
from affwildnet.prediction_files import SYNTHETIC, SYNTHETIC_NOTICE, PredictedVideo
from affwildnet.video_writer import open_video
from data_pipeline.timed_frames import timed_frames
from tfrecords.workspace import atomic_path

# Points of a curve; of a longer video each is a mean, with its least and greatest around it.
POINTS = 1800
# So many people, those longest in view, are plotted.
MOST_PLOTTED = 10


def plot_curves(video: PredictedVideo, path: Path) -> None:
    """A PNG of each output over time, a line for every person, broken where the face is away."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    seen = video.store.seen
    tracks = sorted(sorted(seen, key=lambda track: -seen[track].frames)[:MOST_PLOTTED])
    curves = _curves(video, tracks)
    regressions = regression_places(video.outputs, video.heads)
    figure, axes = plt.subplots(
        len(video.outputs), 1, sharex=True, figsize=(10, 2.6 * len(video.outputs)), squeeze=False
    )
    for place, (axis, name) in enumerate(zip(axes[:, 0], video.outputs, strict=True)):
        for track in tracks:
            seconds, mean, low, high = (part if part.ndim == 1 else part[:, place] for part in curves[track])
            colour = {"color": COLOURS[name]} if len(tracks) == 1 and name in COLOURS else {}
            (line,) = axis.plot(seconds, mean, label=video.person(track), **colour)
            if video.store.frames > POINTS:
                axis.fill_between(seconds, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
        axis.axhline(0, color="0.7", linewidth=0.8)
        axis.set_ylabel(name)
        # Values are not clipped, so the axis goes as far as they do.
        low, high = axis.get_ylim()
        axis.set_ylim(min(-1.05 if place in regressions else -0.05, low), max(1.05, high))
        if len(tracks) > 1 and not place:
            axis.legend(loc="upper left", bbox_to_anchor=(1.005, 1.0), fontsize="small")
        if not tracks:
            axis.text(0.5, 0.5, "no face was found", transform=axis.transAxes, ha="center")
    axes[-1, 0].set_xlabel("seconds")
    more = f", the {MOST_PLOTTED} longest in view of {len(seen)} people" if len(seen) > MOST_PLOTTED else ""
    figure.suptitle(f"{video.title}{f' – {SYNTHETIC_NOTICE}' if video.synthetic else ''}{more}")
    figure.tight_layout()  # the legend is counted in
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)


def _curves(video: PredictedVideo, tracks: list[int]) -> dict[int, tuple[np.ndarray, ...]]:
    """Track -> seconds (N,), mean, least and greatest values (N, outputs), NaN where the person is away."""
    frames = max(1, video.store.last_number + 1)
    step = -(-frames // POINTS)
    count, outputs = -(-frames // step), len(video.outputs)
    seconds = np.full(count, np.nan)
    faces = {track: np.zeros(count) for track in tracks}
    sums = {track: np.zeros((count, outputs)) for track in tracks}
    least = {track: np.full((count, outputs), np.inf) for track in tracks}
    most = {track: np.full((count, outputs), -np.inf) for track in tracks}
    for row in video.store.rows():
        place = row.frame // step
        seconds[place] = row.seconds
        if row.track in faces:
            values = np.array(row.values)
            faces[row.track][place] += 1
            sums[row.track][place] += values
            least[row.track][place] = np.minimum(least[row.track][place], values)
            most[row.track][place] = np.maximum(most[row.track][place], values)
    curves: dict[int, tuple[np.ndarray, ...]] = {}
    for track in tracks:
        away = faces[track] == 0
        mean = sums[track] / np.where(away, np.nan, faces[track])[:, None]
        low, high = (np.where(away[:, None], np.nan, part[track]) for part in (least, most))
        curves[track] = seconds, mean, low, high
    return curves


def write_overlay(video: PredictedVideo, path: Path) -> None:
    """The video as H.264 MP4 with each person's box and values drawn in, decoded again a frame at a time."""
    by_frame = itertools.groupby(video.store.rows(), key=lambda row: row.frame)
    found = next(by_frame, None)
    with open_video(path, video.frame_rate) as write:
        for timed in timed_frames(Path(video.place), video.frame_rate):
            if found is None:  # the prediction ended before the video does
                break
            picture = np.ascontiguousarray(timed.frame.picture())
            if found[0] == timed.number:
                for row in found[1]:
                    if row.track:
                        name = video.person(row.track) if len(video.store.seen) > 1 else ""
                        values = dict(zip(video.outputs, row.values, strict=True))
                        draw_person(picture, row.box, most_telling(values, video.heads), name)
                found = next(by_frame, None)
            if video.synthetic:
                draw_note(picture, SYNTHETIC)
            write(picture)
