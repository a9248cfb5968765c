"""Runs one function over many things on a Dask cluster (`cluster`); one that kills its worker costs itself only."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from tfrecords.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

Item = TypeVar("Item")
Result = TypeVar("Result")

# Tasks that the scheduler knows at a time: enough for a thousand cores, and few to keep in mind.
OUTSTANDING = 2048
_SENT_TOGETHER = 256


def run_tasks(
    connect: Callable[[], Client],
    task: Callable[..., Result],
    items: Iterable[Item],
    name: str,
    given: Callable[[], Mapping[str, Any]] = dict,
    key: Callable[[Item], str] | None = None,
) -> Iterator[tuple[Item, Result | None]]:
    """Each item with ``task(item, **given())`` as they come; None where its worker died of it twice, alone at last.

    What a task raises is raised here; its result should be small, for real ones lie on disk. The cluster and what is
    `given` to all are asked for at the first item. `key` gives an item's name, its own, for the scheduler's pages.

    Raises:
      InputError: the cluster was lost, or a worker has not the code of the task.
    """
    suspects = []
    for item, result, died in _run(connect, task, items, name, given, key, OUTSTANDING):
        if died:
            suspects.append(item)
        else:
            yield item, result
    # A worker dies of one of its items only, or is killed from outside. Alone, the culprit shows itself.
    for item, result, _ in _run(connect, task, suspects, name, given, key, 1):
        yield item, result


def _run(
    connect: Callable[[], Client],
    task: Callable[..., Result],
    items: Iterable[Item],
    name: str,
    given: Callable[[], Mapping[str, Any]],
    key: Callable[[Item], str] | None,
    outstanding: int,
) -> Iterator[tuple[Item, Result | None, bool]]:
    """Items with their results as they come and whether their worker died; at most `outstanding` tasks at a time."""
    items = iter(items)
    first = list(itertools.islice(items, 1))
    if not first:
        return
    items = itertools.chain(first, items)
    import distributed

    from data_pipeline.crash_limit import PREFIX

    client, everywhere = connect(), given()
    completed = distributed.as_completed(loop=client.loop)
    waiting: dict[Any, Item] = {}
    # Tuples are tasks of one group, which the scheduler keeps back until a worker is free.
    group = f"{PREFIX}{name}-{uuid.uuid4().hex}"
    numbers = itertools.count()
    room = min(_SENT_TOGETHER, outstanding)
    while True:
        while len(waiting) + room <= outstanding and (sent := list(itertools.islice(items, room))):
            keys = [(group, key(item) if key else next(numbers)) for item in sent]
            futures = client.map(task, sent, **everywhere, key=keys, pure=False)
            waiting.update(zip(futures, sent, strict=True))
            completed.update(futures)
        if not waiting:
            return
        future = next(completed)
        item = waiting.pop(future)
        yield item, *_result(future)


def _result(future: Any) -> tuple[Any, bool]:
    """A task's result and whether its worker died of it."""
    import distributed

    try:
        # Asked for its result, not its status: a result that only a lost worker held is made again.
        return future.result(), False
    except distributed.scheduler.KilledWorker:
        return None, True
    except (distributed.client.FutureCancelledError, distributed.comm.CommClosedError):
        what = "the connection to the Dask scheduler was lost"
        remedy = "run the same command again: it goes on where it stopped"
        raise InputError("--scheduler", what, remedy) from None
    except ImportError as error:
        what, remedy = f"a worker cannot import the code ({error})", "start the workers in this environment"
        raise InputError("--scheduler", what, remedy) from None
