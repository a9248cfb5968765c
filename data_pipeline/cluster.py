"""Where clips are worked on: processes of this machine, any running Dask cluster, or jobs of a SLURM cluster."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import logging
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from data_pipeline.code_digest import code_digest
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace

if TYPE_CHECKING:
    from distributed import Client

# A task returns a few numbers, so nothing needs spilling, and a clip that once took much memory must not pause its
# worker for good (TensorFlow keeps what it took); what takes more than the limit is killed by the worker's nanny.
_MEMORY = {
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
}
# Beside those that Dask sets: TensorFlow's own pools.
_ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
_ANSWER_SECONDS = 10
_FIRST_WORKER_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class ClusterOptions:
    """Where clips are worked on."""

    workers: int = option(2, "worker processes on this machine, each one thread", at_least=1)
    worker_memory: str = option("4GiB", "memory of a worker on this machine; one that takes more is ended")
    scheduler: str = option(
        "", "address of a running Dask cluster, as tcp://HOST:8786, to use in place of this machine"
    )
    slurm: bool = option(False, "start the workers as jobs of the SLURM cluster that this machine belongs to")
    slurm_jobs: int = option(1, "number of SLURM jobs; one that ends early is replaced", at_least=1)
    slurm_processes: int = option(1, "worker processes of a SLURM job, each one core and one thread", at_least=1)
    slurm_memory: str = option("4GiB", "memory of a SLURM job, for all of its workers together")
    slurm_walltime: str = option("04:00:00", "longest time of a SLURM job; clips cut short are done by another job")
    slurm_queue: str = option("", "SLURM partition; by default the cluster's default")
    slurm_account: str = option("", "SLURM account to charge")
    slurm_interface: str = option("", "network interface that nodes reach this machine by, as ib0")
    slurm_extra: tuple[str, ...] = option((), "more options of sbatch, as --exclusive,--constraint=skylake")
    slurm_setup: tuple[str, ...] = option((), "shell lines that a SLURM job runs first, as 'module load gcc'")


@contextlib.contextmanager
def open_client(
    workspace: Workspace, chosen: ClusterOptions, resources: Mapping[str, int] | None = None
) -> Iterator[Client]:
    """Yields a client of the chosen cluster, which ends with the block unless it was running before.

    Workers that are started here have `resources`, Dask's abstract ones (``{"GPU": 1}``), by which tasks choose them.

    Raises:
      InputError: the cluster cannot be reached or has no worker, or its workers have other versions or code, or do not
        see the workspace.
    """
    if chosen.scheduler and chosen.slurm:
        raise InputError("--scheduler and --slurm", "both are given", "choose one")
    # Dask takes half a second to load, which a build with nothing to do need not wait for. What matters of what it logs
    # is told with the clip that it happened to.
    import distributed

    logging.getLogger(distributed.__name__).setLevel(logging.CRITICAL)
    from data_pipeline.crash_limit import limit_crashes

    if chosen.scheduler:
        with _running_cluster(chosen.scheduler) as client:
            _check_workers(client, workspace, chosen.scheduler)
            limit_crashes(client)
            yield client
    elif chosen.slurm:
        with _slurm_jobs(chosen, resources or {}) as client:
            print("waiting for the first SLURM job (squeue --me shows them)", flush=True)
            client.wait_for_workers(1)
            _check_workers(client, workspace, "--slurm")
            limit_crashes(client)
            yield client
    else:
        with _local_workers(chosen, resources or {}) as client:
            limit_crashes(client)
            yield client


@contextlib.contextmanager
def _local_workers(chosen: ClusterOptions, resources: Mapping[str, int]) -> Iterator[Client]:
    import dask
    import distributed

    settings = {
        **_MEMORY,
        **{f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in _ONE_THREAD.items()},
    }
    # All listen on this machine only, since whoever reaches a scheduler can run code.
    # Workers' own pages would cost each a second.
    local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with dask.config.set(settings):
        try:
            cluster = distributed.LocalCluster(
                n_workers=chosen.workers,
                threads_per_worker=1,
                memory_limit=chosen.worker_memory,
                silence_logs=logging.CRITICAL,
                resources=dict(resources),
                **local,
            )
        except ValueError as error:
            remedy = "write for example --worker_memory=4GiB"
            raise InputError("--worker_memory", f"{chosen.worker_memory!r} is no size ({error})", remedy) from None
        with cluster, distributed.Client(cluster, set_as_default=False) as client:
            print(f"dashboard: {cluster.dashboard_link}", flush=True)
            yield client


@contextlib.contextmanager
def _running_cluster(address: str) -> Iterator[Client]:
    import distributed

    try:
        client = distributed.Client(address, set_as_default=False, timeout=_ANSWER_SECONDS)
    except (TimeoutError, OSError, ValueError) as error:
        what = f"no Dask scheduler answers there ({error})"
        raise InputError(address, what, "start one with 'dask scheduler' or correct --scheduler") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_FIRST_WORKER_SECONDS)
        except TimeoutError:
            remedy = f"start some with 'dask worker {address} --nthreads 1'"
            raise InputError(address, "the Dask scheduler has no worker", remedy) from None
        print(f"dashboard: {client.dashboard_link}", flush=True)
        yield client


@contextlib.contextmanager
def _slurm_jobs(chosen: ClusterOptions, resources: Mapping[str, int]) -> Iterator[Client]:
    import distributed

    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise InputError("--slurm", "dask-jobqueue is missing", "pip install 'affwildnet[slurm]'") from None
    # The package may not be installed, but lie where this process found it.
    package_folder = Path(__file__).resolve().parents[1]
    memory = {f"DASK_{name.upper().replace('.', '__')}": str(value) for name, value in _MEMORY.items()}
    environment = {"PYTHONPATH": f"{package_folder}${{PYTHONPATH:+:$PYTHONPATH}}", **_ONE_THREAD, **memory}
    cluster = SLURMCluster(
        cores=chosen.slurm_processes,
        processes=chosen.slurm_processes,
        memory=chosen.slurm_memory,
        walltime=chosen.slurm_walltime,
        queue=chosen.slurm_queue or None,
        account=chosen.slurm_account or None,
        interface=chosen.slurm_interface or None,
        job_extra_directives=list(chosen.slurm_extra),
        job_script_prologue=[*chosen.slurm_setup, *(f'export {name}="{value}"' for name, value in environment.items())],
        worker_extra_args=["--resources", ",".join(f"{n}={k}" for n, k in resources.items())] if resources else [],
        job_name="affwildnet",
        scheduler_options={"dashboard_address": "127.0.0.1:0"},
    )
    with cluster, distributed.Client(cluster, set_as_default=False) as client:
        _check_job(cluster.job_script())
        # In place of scale(): it sends another job where one is cancelled or reaches its walltime.
        cluster.adapt(minimum_jobs=chosen.slurm_jobs, maximum_jobs=chosen.slurm_jobs)
        print(f"dashboard: {cluster.dashboard_link}", flush=True)
        yield client


def _check_job(script: str) -> None:
    """Raises `InputError` with SLURM's words where it would not take the job; Dask would only log them and wait."""
    with tempfile.NamedTemporaryFile("w", prefix="affwildnet-", suffix=".sh") as stream:
        stream.write(script)
        stream.flush()
        try:
            subprocess.run(["sbatch", "--test-only", stream.name], check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise InputError("--slurm", "there is no sbatch", "run the build on a machine that sends jobs") from None
        except subprocess.CalledProcessError as error:
            what = f"SLURM refuses the job ({' '.join(error.stderr.split())})"
            raise InputError("--slurm", what, "correct --slurm_queue, --slurm_memory and the like") from None


def _check_workers(client: Client, workspace: Workspace, place: str) -> None:
    """Raises `InputError` unless scheduler and workers have our versions, and workers our code and our files.

    Workers that join later are asked by their first task, see engine.py.
    """
    versions = cast(Any, client.get_versions())
    ours = _versions(versions["client"])
    others = {f"worker {address}": facts for address, facts in versions["workers"].items()}
    for other, facts in {"the scheduler": versions["scheduler"], **others}.items():
        theirs = _versions(facts)
        for name in ours:
            if theirs.get(name) != ours[name]:
                what = f"{other} has {name} {theirs.get(name)}, this process {ours[name]}"
                raise InputError(place, what, "start scheduler and workers in this environment")
    for other, found in _everywhere(client, importlib.util.find_spec, "data_pipeline").items():
        if found is None:
            what = f"{other} cannot import data_pipeline"
            remedy = "install the package there, or start scheduler and workers in its folder with PYTHONPATH=."
            raise InputError(place, what, remedy)
    for other, digest in _everywhere(client, code_digest, "data_pipeline.engine").items():
        if digest != code_digest("data_pipeline.engine"):
            what = f"{other} runs other code of data_pipeline"
            remedy = (
                "start the workers again, with this code" if "worker" in other else "start it again, with this code"
            )
            raise InputError(place, what, remedy)
    for address, seen in client.run(_sight, workspace.manifest).items():
        if seen != _sight(workspace.manifest):
            what = f"worker {address} does not see this manifest.csv"
            raise InputError(workspace.manifest, what, "put the workspace on a file system that all workers share")


def _everywhere(client: Client, function: Callable[[str], Any], name: str) -> dict[str, Any]:
    """Who -> what ``function(name)`` gives there: on the scheduler, which reads the tasks it is sent, and workers."""
    told = {"the scheduler": client.run_on_scheduler(function, name)}
    return told | {f"worker {address}": value for address, value in client.run(function, name).items()}


def _versions(facts: Mapping[str, Any]) -> dict[str, str]:
    python = ".".join(str(number) for number in facts["host"]["python"].split(".")[:2])
    return {"python": python, **{name: facts["packages"][name] for name in ("dask", "distributed", "numpy")}}


def _sight(path: Path) -> tuple[int, int] | None:
    """Size and time of change (ns) of a file, or None where it is not seen."""
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns
