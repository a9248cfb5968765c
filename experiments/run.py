"""Runs the paper's tables: ``python -m experiments.run --table=6.4 --workspace=W --output=E``.

Plans the runs, trains, evaluates and tests each in processes of their own, those that start from another after it. Run
again it does what is missing. ``--dry_run`` only prints the plan and what it costs; without a workspace, on a database
of the thesis's size. ``experiments.report --output=E`` then makes the tables.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_collections
from absl import flags
from ml_collections import config_flags

from data_pipeline.cluster import ClusterOptions, open_client
from experiments.configs import TABLES, load_table
from experiments.estimate import count_work, database_frames, format_estimate
from experiments.places import Places, write_plan
from experiments.plan import Plan, PlanOptions, check_variants, make_plan
from experiments.run_plan import RESOURCE, Performer, on_cluster, on_devices, parse_devices, run_plan
from experiments.run_steps import Outcome, RunContext
from experiments.staged import CHOICES, winner
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Which tables, of what, where to, and on what."""

    table: tuple[str, ...] = option((), f"tables to run: {', '.join(TABLES)}")
    workspace: str = option("", "workspace folder")
    output: str = option("experiments_output", "folder of the runs; what is finished there is not run again")
    weights_folder: str = option("weights", "where affwildnet.fetch_weights put what it fetched")
    staged: bool = option(False, "table after table, each with what has won the one before on the validation part")
    choose_by: str = option("total", "the validation CCC by which --staged chooses; total is the mean", CHOICES)
    devices: tuple[str, ...] = option(
        ("0",),
        "GPUs; each takes a run at a time. 1:2 trains on 1 and evaluates on 2, -1 is the CPU, 0,0 puts two runs on "
        "GPU 0. Without any GPU, 0 is the CPU",
    )
    cluster: bool = option(False, "run on workers of a Dask cluster on this machine, one a device")
    poll_seconds: float = option(10.0, "seconds between an evaluator's looks for new checkpoints", at_least=0)
    dry_run: bool = option(False, "print the plan with its operations, and hours where the device's speed is known")
    tflops: float = option(0.0, "what the device sustains in training, in 1e12 operations a second", at_least=0)
    calibrate: bool = option(False, "measure that on the first of --devices, with the plan's networks")


def main(argv: list[str]) -> int:
    chosen, wanted = options.from_flags(RunOptions), options.from_flags(PlanOptions)
    where = options.from_flags(ClusterOptions)
    configs = _load(chosen, flags.FLAGS.config)
    check_variants(configs, wanted.variants)
    if chosen.dry_run:
        return _estimate(chosen, make_plan(configs, wanted), configs)
    if not chosen.workspace:
        raise InputError("--workspace", "it is not given", "name the database's folder, or ask for --dry_run")
    if not Workspace(Path(chosen.workspace)).partition.exists():
        what = "the workspace is not built: it has no partition.csv"
        raise InputError(chosen.workspace, what, "run python -m data_pipeline.build first")
    places = Places(Path(chosen.output))
    # A batch system ends jobs with SIGTERM: processes of runs shall not outlive this one.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with _performer(chosen, where) as performer:
        outcomes: dict[str, Outcome] = {}
        for stage, plan in _stages(chosen, wanted, configs, places):
            asked = dataclasses.asdict(wanted) | {"workspace": chosen.workspace, "staged": chosen.staged}
            write_plan(places, stage, plan, asked)
            outcomes |= run_plan(plan, places, performer)
    failed = [outcome for outcome in outcomes.values() if outcome.reason]
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} runs finished, see {places.status}")
    for outcome in failed:
        print(f"failed: {outcome.name}: {outcome.reason}", file=sys.stderr)
    print(f"python -m experiments.report --output={places.root} makes the tables")
    return 1 if failed else 0


def _load(chosen: RunOptions, config: ml_collections.ConfigDict | None) -> list[ml_collections.ConfigDict]:
    unknown = [name for name in chosen.table if name not in TABLES]
    if unknown:
        raise InputError("--table", f"there is no table {unknown[0]!r}", f"choose from {', '.join(TABLES)}")
    configs = [load_table(name) for name in TABLES if name in chosen.table]
    configs += [config] if config is not None else []
    if not configs:
        raise InputError("--table", "it is not given", f"choose from {', '.join(TABLES)}, or give --config=FILE.py")
    return configs


def _stages(
    chosen: RunOptions, wanted: PlanOptions, configs: list[ml_collections.ConfigDict], places: Places
) -> Iterator[tuple[list[ml_collections.ConfigDict], Plan]]:
    """All tables at once, or one after the other where each hands its winner to the next."""
    if not chosen.staged:
        yield configs, make_plan(configs, wanted)
        return
    carried: dict[str, Any] = {}
    for config in configs:
        plan = make_plan([config], wanted, carried)
        yield [config], plan
        if config.carries and plan.rows:
            variant, handed = winner(places, plan, config, chosen.choose_by)
            carried |= handed
            told = ", ".join(f"{name}={value}" for name, value in handed.items())
            print(f"table {config.table}: {variant} is best on the validation part; the next tables take {told}")


@contextlib.contextmanager
def _performer(chosen: RunOptions, where: ClusterOptions) -> Iterator[Performer]:
    context = RunContext(
        str(Path(chosen.workspace).resolve()),
        str(Path(chosen.output).resolve()),
        os.path.abspath(chosen.weights_folder),
        chosen.poll_seconds,
    )
    devices = parse_devices(chosen.devices)
    if not (chosen.cluster or where.scheduler or where.slurm):
        yield on_devices(context, devices)
        return
    local = devices if chosen.cluster else None
    if local:
        where = dataclasses.replace(where, workers=len(local))
    with open_client(Workspace(Path(chosen.workspace)), where, {RESOURCE: 1}) as client:
        # Of the jobs that were asked for, the first has begun.
        expected = where.slurm_jobs * where.slurm_processes if where.slurm else 0
        yield on_cluster(client, context, local, expected)


def _estimate(chosen: RunOptions, plan: Plan, configs: list[ml_collections.ConfigDict]) -> int:
    if chosen.staged:
        print("--staged is planned as if the thesis's choices won: its tables hold them")
    frames = database_frames(chosen.workspace)
    works = count_work(plan, configs, frames, progress=lambda text: print(text, file=sys.stderr))
    devices = parse_devices(chosen.devices)
    rates: Any = chosen.tflops * 1e12 or None
    if chosen.calibrate:
        from experiments.calibrate import measure_rates, seconds_to_start

        rates = measure_rates(plan, devices[0].train)
    print(format_estimate(works, frames, rates, len(devices)))
    if chosen.calibrate:
        # Training and evaluation start together, the test after them.
        started, each = 2 * len(works), seconds_to_start()
        print(f"and {started * each / 3600:.2f} hours to start {started} times, {each:.1f} s each")
    return 0


def run() -> None:
    config_flags.DEFINE_config_file("config", None, "a table of your own: FILE.py or FILE.py:VARIANT")
    options.run_main(main, RunOptions, PlanOptions, ClusterOptions)


if __name__ == "__main__":
    run()
