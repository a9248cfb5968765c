"""The whole chain on drawn faces: ``python -m experiments.demo --output=build/demo --seed=1`` (``make demo``).

A demo database is drawn and built; a CNN is trained on single frames, then a recurrent model on its features (as the
thesis does: a pre-trained CNN, then case 0), while a second process evaluates its checkpoints; the best are tested on
people never seen, against two controls; the model is exported and labels a video. Interrupted, it goes on where it was.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from data_pipeline.cluster import ClusterOptions
from data_pipeline.demo_faces import DemoFacesOptions, write_demo_database
from data_pipeline.pipeline import BuildOptions, BuildResult, build
from data_pipeline.stage_binary import print_result
from experiments.demo_report import format_table, write_report
from experiments.demo_statistics import database_statistics
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_csv, read_json, write_json

OUTPUTS = ("valence", "arousal")
MEASURES = ("ccc", "mse", "correlation")
TARGETS = {"valence": 0.6, "arousal": 0.5, "control": 0.1}


@dataclasses.dataclass(frozen=True)
class DemoOptions:
    """The size of the demo."""

    output: str = option("build/demo", "folder of everything the demo makes")
    seed: int = option(1, "seed of the faces, the weights and the order of training")
    subjects: int = option(80, "people to draw")
    min_seconds: float = option(6.0, "shortest clip")
    max_seconds: float = option(12.0, "longest clip")
    cnn_steps: int = option(900, "steps of the CNN on batches of 64 single frames")
    rnn_steps: int = option(320, "steps of the recurrent model on batches of 4 sequences of at most 80")
    workers: int = option(2, "processes of drawing and pipeline")


class DemoError(Exception):
    """A step of the demo failed; its own words are above."""


def run_demo(chosen: DemoOptions) -> dict[str, Any]:
    """Runs every step and returns what ``results.json`` holds.

    Raises:
      DemoError: a process of the chain failed.
    """
    demo = Path(chosen.output)
    workspace = Workspace(demo / "workspace")
    _prepare(demo, chosen)
    seconds: dict[str, float] = {}
    wall = time.monotonic()
    with _timed(seconds, "demo_faces"):
        faces = DemoFacesOptions(
            subjects=chosen.subjects,
            min_seconds=chosen.min_seconds,
            max_seconds=chosen.max_seconds,
            seed=chosen.seed,
            workers=chosen.workers,
        )
        write_demo_database(workspace, faces)
    with _timed(seconds, "pipeline"):
        built = build(workspace, BuildOptions(str(workspace.root)), cluster=ClusterOptions(workers=chosen.workers))
    print_result(workspace, built)
    _train_and_test(demo, chosen, workspace, seconds)
    with _timed(seconds, "export"):
        _run("affwildnet.export", model=demo / "model", output=demo / "saved_model")
    with _timed(seconds, "predict"):
        _run("affwildnet.predict", _test_source(workspace), model=demo / "saved_model", output=demo / "predictions")
    results = _results(demo, chosen, workspace, built, seconds, time.monotonic() - wall)
    write_json(demo / "results.json", results)
    write_report(demo)
    return results


def _prepare(demo: Path, chosen: DemoOptions) -> None:
    """Empties the folder if an earlier demo had other options; refuses a folder that no demo made."""
    marker = demo / "demo.json"
    told = {name: value for name, value in dataclasses.asdict(chosen).items() if name not in ("output", "workers")}
    if marker.exists():
        if read_json(marker) != told:
            print(f"{demo} holds a demo with other options, which is removed")
            shutil.rmtree(demo)
    elif demo.exists() and any(demo.iterdir()):
        raise InputError(demo, "the folder holds something else", "name a new folder in --output")
    write_json(marker, told)


def _train_and_test(demo: Path, chosen: DemoOptions, workspace: Workspace, seconds: dict[str, float]) -> None:
    """Trains CNN and recurrent model, evaluating beside, and the same on shuffled labels; tests both."""
    for suffix, shuffled in (("", False), ("_shuffled", True)):
        cnn, model = demo / f"cnn{suffix}", demo / f"model{suffix}"
        common = {"workspace": workspace.root, "seed": chosen.seed, "shuffle_labels": shuffled, "learning_rate": 1e-3}
        with _timed(seconds, f"train_cnn{suffix}"):
            _run(
                "affwildnet.train",
                **common,
                model=cnn,
                case=2,
                cell="none",
                sequence_length=1,
                batch=64,
                steps=chosen.cnn_steps,
            )
        with _timed(seconds, f"train_rnn{suffix}"):
            train = _start(
                "affwildnet.train",
                **common,
                model=model,
                cnn_from=cnn,
                case=0,
                batch=4,
                steps=chosen.rnn_steps,
                checkpoint_steps=max(1, chosen.rnn_steps // 6),
                log_steps=5,
            )
            if shuffled:
                _finish(train)
            else:
                _finish(train, _start("affwildnet.evaluate", workspace=workspace.root, model=model, poll_seconds=1))
        with _timed(seconds, f"test{suffix}"):
            which = "latest" if shuffled else ",".join(OUTPUTS)
            _run("affwildnet.test", workspace=workspace.root, model=model, checkpoints=which)


def _start(module: str, *arguments: object, **flags: object) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", module, *map(str, arguments)]
    words += [f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in flags.items()]
    print("$", " ".join(["python", *words[1:]]), flush=True)
    # TensorFlow reports as errors that there is no GPU; what goes wrong here arrives as a Python exception.
    return subprocess.Popen(words, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})


def _finish(*processes: subprocess.Popen[bytes]) -> None:
    """Waits for all; where one fails the others, which may wait for it, are stopped."""
    try:
        for process in processes:
            if process.wait():
                raise DemoError(f"exit code {process.returncode} from {process.args!r}")
    finally:
        for process in processes:
            process.kill()


def _run(module: str, *arguments: object, **flags: object) -> None:
    _finish(_start(module, *arguments, **flags))


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - start, 1)


def _test_source(workspace: Workspace) -> Path:
    """The video of the first clip of the test part."""
    clip = next(row["clip"] for row in read_csv(workspace.partition) if row["partition"] == "test")
    source = next(row["source"] for row in read_csv(workspace.manifest) if row["clip"] == clip)
    return workspace.root / source


def _results(
    demo: Path,
    chosen: DemoOptions,
    workspace: Workspace,
    built: BuildResult,
    seconds: Mapping[str, float],
    wall_seconds: float,
) -> dict[str, Any]:
    tested = read_json(demo / "model" / "test" / "results.json")
    shuffled = read_json(demo / "model_shuffled" / "test" / "results.json")["checkpoints"]["latest"]
    best = {name: tested["checkpoints"][name] for name in OUTPUTS}
    facts = workspace.database_facts()
    return {
        "synthetic": facts["synthetic"],
        "notice": facts.get("notice", ""),
        "seed": chosen.seed,
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in ("tensorflow", "tf-keras", "numpy", "affwildnet")},
        "database": database_statistics(workspace, built),
        "test": {n: {m: best[n][m][n] for m in MEASURES} | {"step": best[n]["step"]} for n in OUTPUTS},
        "controls": {
            "constant": {n: {m: tested["constant"][m][n] for m in ("ccc", "mse")} for n in OUTPUTS},
            "shuffled_labels": {n: {m: shuffled[m][n] for m in MEASURES} for n in OUTPUTS},
        },
        "targets": TARGETS,
        "stages": dict(seconds) | {f"pipeline: {name}": round(value, 1) for name, value in built.seconds.items()},
        "wall_seconds": round(wall_seconds, 1),
    }


def main(argv: list[str]) -> int:
    chosen = options.from_flags(DemoOptions)
    try:
        results = run_demo(chosen)
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(results["database"]["partitions"]))
    print(format_table(results))
    print(f"results in {chosen.output}/results.json, report in {chosen.output}/report.html")
    return 0 if targets_met(results) else 1


def targets_met(results: dict[str, Any]) -> bool:
    """Whether both outputs reach their target and no control shows anything to learn."""
    controls = [control[name]["ccc"] for control in results["controls"].values() for name in OUTPUTS]
    reached = all(results["test"][name]["ccc"] >= TARGETS[name] for name in OUTPUTS)
    return reached and all(abs(ccc) <= TARGETS["control"] for ccc in controls)


def run() -> None:
    options.run_main(main, DemoOptions)


if __name__ == "__main__":
    run()
