"""An iterable read in a thread of its own, some items ahead."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")

_ITEM, _ERROR, _END = range(3)


@contextlib.contextmanager
def read_ahead(items: Iterable[Item], ahead: int, newest: bool = False) -> Iterator[Iterator[Item]]:
    """Yields an iterator over `items` whose thread is at most `ahead` of them ahead; the thread ends with the block.

    With `newest` the thread never waits: of more than `ahead` items the oldest are left out. What reading raises is
    raised where the item would have come.
    """
    ready: queue.Queue[tuple[int, Any]] = queue.Queue(max(1, ahead))
    stopped = threading.Event()

    def put(kind: int, value: Any) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                ready.put((kind, value), timeout=0 if newest else 0.1)
                return
            if newest:
                with contextlib.suppress(queue.Empty):
                    ready.get_nowait()

    def read() -> None:
        source = iter(items)
        try:
            for item in source:
                put(_ITEM, item)
                if stopped.is_set():
                    break
            put(_END, None)
        except BaseException as error:  # it belongs to the reader
            put(_ERROR, error)
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()

    def take() -> Iterator[Item]:
        while True:
            kind, value = ready.get()
            if kind == _END:
                return
            if kind == _ERROR:
                raise value
            yield value

    thread = threading.Thread(target=read, name="read-ahead", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        stopped.set()
        thread.join()
