"""One source -> its files and their sidecar, unless they are there and current."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from affwildnet.checkpoints import choose_checkpoint
from affwildnet.devices import use_device
from affwildnet.model_folder import ModelFolder
from affwildnet.predict_options import PredictOptions
from affwildnet.predict_sources import Source
from affwildnet.prediction_files import PredictedVideo, columns
from affwildnet.prediction_formats import FORMATS, SIDECAR, format_files, write_formats
from affwildnet.prediction_rows import RowStore, open_store
from affwildnet.serving import LoadedModel, open_model
from affwildnet.source_faces import clip_facts, find_faces, has_detections, workspace_faces, workspace_inputs
from affwildnet.stop_signals import stopped_by_signals, until
from affwildnet.video_prediction import FramePrediction, predict_ahead
from data_pipeline.decode import FRAME_RATE
from data_pipeline.detectors import Detect, load_detector
from data_pipeline.probe import check_length, probe
from data_pipeline.timed_frames import TimedFrame, camera_frames, stream_frames, timed_frames
from data_pipeline.tracks import People
from tfrecords.errors import InputError
from tfrecords.workspace import read_json, write_json

# Rises whenever the same video and model would give other rows.
VERSION = 1


@dataclasses.dataclass(frozen=True)
class Predicted:
    """What became of a source: its files, frames, frames with a face and people; or why it was set aside."""

    files: tuple[str, ...] = ()
    frames: int = 0
    with_face: int = 0
    people: int = 0
    reason: str = ""


@functools.lru_cache(maxsize=1)
def load_tools(stamp: str, chosen: PredictOptions) -> tuple[LoadedModel, Detect]:
    """The model and the detector, loaded once a process; `stamp` (of `model_stamp`) so that a new model is noticed."""
    _choose_device(chosen.gpu)
    detect = load_detector(chosen.detector, chosen.min_score, yunet_model=chosen.yunet_model)
    return open_model(Path(chosen.model), chosen.checkpoint), detect


@functools.cache
def _choose_device(gpu: int) -> str:
    return use_device(gpu)


def model_stamp(chosen: PredictOptions) -> str:
    """A digest of the model's files by name, size and time of change.

    Raises:
      InputError: the folder holds no model, or not that checkpoint.
    """
    root = Path(chosen.model)
    files = [root / name for name in ("model.json", "input.json", "saved_model.pb") if (root / name).exists()]
    if (root / "saved_model.pb").exists():
        files += sorted((root / "variables").glob("*"))
    elif (root / "model.json").exists():
        prefix = Path(choose_checkpoint(ModelFolder(root), chosen.checkpoint))
        files += sorted(prefix.parent.glob(f"{prefix.name}.*"))
    else:
        what = "this is neither a model folder nor an exported model"
        raise InputError(root, what, "name a folder that affwildnet.train or affwildnet.export has written")
    return _digest([(path.name, *_stamp(path)) for path in files])


def made_from(source: Source, chosen: PredictOptions, stamp: str) -> str:
    """A digest of all that a source's rows depend on: video and model by size and time of change, and options."""
    inputs = [(source.place, *_stamp(source.path))]
    if _uses_workspace(source, chosen):
        inputs += [(path.name, *_stamp(path)) for path in workspace_inputs(source) if path.exists()]
    names = ("detector", "min_score", "yunet_model", "stored_faces", "rate", "rate_method", "tier_seconds")
    return _digest([VERSION, stamp, inputs, [getattr(chosen, name) for name in names]])


def is_current(source: Source, chosen: PredictOptions, stamp: str) -> bool:
    """Whether all files that are asked for are there, made from what there is now. A stream's never are."""
    sidecar = _read_sidecar(Path(chosen.output) / f"{source.name}{SIDECAR}")
    if source.kind != "file" or not sidecar.get("complete") or not source.path.exists():
        return False
    wanted = format_files(Path(chosen.output), source.name, chosen.formats)
    known = set(sidecar["files"])
    return sidecar["made_from"] == made_from(source, chosen, stamp) and all(
        path.name in known and path.exists() for path in wanted
    )


def check_in_the_way(source: Source, chosen: PredictOptions) -> None:
    """Raises `InputError` if a file that is no prediction would be replaced."""
    output = Path(chosen.output)
    sidecar, table = output / f"{source.name}{SIDECAR}", output / f"{source.name}.csv"
    if _read_sidecar(sidecar):
        return
    if table.is_file() and not sidecar.exists():
        with open(table, "rb") as stream:
            if stream.read(14) == b"frame,seconds,":
                return
    for path in [sidecar, *format_files(output, source.name, tuple(FORMATS))]:
        if path.exists():
            raise InputError(path, "a file is in the way that is no prediction", "name another folder in --output")


