"""What tests of processes share."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


def wait_for(found: Callable[[], object], seconds: float = 60.0) -> object:
    """What `found()` returns as soon as it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def tree(process: int) -> list[psutil.Process]:
    """A process and all below it."""
    parent = psutil.Process(process)
    return [parent, *parent.children(recursive=True)]
