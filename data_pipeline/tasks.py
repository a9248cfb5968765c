"""Runs one function over many things on a Dask cluster (`cluster`); one that kills its worker costs itself only."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from tfrecords.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

Item = TypeVar("Item")
Result = TypeVar("Result")

# Tasks that the scheduler knows at a time.
OUTSTANDING = 512


def run_tasks(
    client: Client, task: Callable[[Item], Result], items: Iterable[Item], name: str
) -> Iterator[tuple[Item, Result | None]]:
    """Each item with ``task(item)`` as they come; None for one of which its worker died twice, the second time alone.

    What a task raises is raised here; its result should be small, for real ones lie on disk.

    Raises:
      InputError: the cluster was lost.
    """
    suspects = []
    for item, result, died in _run(client, task, items, name, OUTSTANDING):
        if died:
            suspects.append(item)
        else:
            yield item, result
    # A worker dies of one of its items only, or is killed from outside. Alone, the culprit shows itself.
    for item, result, _ in _run(client, task, suspects, name, 1):
        yield item, result


def _run(
    client: Client, task: Callable[[Item], Result], items: Iterable[Item], name: str, outstanding: int
) -> Iterator[tuple[Item, Result | None, bool]]:
    import distributed

    # Tuples are tasks of one group, which the scheduler keeps back until a worker is free.
    group = f"affwildnet_{name}-{uuid.uuid4().hex}"
    left = enumerate(items)
    completed = distributed.as_completed(loop=client.loop)
    waiting: dict[Any, Item] = {}
    while True:
        for number, item in itertools.islice(left, outstanding - len(waiting)):
            future = client.submit(task, item, key=(group, number), pure=False)
            waiting[future] = item
            completed.add(future)
        if not waiting:
            return
        future = next(completed)
        item = waiting.pop(future)
        try:
            # Asked for its result, not its status: a result that only a lost worker held is made again.
            yield item, future.result(), False
        except distributed.scheduler.KilledWorker:
            yield item, None, True
        except (distributed.client.FutureCancelledError, distributed.comm.CommClosedError):
            what = "the connection to the Dask scheduler was lost"
            remedy = "run the same command again: it goes on where it stopped"
            raise InputError("--scheduler", what, remedy) from None
