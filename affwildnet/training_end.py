"""What ends a training: its last step, the evaluator's request, or a signal of the cluster."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType

from affwildnet.checkpoints import list_checkpoints
from affwildnet.model_folder import ModelFolder
from affwildnet.signal_handling import handled_by
from tfrecords.errors import InputError
from tfrecords.workspace import read_json

# What a batch script takes for "put me into the queue again": a code that neither Python nor a shell gives by itself.
EXIT_REQUEUE = 85
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
POLL_SECONDS = 3.0


class Interrupted(Exception):
    """A signal ended the training, whose last step is saved; it can go on from there."""

    def __init__(self, step: int, name: str) -> None:
        super().__init__(f"{name} after step {step}" + (", which is saved" if step else ""))
        self.step = step
        self.name = name


class Interruption:
    """Which of `SIGNALS` came; 0 before."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.number = number


@contextlib.contextmanager
def interruption() -> Iterator[Interruption]:
    """Inside, `SIGNALS` only leave their number, so that a step is done and saved before the process ends."""
    received = Interruption()
    with handled_by(received, SIGNALS):
        yield received


@contextlib.contextmanager
def interruption_at_once(folder: ModelFolder) -> Iterator[None]:
    """Inside, one of `SIGNALS` raises `Interrupted`: before the first step there is nothing to save."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Interrupted(max(list_checkpoints(folder), default=0), signal.Signals(number).name)

    with handled_by(end, SIGNALS):
        yield


class StopRequest:
    """``stop.json``, which `affwildnet.evaluate` writes when no checkpoint has been better for long enough.

    It is looked at every `POLL_SECONDS`; the folder may be on a server.
    """

    def __init__(self, folder: ModelFolder, obeyed: bool = True) -> None:
        self._path = folder.stop_request
        self._obeyed = obeyed
        self._looked_at = float("-inf")

    def reason(self) -> str:
        """Why training should end; '' while it should not."""
        if not self._obeyed or time.monotonic() - self._looked_at < POLL_SECONDS:
            return ""
        self._looked_at = time.monotonic()
        if not self._path.exists():
            return ""
        request = read_json(self._path)
        if not isinstance(request, dict) or not {"step", "reason"} <= set(request):
            what = "it holds no request to stop: an object with step and reason"
            raise InputError(self._path, what, "delete it, or train with --nostop_on_request")
        return f"{request['reason']} (step {request['step']})"


def forget_obeyed_request(folder: ModelFolder) -> None:
    """Removes a ``stop.json`` that an earlier training has ended by, or that came after its end.

    Whoever starts a finished training again wants it to go on. A request made while training was broken off and waits
    to go on still holds.
    """
    ended = read_json(folder.training)["state"] if folder.training.exists() else "finished"
    if ended == "finished":
        folder.stop_request.unlink(missing_ok=True)
