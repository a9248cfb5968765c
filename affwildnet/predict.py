"""Labels videos with a trained model: ``python -m affwildnet.predict VIDEO [VIDEO …] --model=DIR``.

A VIDEO is a file, a folder, a pattern, an address (rtsp://, http://) or the number of a camera.
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from affwildnet.model_folder import ModelFolder, is_synthetic
from affwildnet.predict_job import Predicted, check_in_the_way, is_current, model_stamp
from affwildnet.predict_options import LiveOptions, PredictOptions, check_options
from affwildnet.predict_sources import Source, find_sources
from affwildnet.predict_task import FAILURE_COLUMNS, guarded_prediction, write_failures
from affwildnet.prediction_files import SYNTHETIC_NOTICE
from data_pipeline.cluster import ClusterOptions, open_client
from data_pipeline.tasks import run_tasks
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.temporaries import sweep_temporaries
from tfrecords.workspace import Workspace

NO_MODEL = (
    "get one by `make demo`, which trains one on drawn faces at build/demo/model, by affwildnet.import_tf1 "
    "from a released AffWildNet checkpoint, or train your own with affwildnet.train, and name its folder"
)


def predict_all(
    sources: Sequence[Source], chosen: PredictOptions, cluster: ClusterOptions, seconds: float = 0.0
) -> Iterator[tuple[Source, Predicted]]:
    """Predicts what is not up to date: one video, streams and cameras here, several files on the pipeline's workers."""
    stamp = model_stamp(chosen)
    files = [source for source in sources if source.kind == "file"]
    here = [source for source in sources if source.kind != "file"]
    if len(files) == 1 and not cluster.scheduler and not cluster.slurm:
        here, files = [*files, *here], []
    for source in here:
        yield source, guarded_prediction(source, chosen, stamp, seconds, bar=True)
    if not files:
        return
    where = dataclasses.replace(cluster, workers=min(cluster.workers, len(files)))
    given = {"chosen": chosen, "stamp": stamp}
    with contextlib.ExitStack() as stack:
        # It holds no manifest: that the workers see the videos is told a video.
        connect = lambda: stack.enter_context(open_client(Workspace(Path(chosen.output)), where))  # noqa: E731
        bar = stack.enter_context(tqdm(total=len(files), unit="video", desc="predict"))
        for source, done in run_tasks(connect, guarded_prediction, files, "predict", lambda: given):
            bar.update()
            what = "the worker process died of it twice (a crash of the decoder or detector, or more than its memory)"
            remedy = "replace the video or give workers more memory (--worker_memory)"
            yield source, done or Predicted(reason=str(InputError(source.place, what, remedy)))


def main(argv: list[str]) -> int:
    chosen, live = options.from_flags(PredictOptions), options.from_flags(LiveOptions)
    check_options(chosen)
    sources = find_sources(argv[1:], chosen.workspace)
    if not sources:
        raise InputError("VIDEO", "no video is named", "run affwildnet.predict VIDEO --model=DIR")
    if not chosen.model:
        raise InputError("--model", "no model is named", NO_MODEL)
    # Workers elsewhere have another working directory.
    model, output = Path(chosen.model).absolute(), Path(chosen.output).absolute()
    chosen = dataclasses.replace(chosen, model=str(model), output=str(output))
    sweep_temporaries([Path(chosen.output)])
    for source in sources:
        check_in_the_way(source, chosen)
    stamp = model_stamp(chosen)
    if is_synthetic(ModelFolder(Path(chosen.model))):
        print(SYNTHETIC_NOTICE)
    if live.live:
        if len(sources) > 1:
            raise InputError("--live", f"{len(sources)} videos are named", "name one, there is one page")
        from affwildnet.live import predict_live

        _print_done(sources[0], predict_live(sources[0], chosen, stamp, live))
        return 0
    stale = [source for source in sources if not is_current(source, chosen, stamp)]
    if len(stale) < len(sources):
        print(f"{len(sources) - len(stale)} of {len(sources)} videos are predicted already, by this model")
    if "overlay" in chosen.formats and any(source.kind != "file" for source in sources):
        print("an address or a camera can be drawn only as it plays: add --live for a video with boxes and values")
    # As Ctrl-C: the workers end with this process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    outcomes = {}
    try:
        for source, done in predict_all(stale, chosen, options.from_flags(ClusterOptions), live.seconds):
            outcomes[source] = done
            if done.reason:
                tqdm.write(f"error: {done.reason}", file=sys.stderr)
            else:
                _print_done(source, done)
    except KeyboardInterrupt:
        print("stopped; run the same command again and it goes on where it was", file=sys.stderr)
        return 130
    failed = write_failures(Path(chosen.output), sources, outcomes, chosen)
    if failed:
        table = Path(chosen.output) / "failures.csv"
        print(
            f"{failed} of {len(sources)} videos set aside, see {table} ({', '.join(FAILURE_COLUMNS)})", file=sys.stderr
        )
    return 1 if failed else 0


def _print_done(source: Source, done: Predicted) -> None:
    people = f", {done.people} {'person' if done.people == 1 else 'people'}"
    tqdm.write(
        f"{source.place}: a face in {done.with_face} of {done.frames} frames{people}; wrote {', '.join(done.files)}"
    )
    if not done.with_face:
        tqdm.write(f"no face was found in {source.place}: all {done.frames} rows are empty")


def run() -> None:
    options.run_main(main, PredictOptions, LiveOptions, ClusterOptions, takes_arguments=True)


if __name__ == "__main__":
    run()
