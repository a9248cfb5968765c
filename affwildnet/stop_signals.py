"""Ctrl-C as the end of what has no end of its own: what there is by then is kept."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Yields an event that the first SIGINT or SIGTERM sets; the second ends the program as always."""
    stopped = threading.Event()
    before: dict[signal.Signals, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(number: int, frame: object) -> None:
        stopped.set()
        restore()

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, stop)
    try:
        yield stopped
    finally:
        restore()


def until(items: Iterable[Item], stopped: threading.Event) -> Iterator[Item]:
    """`items` up to the moment at which the event is set."""
    for item in items:
        if stopped.is_set():
            return
        yield item