def predict_source(
    source: Source, chosen: PredictOptions, stamp: str, seconds: float = 0.0, bar: bool = True
) -> Predicted:
    """Predicts one source (of a stream or camera the first `seconds`, or up to Ctrl-C) and writes its files.

    Raises:
      InputError: it cannot be read, or breaks off (then the files hold what there is).
    """
    model, detect = load_tools(stamp, dataclasses.replace(chosen, formats=(), output=""))
    facts = probe(source.path) if source.kind == "file" else None
    rate = model.spec.frame_rate
    entries: list[str] = []
    if _uses_workspace(source, chosen) and rate == FRAME_RATE:
        entries, seen = workspace_faces(source, model)
    else:
        seen = find_faces(open_frames(source, rate, seconds), model, detect)
    people = People(len(entries) + 1)
    with contextlib.ExitStack() as stack:
        if source.kind != "file":
            seen = until(seen, stack.enter_context(stopped_by_signals()))
        store = stack.enter_context(open_store(Path(chosen.output) / f"{source.name}.rows", len(model.outputs)))
        predictions = predict_ahead(seen, model, people, chosen.batch_faces)
        for prediction in _with_progress(predictions, round((facts.seconds if facts else 0) * rate), source.name, bar):
            store.add(prediction)
        store.number_people(people.joined(), len(entries))
        done = keep_prediction(source, chosen, stamp, model, tuple(entries), store)
    if facts is not None:
        check_length(source.path, facts, store.frames / rate)
    return done


def open_frames(source: Source, frame_rate: float, seconds: float = 0.0) -> Iterator[TimedFrame]:
    """The source's frames at an even rate, up to `seconds` after the first one (0: all)."""
    opened: dict[str, Callable[[], Iterator[TimedFrame]]] = {
        "file": lambda: timed_frames(source.path, frame_rate),
        "stream": lambda: stream_frames(source.place, frame_rate),
        "camera": lambda: camera_frames(int(source.place), frame_rate),
    }
    for timed in opened[source.kind]():
        if seconds and timed.number >= seconds * frame_rate:
            return
        yield timed


def keep_prediction(
    source: Source,
    chosen: PredictOptions,
    stamp: str,
    model: LoadedModel,
    entries: tuple[str, ...],
    store: RowStore,
    drawn: tuple[Path, ...] = (),
) -> Predicted:
    """Writes the files of the rows in `store` and the sidecar; `drawn` have been written as the video went on."""
    output, is_file = Path(chosen.output), source.kind == "file"
    sidecar = output / f"{source.name}{SIDECAR}"
    known = _read_sidecar(sidecar)
    origin = made_from(source, chosen, stamp) if is_file else ""
    formats = tuple(name for name in FORMATS if name in chosen.formats and (is_file or name != "overlay"))
    video = PredictedVideo(
        title=Path(source.name).name if not is_file else source.path.name,
        place=source.place,
        is_file=is_file,
        outputs=tuple(model.outputs),
        frame_rate=model.spec.frame_rate,
        synthetic=model.synthetic,
        entries=entries,
        store=store,
        heads=model.heads,
        rate=chosen.rate,
        rate_method=chosen.rate_method,
        tier_seconds=chosen.tier_seconds,
    )
    files = [path.name for path in [*format_files(output, source.name, formats), *drawn]]
    older = [name for name in known.get("files", []) if name not in files]
    if origin and known.get("made_from") == origin:
        files += [name for name in older if (sidecar.parent / name).exists()]
        older = []
    told = _facts(source, chosen, video) | {"files": files, "made_from": origin}
    # Before the files, so that a run cut short is known for ours; `complete` after them.
    write_json(sidecar, {"complete": False, **told})
    for name in older:  # of another model or video: beside the new ones they would be taken for theirs
        (sidecar.parent / name).unlink(missing_ok=True)
    written = [*write_formats(video, output, source.name, formats), *drawn]
    broken_off = is_file and store.frames / video.frame_rate < 0.99 * probe(source.path).seconds - 0.5
    write_json(sidecar, {"complete": not broken_off, **told})
    return Predicted(tuple(map(str, written)), store.frames, store.with_face, len(store.seen))


def _facts(source: Source, chosen: PredictOptions, video: PredictedVideo) -> dict[str, Any]:
    store = video.store
    people = [
        {"track": track, "entry": video.entry(track), "frames": seen.frames, "first_seconds": round(seen.first, 4),
         "last_seconds": round(seen.last, 4)}
        for track, seen in store.seen.items()
    ]  # fmt: skip
    return {
        "affwildnet_prediction": VERSION,
        "video": source.place,
        **(clip_facts(source) if source.workspace else {}),
        "outputs": list(video.outputs),
        "columns": columns(video.outputs, video.heads),
        "frame_rate": video.frame_rate,
        "rate": chosen.rate or video.frame_rate,
        "rate_method": chosen.rate_method if chosen.rate else "",
        "frames": store.frames,
        "frames_with_face": store.with_face,
        "frames_left_out": store.last_number + 1 - store.frames,
        "people": people,
        "model": {"folder": chosen.model, "checkpoint": chosen.checkpoint, "synthetic": video.synthetic},
    }


def _uses_workspace(source: Source, chosen: PredictOptions) -> bool:
    return chosen.stored_faces and has_detections(source)


def _with_progress(
    predictions: Iterator[FramePrediction], frames: int, title: str, shown: bool
) -> Iterator[FramePrediction]:
    with tqdm(total=frames or None, unit="frame", desc=title, disable=not shown) as bar:
        for prediction in predictions:
            bar.update(prediction.timed.number + 1 - bar.n)
            yield prediction


def _read_sidecar(path: Path) -> dict[str, Any]:
    """A prediction's sidecar, or an empty one where there is none of ours."""
    try:
        value = read_json(path) if path.exists() else {}
    except InputError:
        return {}
    return value if isinstance(value, dict) and "affwildnet_prediction" in value else {}


def _stamp(path: Path) -> tuple[int, int]:
    facts = os.stat(path)
    return facts.st_size, facts.st_mtime_ns


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()[:24]
