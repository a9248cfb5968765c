"""Labels videos with a trained model: ``python -m affwildnet.predict VIDEO [VIDEO …] --model=DIR``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from affwildnet.devices import use_device
from affwildnet.prediction_files import SYNTHETIC_NOTICE, plot_curves, read_rows, write_overlay, write_rows
from affwildnet.serving import LoadedModel, open_model
from affwildnet.video_prediction import Prediction, predict_video
from data_pipeline.detectors import DETECTORS
from data_pipeline.probe import probe
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option

NO_MODEL = (
    "get one by `make demo`, which trains one on drawn faces at build/demo/model, or train your own with "
    "affwildnet.train, and name its folder"
)


@dataclasses.dataclass(frozen=True)
class PredictOptions:
    """What a prediction uses and leaves."""

    model: str = option("", "model folder, or folder of an exported SavedModel")
    output: str = option("predictions", "folder for VIDEO.csv, VIDEO.png and VIDEO-affect.mp4")
    checkpoint: str = option("total", "checkpoint of a model folder: valence, arousal, total, latest or a step")
    detector: str = option("blazeface", "face detector", choices=sorted(DETECTORS))
    min_score: float = option(0.6, "detections less certain than this are dropped, 0 to 1")
    overlay: bool = option(True, "write the video with boxes and values drawn in")
    gpu: int = option(0, "GPU of this process, -1 for the CPU")


def predict_files(video: Path, model: LoadedModel, chosen: PredictOptions) -> list[Path]:
    """Predicts one video and writes its files; returns their paths.

    Raises:
      InputError: the video cannot be read.
    """
    facts = probe(video)
    rate = model.spec.frame_rate
    base = Path(chosen.output) / video.stem
    table, plot, drawn = base.with_name(f"{base.name}.csv"), base.with_name(f"{base.name}.png"), None
    predictions = predict_video(video, model, chosen.detector, chosen.min_score)
    shown = _with_progress(predictions, round(facts.seconds * rate), video.name)
    frames, with_face = write_rows(table, shown, model.outputs, rate, model.synthetic)
    if not with_face:
        print(f"no face was found in {video}: all {frames} rows are empty")
    rows = read_rows(table)
    title = f"{video.name} – {SYNTHETIC_NOTICE}" if model.synthetic else video.name
    plot_curves(rows, model.outputs, plot, title)
    written = [table, plot]
    if chosen.overlay:
        drawn = base.with_name(f"{base.name}-affect.mp4")
        write_overlay(video, rows, model.outputs, rate, drawn, model.synthetic)
        written.append(drawn)
    print(f"{video}: a face in {with_face} of {frames} frames; wrote {', '.join(map(str, written))}")
    return written


def _with_progress(predictions: Iterable[Prediction], frames: int, title: str) -> Iterator[Prediction]:
    with tqdm(total=frames or None, unit="frame", desc=title) as bar:
        for prediction in predictions:
            bar.update(prediction.frame + 1 - bar.n)
            yield prediction


def main(argv: list[str]) -> int:
    chosen = options.from_flags(PredictOptions)
    videos = [Path(name) for name in argv[1:]]
    if not videos:
        raise InputError("VIDEO", "no video is named", "run affwildnet.predict VIDEO --model=DIR")
    if not chosen.model:
        raise InputError("--model", "no model is named", NO_MODEL)
    use_device(chosen.gpu)
    model = open_model(Path(chosen.model), chosen.checkpoint)
    if model.synthetic:
        print(SYNTHETIC_NOTICE)
    failed = 0
    for video in videos:
        try:
            predict_files(video, model, chosen)
        except InputError as error:
            failed += 1
            print(f"error: {error}", file=sys.stderr)
    return 1 if failed else 0


def run() -> None:
    options.run_main(main, PredictOptions)


if __name__ == "__main__":
    run()
