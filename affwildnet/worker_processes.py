"""The worker processes of one node: started, watched and ended together."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from affwildnet import heartbeat
from affwildnet.cluster import tf_config
from affwildnet.rendezvous import Ended
from tfrecords.errors import InputError

SAVED = 85
_POLL_SECONDS = 0.2


@dataclasses.dataclass(frozen=True)
class Worker:
    """A process with what it prints and the file that shows its step."""

    index: int
    process: subprocess.Popen[bytes]
    log: Path
    heartbeat: Path

    def refusal(self) -> str:
        """The sentence with which our programs, or absl of their flags, say what a person has to mend; '' for none."""
        lines = self._lines()
        if any(line.startswith("FATAL Flags parsing error") for line in lines):
            return next((line.strip() for line in lines if line.startswith("  ")), lines[0])
        return next((line for line in reversed(lines) if line.startswith("error: ")), "")

    def last_words(self) -> str:
        return self.refusal() or (self._lines() or [""])[-1]

    def _lines(self) -> list[str]:
        # A progress bar is written over with carriage returns.
        return self.log.read_bytes().decode(errors="replace").rstrip().replace("\r", "\n").split("\n")


@dataclasses.dataclass(frozen=True)
class Patience:
    """Seconds without a first step, without a further step, and from a request to end to the end."""

    start: float
    stall: float
    grace: float


def start_workers(
    command: Sequence[str], addresses: Sequence[str], first: int, count: int, logs: Path, private: Path
) -> list[Worker]:
    """Starts workers `first` to `first` + `count` - 1 of those at `addresses`, each with its share of the GPUs.

    Args:
      command: the program, the same for all; with a single address ``TF_CONFIG`` is not set.
      logs: folder for what each prints.
      private: folder of this node for the files that show their steps.

    Raises:
      InputError: there are GPUs, but fewer than workers.
    """
    gpus = visible_gpus()
    if gpus and len(gpus) < count and "--gpu=-1" not in command:
        what = f"there are {len(gpus)} GPUs for {count} workers"
        raise InputError("--workers", what, f"use --workers={len(gpus)}, or --gpu=-1 behind the --")
    workers = []
    for i in range(count):
        index = first + i
        log, beat = logs / f"worker-{index}.log", private / f"step-{index}"
        beat.unlink(missing_ok=True)
        environment = os.environ | {heartbeat.FILE: str(beat), heartbeat.SUPERVISOR: str(os.getpid())}
        # A worker of ours must not take SLURM's tasks, which are supervisors, for its peers.
        environment.pop("TF_CONFIG", None)
        if len(addresses) > 1:
            environment["TF_CONFIG"] = tf_config(addresses, index)
        if gpus:
            share = gpus[i * len(gpus) // count : (i + 1) * len(gpus) // count]
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(share)
        with open(log, "wb") as output:
            process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        workers.append(Worker(index, process, log, beat))
    return workers


def visible_gpus() -> list[str]:
    """The GPUs that a child may use, as CUDA_VISIBLE_DEVICES names them, without loading TensorFlow."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name not in ("", "-1")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    except OSError:
        return []
    return [str(i) for i in range(sum(line.startswith("GPU ") for line in listed.stdout.splitlines()))]


def watch_workers(
    workers: Sequence[Worker], patience: Patience, asked: Callable[[], int], failed_elsewhere: Callable[[], str]
) -> Ended:
    """Waits until all workers have ended by themselves, or one has failed; copies to the screen what the first prints.

    Args:
      asked: the signal that they are to get, once; 0 while there is none.
      failed_elsewhere: why workers of other nodes failed; '' while none has.
    """
    began = moved = time.monotonic()
    leave_by, passed_on, step = float("inf"), 0, -1
    with open(workers[0].log, "rb") as printed:
        while True:
            _copy_to_screen(printed.read())
            now = time.monotonic()
            # Whom the signal ends before training has begun has nothing to save.
            codes = {w: SAVED if w.process.poll() == -asked() < 0 else w.process.poll() for w in workers}
            reached = max(_step(worker) for worker in workers)
            moved, step = (now, reached) if reached > step else (moved, step)
            if all(code in (0, SAVED) for code in codes.values()):
                _copy_to_screen(printed.read())
                return Ended(max(int(code or 0) for code in codes.values()), step=step)
            if reason := _failure(codes) or failed_elsewhere():
                _copy_to_screen(printed.read())
                if asked() and step < 0:
                    return Ended(SAVED)  # on the way to the first step they end as they are, and nothing is lost
                hopeless = any(code == 1 and bool(worker.refusal()) for worker, code in codes.items())
                return Ended(1, reason, step, hopeless)
            if asked() and not passed_on:
                passed_on = asked()
                _send(workers, passed_on)
            if (passed_on or any(code is not None for code in codes.values())) and leave_by == float("inf"):
                leave_by = now + patience.grace
            if now > leave_by:
                if asked() and step < 0:
                    return Ended(SAVED)
                return Ended(1, f"not all workers ended within {patience.grace:g} s", step)
            if step < 0 and now - began > patience.start:
                return Ended(1, f"no worker made a step within {patience.start:g} s", step)
            if step >= 0 and now - moved > patience.stall:
                return Ended(1, f"no worker made a step for {patience.stall:g} s after step {step}", step)
            time.sleep(_POLL_SECONDS)


def kill_workers(workers: Sequence[Worker]) -> None:
    """Ends what still runs, with all that it started; a survivor of a failure waits for ever for its lost peers."""
    for worker in workers:
        # The group outlives its first process while a child of that runs.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait()


def _send(workers: Sequence[Worker], number: int) -> None:
    for worker in workers:
        if worker.process.poll() is None:
            worker.process.send_signal(number)


def _step(worker: Worker) -> int:
    step = heartbeat.read_heartbeat(worker.heartbeat)
    return -1 if step is None else step


def _failure(codes: dict[Worker, int | None]) -> str:
    """The first failed worker, with its last words; those whom an error of ours ended first."""
    failed = [worker for worker, code in codes.items() if code not in (None, 0, SAVED)]
    failed.sort(key=lambda worker: not worker.refusal())
    if not failed:
        return ""
    code = codes[failed[0]]
    how = f"was ended by {signal.Signals(-code).name}" if code is not None and code < 0 else f"ended with {code}"
    return f"worker {failed[0].index} {how} ({failed[0].last_words()[:200]}), see {failed[0].log}"


def _copy_to_screen(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.flush()
