"""A plan's runs, each when those that it needs are finished, on devices of this machine or on a Dask cluster."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from experiments.places import Places
from experiments.plan import Plan, Run
from experiments.run_steps import Device, Outcome, RunContext, finished, perform
from tfrecords.errors import InputError
from tfrecords.workspace import write_csv

if TYPE_CHECKING:
    from distributed import Client

# What a worker is asked to have: a device is one of it.
RESOURCE = "GPU"
_STATUS_COLUMNS = ("run", "state", "seconds", "reason", "needs", "rows")


class Stopped(Exception):
    """The command is being stopped."""


@dataclasses.dataclass(frozen=True)
class Performer:
    """What performs a run, how many it takes at once, and the event that stops those at work."""

    perform: Callable[[Run], Outcome]
    at_once: int
    stop: threading.Event


def run_plan(plan: Plan, places: Places, performer: Performer) -> dict[str, Outcome]:
    """Performs the runs that are not finished; returns how each run of the plan ended.

    A run whose need has failed is not tried. ``runs.csv`` says at any moment how far the plan is.
    """
    outcomes = {name: earlier for name, run in plan.runs.items() if (earlier := finished(places, run))}
    waiting = {name: run for name, run in plan.runs.items() if name not in outcomes}
    at_work: dict[concurrent.futures.Future[Outcome], str] = {}
    bar = tqdm(total=len(plan.runs), initial=len(outcomes), unit="run", desc="runs")
    with concurrent.futures.ThreadPoolExecutor(performer.at_once) as pool, bar, _stopping(performer.stop):
        while waiting or at_work:
            for name in _ready(waiting, outcomes, performer.at_once - len(at_work)):
                at_work[pool.submit(performer.perform, waiting.pop(name))] = name
            for name, run in list(waiting.items()):
                failed = [need for need in run.needs if need in outcomes and outcomes[need].reason]
                if failed:
                    outcomes[name] = Outcome(name, f"not run: it starts from {failed[0]}, which failed")
                    del waiting[name]
                    bar.update()
            _write_status(places, plan, outcomes, set(at_work.values()))
            done, _ = concurrent.futures.wait(at_work, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                name = at_work.pop(future)
                outcomes[name] = future.result()
                bar.update()
                if outcomes[name].reason:
                    bar.write(f"failed: {name}: {outcomes[name].reason}")
    _write_status(places, plan, outcomes, set())
    return outcomes


def _ready(waiting: Mapping[str, Run], outcomes: Mapping[str, Outcome], room: int) -> list[str]:
    """Runs whose needs are all finished, in the plan's order, at most `room`."""
    done = {name for name, outcome in outcomes.items() if not outcome.reason}
    return [name for name, run in waiting.items() if set(run.needs) <= done][:room]


@contextlib.contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    """Sets `stop` where the block ends by an exception, before anybody waits for those at work."""
    try:
        yield
    except BaseException:
        stop.set()
        raise


def _write_status(places: Places, plan: Plan, outcomes: Mapping[str, Outcome], at_work: set[str]) -> None:
    rows = []
    for name, run in plan.runs.items():
        own = outcomes.get(name)
        state = "at work" if name in at_work else "waiting"
        if own:
            state = "failed" if own.reason else "finished"
        shown = " ".join(f"{row.table}/{row.variant}/{row.seed}" for row in plan.rows if row.run == name)
        row: dict[str, Any] = {"run": name, "state": state, "needs": " ".join(run.needs), "rows": shown}
        rows.append(row | ({"seconds": round(own.seconds, 1), "reason": own.reason} if own else {}))
    write_csv(places.status, _STATUS_COLUMNS, rows)


def on_devices(context: RunContext, devices: list[Device]) -> Performer:
    """Performs runs here, each on whichever of `devices` is free."""
    free: queue.Queue[Device] = queue.Queue()
    for device in devices:
        free.put(device)
    stop = threading.Event()

    def watch(folder: Path) -> None:
        if stop.is_set():
            raise Stopped

    def perform_run(run: Run) -> Outcome:
        device = free.get()
        try:
            return perform(run, context, device, watch)
        except Stopped:
            return Outcome(run.name, "stopped")
        finally:
            free.put(device)

    return Performer(perform_run, len(devices), stop)


def parse_devices(words: tuple[str, ...]) -> list[Device]:
    """``("0", "1:2")`` -> GPU 0 for all of a run, GPU 1 for training with GPU 2 for its evaluation; -1 is the CPU.

    Raises:
      InputError: a word that is no such thing.
    """
    devices = []
    for word in words:
        numbers = word.split(":")
        if len(numbers) > 2 or not all(number.removeprefix("-").isdecimal() for number in numbers):
            raise InputError("--devices", f"{word!r} is no device", "write for example --devices=0,1:2 or -1")
        devices.append(Device(int(numbers[0]), int(numbers[-1])))
    if not devices:
        raise InputError("--devices", "there is none", "write for example --devices=0, or -1 for the CPU")
    return devices


def on_cluster(
    client: Client, context: RunContext, local_devices: list[Device] | None = None, expected: int = 0
) -> Performer:
    """Performs runs as tasks of the cluster, as many at once as its workers have devices now, or will: `expected`.

    A worker's resource ``GPU`` counts its devices; the first that the worker sees is a task's (SLURM and
    CUDA_VISIBLE_DEVICES show each worker its own). Workers of a cluster on this machine, called 0, 1 …, see all of them
    and take each its own of `local_devices`.

    Raises:
      InputError: no worker has the resource.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    devices = int(sum(worker["resources"].get(RESOURCE, 0) for worker in workers))
    if not devices:
        remedy = "start workers with: dask worker ADDRESS --nthreads 1 --resources GPU=1"
        raise InputError("--scheduler", f"no worker of the cluster has the resource {RESOURCE}", remedy)
    stop = threading.Event()

    def perform_run(run: Run) -> Outcome:
        import distributed

        future = client.submit(_task, run, context, local_devices, resources={RESOURCE: 1}, pure=False)
        while True:
            try:
                return future.result(timeout=1)
            except TimeoutError:
                if stop.is_set():
                    future.cancel()
                    return Outcome(run.name, "stopped")
            except distributed.scheduler.KilledWorker:
                return Outcome(run.name, "its worker died several times (more than its memory, or it was killed)")

    return Performer(perform_run, max(devices, expected), stop)


def _task(run: Run, context: RunContext, local_devices: list[Device] | None) -> Outcome:
    import distributed

    device = local_devices[int(distributed.get_worker().name)] if local_devices else Device()
    return perform(run, context, device)
