"""Live video: predicted frame by frame, shown on a page of this machine as it plays, and kept as files at the end."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from affwildnet.affect_drawing import Trail, draw_note, draw_person, draw_plane, person_colour
from affwildnet.heads import most_telling, regression_places
from affwildnet.live_page import serve_page
from affwildnet.predict_job import Predicted, keep_prediction, load_tools, open_frames
from affwildnet.predict_options import LiveOptions, PredictOptions
from affwildnet.predict_sources import Source
from affwildnet.prediction_files import SYNTHETIC
from affwildnet.prediction_formats import format_files
from affwildnet.prediction_rows import open_store
from affwildnet.read_ahead import read_ahead
from affwildnet.serving import LoadedModel
from affwildnet.source_faces import find_faces
from affwildnet.stop_signals import stopped_by_signals, until
from affwildnet.video_prediction import MAX_GAP, FramePrediction, predict_frames, warm_up
from affwildnet.video_writer import open_video
from data_pipeline.timed_frames import TimedFrame
from data_pipeline.tracks import LIVE_HOLD, People

# Frames that may wait to be looked at; of more, the oldest are left out.
_WAITING = 8
_TRAIL_FRAMES = 90
_SHOWN_HEIGHT = 540
# The video file shows the last picture for as long as frames were left out, up to this many.
_LONGEST_STILL = 300


def predict_live(source: Source, chosen: PredictOptions, stamp: str, live: LiveOptions) -> Predicted:
    """Predicts a stream, a camera or a file as it plays until it ends, or somebody stops it (Ctrl-C); writes its files.

    The page's address is printed. Frames that come faster than they can be predicted are left out: they have no rows,
    and the sidecar counts them. Who is who is decided as people come, by 5 faces each.

    Raises:
      InputError: the source cannot be read, or the port is taken.
    """
    tools = dataclasses.replace(chosen, formats=(), output="")
    model, detect = load_tools(stamp, tools)
    warm_up(model)
    people, output = People(), Path(chosen.output)
    show = _Shower(model)
    drawn = tuple(format_files(output, source.name, ("overlay",))) if "overlay" in chosen.formats else ()
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(open_store(output / f"{source.name}.rows", len(model.outputs)))
        page = stack.enter_context(serve_page(live.port, source.name))
        stopped = stack.enter_context(stopped_by_signals())
        print(f"live at {page.address} (Ctrl-C ends it and writes the files)", flush=True)
        frames = open_frames(source, model.spec.frame_rate, live.seconds)
        # What a web server sends may be a file, which comes as fast as the network is.
        comes_at_once = source.kind == "file" or source.place.startswith("http")
        played = until(_at_pace(frames) if comes_at_once else frames, stopped)
        newest = stack.enter_context(read_ahead(played, _WAITING, newest=True))
        with contextlib.ExitStack() as files:
            write = files.enter_context(open_video(drawn[0], model.spec.frame_rate)) if drawn else None
            seen = find_faces(newest, model, detect)
            for prediction in predict_frames(seen, model, people, 1, LIVE_HOLD, keep_pictures=True):
                late = prediction.timed.number - store.last_number - 1
                store.add(prediction)
                picture = show(prediction)
                page.publish(picture, _told(prediction, model, store.last_number + 1 - store.frames))
                if write is not None:
                    for _ in range(1 + min(late, _LONGEST_STILL)):
                        write(picture)
        page.end()
        return keep_prediction(source, chosen, stamp, model, (), store, drawn)


class _Shower:
    """A prediction -> the picture that is shown: the frame with boxes, beside it the plane with everyone's trail."""

    def __init__(self, model: LoadedModel) -> None:
        self._outputs, self._heads, self._synthetic = tuple(model.outputs), model.heads, model.synthetic
        # The plane is that of the first two regressions.
        self._axes = regression_places(self._outputs, self._heads)[:2]
        self._trails: dict[int, Trail] = {}
        self._last: dict[int, int] = {}

    def __call__(self, prediction: FramePrediction) -> np.ndarray:
        now, frame = prediction.timed.number, prediction.timed.frame
        scale = _SHOWN_HEIGHT / frame.height
        picture = np.ascontiguousarray(frame.resized(round(frame.width * scale), _SHOWN_HEIGHT))
        for person in prediction.people:
            values = dict(zip(self._outputs, person.values.tolist(), strict=True))
            face = person.face
            box = [scale * side for side in (face.x, face.y, face.width, face.height)]
            draw_person(
                picture, box, most_telling(values, self._heads), f"person {person.number}", person_colour(person.number)
            )
            self._last[person.number] = now
            trail = self._trails.setdefault(person.number, collections.deque(maxlen=_TRAIL_FRAMES))
            if len(self._axes) == 2:
                trail.append((float(person.values[self._axes[0]]), float(person.values[self._axes[1]])))
        for number in [number for number, last in self._last.items() if now - last > MAX_GAP]:
            del self._last[number], self._trails[number]
        if self._synthetic:
            draw_note(picture, SYNTHETIC)
        if len(self._axes) < 2:
            return picture
        axes = self._outputs[self._axes[0]], self._outputs[self._axes[1]]
        return np.hstack([picture, draw_plane(_SHOWN_HEIGHT, axes, self._trails)])


def _told(prediction: FramePrediction, model: LoadedModel, left_out: int) -> dict[str, object]:
    people = [
        {"name": f"person {person.number}", "colour": person_colour(person.number),
         "values": dict(zip(model.outputs, map(float, person.values), strict=True))}
        for person in prediction.people
    ]  # fmt: skip
    return {
        "frame": prediction.timed.number + 1,
        "seconds": prediction.timed.seconds,
        "left_out": left_out,
        "people": people,
    }


def _at_pace(
    frames: Iterable[TimedFrame],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[TimedFrame]:
    """Frames that come at once, each no sooner than it would be shown."""
    beginning: float | None = None
    for timed in frames:
        beginning = clock() - timed.seconds if beginning is None else beginning
        sleep(max(0.0, beginning + timed.seconds - clock()))
        yield timed
