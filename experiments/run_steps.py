"""One run of a plan: train with an evaluator beside it, then test, each a process; what is done is not done again."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiments.places import Places
from experiments.plan import Run
from tfrecords.errors import InputError
from tfrecords.workspace import read_csv, read_json, write_json

# The best by each dimension, which a table shows, and by their mean, which case 3 starts from.
TESTED = "valence,arousal,total"
_LOOK_SECONDS = 0.5
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


@dataclasses.dataclass(frozen=True)
class Device:
    """GPUs of the training (and test) and of the evaluation, -1 for the CPU; may be the same."""

    train: int = 0
    evaluate: int = 0


@dataclasses.dataclass(frozen=True)
class RunContext:
    """What all runs of a plan share: folders of the workspace, the runs and fetched weights; seconds between looks."""

    workspace: str
    output: str
    weights_folder: str = "weights"
    poll_seconds: float = 10.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended; `reason` is '' where it is finished."""

    name: str
    reason: str = ""
    seconds: float = 0.0


class RunFailed(Exception):
    """A process of a run ended badly; the message is its last words."""


def finished(places: Places, run: Run) -> Outcome | None:
    """How an earlier start has finished the run, None where none has."""
    state = places.state(run.name)
    told = read_json(state) if state.exists() else {}
    return Outcome(run.name, "", told.get("seconds", 0.0)) if told.get("state") == "finished" else None


Watch = Callable[[Path], None]


def perform(
    run: Run, context: RunContext, device: Device, watch: Watch = lambda folder: None, test: bool = True
) -> Outcome:
    """Does what is missing of a run; a process that ends badly ends the run, with its last words as the reason.

    ``watch(model folder)`` is called every half second; what it raises stops the run's processes and is raised.
    """
    places = Places(Path(context.output))
    began = time.monotonic()
    with _only_one(places, run) as lock:
        if done := finished(places, run):
            return done
        state = places.state(run.name)
        told: dict[str, Any] = read_json(state) if state.exists() else {"seconds": 0.0}
        told |= {"state": "running", "run": dataclasses.asdict(run), "workspace": context.workspace}
        before = float(told["seconds"])
        write_json(state, told)
        try:
            work = _Work(run, places, context, device, lambda: watch(places.run(run.name)), lock)
            _train(work)
            if run.tested and test:
                with _processes(work) as start:
                    start("affwildnet.test", {"checkpoints": TESTED, "gpu": device.train, "batch": _at_once(run)})
        except RunFailed as error:
            write_json(state, told | {"state": "failed", "reason": str(error)})
            return Outcome(run.name, str(error), time.monotonic() - began)
        seconds = round(before + time.monotonic() - began, 1)
        write_json(state, told | {"state": "finished", "seconds": seconds})
    return Outcome(run.name, "", seconds)


@dataclasses.dataclass(frozen=True)
class _Work:
    """A run at work on a device; `lock` is the descriptor of its lock."""

    run: Run
    places: Places
    context: RunContext
    device: Device
    watch: Callable[[], None]
    lock: int

    @property
    def log(self) -> Path:
        return self.places.log(self.run.name)


def _train(work: _Work) -> None:
    run, folder = work.run, work.places.run(work.run.name)
    training = folder / "training.json"
    ended = read_json(training) if training.exists() else {}
    # Also where it ended before its last step, as the evaluator may ask it to.
    trained = ended.get("state") == "finished"
    evaluations = folder / "evaluations.csv"
    steps = {int(row["step"]) for row in read_csv(evaluations)} if evaluations.exists() else set()
    # The last step is evaluated last.
    if trained and (ended["step"] in steps or not run.tested):
        return
    with _processes(work) as start:
        if not trained:
            flags: dict[str, Any] = {**run.flags, "steps": run.steps, "gpu": work.device.train}
            flags |= {"checkpoint_seconds": 0, "checkpoint_steps": run.checkpoint_steps}
            flags |= {"weights_folder": work.context.weights_folder}
            needs = (("rnn_from", run.rnn_from), ("cnn_from", run.cnn_from), ("stage_from", run.stage_from))
            for name, needed in needs:
                if needed:
                    flags[name] = work.places.run(needed)
            start("affwildnet.train", flags)
        if run.tested:
            flags = {"gpu": work.device.evaluate, "poll_seconds": work.context.poll_seconds, "batch": _at_once(run)}
            start("affwildnet.evaluate", flags)


def _at_once(run: Run) -> int:
    """Sequences that evaluation and test compute at once: 8, more where they are short."""
    return max(8, 256 // int(run.flags.get("sequence_length", 80)))


@contextlib.contextmanager
def _processes(work: _Work) -> Iterator[Callable[[str, dict[str, Any]], None]]:
    """Yields ``start(module, flags)`` and waits at the block's end until all have ended well.

    Raises:
      RunFailed: one has not; the others are stopped.
    """
    started: list[subprocess.Popen[bytes]] = []
    work.log.parent.mkdir(parents=True, exist_ok=True)
    # TensorFlow reports as errors that there is no GPU; what goes wrong here arrives as a Python exception.
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        environment.pop(name, None)  # a Dask worker of the pipeline keeps to one thread, a training has a device
    package_folder = str(Path(__file__).resolve().parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package_folder, os.environ.get("PYTHONPATH")]))

    def start(module: str, flags: dict[str, Any]) -> None:
        folders = {"workspace": work.context.workspace, "model": work.places.run(work.run.name)}
        words = [sys.executable, "-m", module, *(f"--{name}={value}" for name, value in {**folders, **flags}.items())]
        with open(work.log, "a", encoding="utf-8") as stream:
            stream.write(f"$ {' '.join(['python', *words[1:]])}\n")
            stream.flush()
            started.append(
                subprocess.Popen(
                    words,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    pass_fds=(work.lock,),
                    preexec_fn=_end_with_parent,
                )
            )

    try:
        yield start
        _wait(started, work)
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _end_with_parent() -> None:
    """Runs in a new process: it gets SIGTERM when the one that started it is gone, even killed; Linux only."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait(processes: list[subprocess.Popen[bytes]], work: _Work) -> None:
    while True:
        codes = [process.poll() for process in processes]
        failed = [code for code in codes if code]
        if failed:
            raise RunFailed(f"{_last_words(work.log)} (exit code {failed[0]}, see {work.log})")
        work.watch()
        if all(code == 0 for code in codes):
            return
        time.sleep(_LOOK_SECONDS)


def _last_words(log: Path) -> str:
    """The last sentence of an error in a log, or its last line."""
    # A progress bar writes many times into one line.
    lines = [
        line.rsplit("\r", 1)[-1].strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
    ]
    errors = [line for line in lines[-50:] if "rror:" in line or line.startswith("FATAL")]
    return (errors or [line for line in lines if line] or ["it said nothing"])[-1][:400]


@contextlib.contextmanager
def _only_one(places: Places, run: Run) -> Iterator[int]:
    """Holds the run's lock, and yields its descriptor.

    The run's processes inherit it, so that it is free when all have ended: a kill of this process leaves them at work.
    """
    folder = places.run(run.name)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "experiment.lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{run.name}: processes of an earlier start are still at work, waiting for them", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise InputError(folder, f"the run cannot be locked ({error.strerror})", "use another --output") from None
        yield lock.fileno()
