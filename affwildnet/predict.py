"""Labels videos with a trained model: ``python -m affwildnet.predict VIDEO [VIDEO …] --model=DIR``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from affwildnet.devices import use_device
from affwildnet.prediction_files import SYNTHETIC_NOTICE, plot_curves, read_rows, write_overlay, write_rows
from affwildnet.serving import LoadedModel, open_model
from affwildnet.video_prediction import Prediction, predict_video
from data_pipeline.detectors import DETECTORS, Detect, load_detector
from data_pipeline.probe import check_length, probe
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option

NO_MODEL = (
    "get one by `make demo`, which trains one on drawn faces at build/demo/model, by affwildnet.import_tf1 "
    "from a released AffWildNet checkpoint, or train your own with affwildnet.train, and name its folder"
)


@dataclasses.dataclass(frozen=True)
class PredictOptions:
    """What a prediction uses and leaves."""

    model: str = option("", "model folder, or folder of an exported SavedModel")
    output: str = option("predictions", "folder for VIDEO.csv, VIDEO.png and VIDEO-affect.mp4")
    checkpoint: str = option("total", "checkpoint of a model folder: valence, arousal, total, latest or a step")
    detector: str = option("fast", "face detector", choices=sorted(DETECTORS))
    min_score: float | None = option(
        None, "detections less certain than this are dropped, 0 to 1; the detector's own", at_least=0, at_most=1
    )
    yunet_model: str = option("", "ONNX file of the detector yunet")
    overlay: bool = option(True, "write the video with boxes and values drawn in")
    gpu: int = option(0, "GPU of this process, -1 for the CPU")


def predict_files(video: Path, model: LoadedModel, detect: Detect, chosen: PredictOptions) -> list[Path]:
    """Predicts one video and writes its files; returns their paths.

    Raises:
      InputError: the video cannot be read, or breaks off (then the files hold what there is).
    """
    facts = probe(video)
    rate = model.spec.frame_rate
    table, plot, drawn = output_files(video, Path(chosen.output))
    predictions = predict_video(video, model, detect)
    shown = _with_progress(predictions, round(facts.seconds * rate), video.name)
    frames, with_face = write_rows(table, shown, model.outputs, rate, model.synthetic)
    if not with_face:
        print(f"no face was found in {video}: all {frames} rows are empty")
    rows = read_rows(table)
    title = f"{video.name} – {SYNTHETIC_NOTICE}" if model.synthetic else video.name
    plot_curves(rows, model.outputs, plot, title)
    written = [table, plot]
    if chosen.overlay:
        write_overlay(video, rows, model.outputs, rate, drawn, model.synthetic)
        written.append(drawn)
    print(f"{video}: a face in {with_face} of {frames} frames; wrote {', '.join(map(str, written))}")
    check_length(video, facts, frames / rate)
    return written


def output_files(video: Path, output: Path) -> tuple[Path, Path, Path]:
    """The paths of a video's CSV, plot and drawn video."""
    return output / f"{video.stem}.csv", output / f"{video.stem}.png", output / f"{video.stem}-affect.mp4"


def check_outputs(videos: Sequence[Path], output: Path) -> None:
    """Raises `InputError` if predictions would overwrite each other, or files that are none of theirs."""
    stems: dict[str, Path] = {}
    for video in videos:
        other = stems.setdefault(video.stem.lower(), video)
        if other != video:
            raise InputError(
                video, f"its files would replace those of {other}", "predict them into two --output folders"
            )
        files = output_files(video, output)
        ours = files[0].exists() and files[0].read_bytes()[:20] == b"frame,seconds,track,"
        for path in files:
            if path.exists() and not ours:
                raise InputError(path, "a file is in the way that is no prediction", "name another folder in --output")


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
    check_outputs(videos, Path(chosen.output))
    use_device(chosen.gpu)
    detect = load_detector(chosen.detector, chosen.min_score, yunet_model=chosen.yunet_model)
    model = open_model(Path(chosen.model), chosen.checkpoint)
    if model.synthetic:
        print(SYNTHETIC_NOTICE)
    failed = 0
    for video in videos:
        try:
            predict_files(video, model, detect, chosen)
        except InputError as error:
            failed += 1
            print(f"error: {error}", file=sys.stderr)
    return 1 if failed else 0


def run() -> None:
    options.run_main(main, PredictOptions, takes_arguments=True)


if __name__ == "__main__":
    run()
