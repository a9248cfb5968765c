"""How a worker shows its supervisor that it gets on: it writes its step to a file that the supervisor named."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from tfrecords.errors import InputError
from tfrecords.workspace import write_text

# Set for a supervised worker: the file, and the supervisor's process.
FILE, SUPERVISOR = "AFFWILDNET_HEARTBEAT", "AFFWILDNET_SUPERVISOR"
_SECONDS = 0.5


def make_heartbeat() -> Callable[[int], None]:
    """A function to call after every step with its number; it does nothing in a process without a supervisor.

    It raises `InputError` when the supervisor is gone: its next start would find these workers still writing.
    """
    if FILE not in os.environ:
        return lambda step: None
    path, supervisor = Path(os.environ[FILE]), int(os.environ[SUPERVISOR])
    written = -_SECONDS

    def beat(step: int) -> None:
        nonlocal written
        if time.monotonic() - written < _SECONDS:
            return
        if os.getppid() != supervisor:
            raise InputError("affwildnet.supervise", "the supervisor of this worker is gone", "start it again")
        write_text(path, str(step))
        written = time.monotonic()

    return beat


def read_heartbeat(path: Path) -> int | None:
    """The last step written; None before the first."""
    return int(path.read_text()) if path.exists() else None
