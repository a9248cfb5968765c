"""Action units first, or valence and arousal alone: ``python -m experiments.action_units --workspace=W --output=E``.

Trains FATAUVA-Net's small size both ways, each seed in processes of its own, tests on subjects never seen and writes
``E/report/action_units.md``, ``.csv`` and ``.json``. Run again it does what is missing. ``configs/action_units.py`` has
the systems; ``--variants=two_stage,va_only,joint`` chooses others.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from pathlib import Path

from experiments.action_units_table import write_comparison
from experiments.configs.action_units import BATCH, get_config
from experiments.places import Places, read_plan, write_plan
from experiments.plan import FRAMES_A_STEP, PlanOptions, check_variants, make_plan
from experiments.run_plan import on_devices, parse_devices, run_plan
from experiments.run_steps import RunContext
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class ActionUnitsOptions:
    """What is compared, and how long each is trained."""

    workspace: str = option("", "workspace folder, its records with action units")
    output: str = option("action_units_output", "folder of the runs; what is finished there is not run again")
    seeds: tuple[str, ...] = option(("1", "2", "3"), "seeds; each makes a run of every system")
    variants: tuple[str, ...] = option((), "systems, of those in configs/action_units.py; by default two")
    steps: int = option(900, "steps of 64 frames that each system gets in all, a multiple of 10", at_least=10)
    checkpoints: int = option(
        6, "checkpoints of a run, of which the best on the validation part are tested", at_least=1
    )
    set: tuple[str, ...] = option((), "train's flags for all runs: learning_rate=3e-4")
    devices: tuple[str, ...] = option(("0",), "GPUs, see experiments.run; without any, 0 is the CPU")
    poll_seconds: float = option(2.0, "seconds between an evaluator's looks for new checkpoints", at_least=0)


def main(argv: list[str]) -> int:
    chosen = options.from_flags(ActionUnitsOptions)
    if not chosen.workspace or not Workspace(Path(chosen.workspace)).partition.exists():
        remedy = "make one with data_pipeline.demo_faces and data_pipeline.build"
        raise InputError("--workspace", "it names no workspace that is built", remedy)
    if chosen.steps % 10:
        raise InputError("--steps", f"{chosen.steps} is no multiple of 10", "so that halves are alike")
    config = get_config()
    check_variants([config], chosen.variants)
    steps = chosen.steps * BATCH // FRAMES_A_STEP
    wanted = PlanOptions(chosen.variants, chosen.seeds, steps, checkpoints=chosen.checkpoints, set=chosen.set)
    plan, places = make_plan([config], wanted), Places(Path(chosen.output))
    write_plan(places, [config], plan, dataclasses.asdict(chosen))
    context = RunContext(
        str(Path(chosen.workspace).resolve()),
        str(places.root.resolve()),
        os.path.abspath("weights"),
        chosen.poll_seconds,
    )
    # A batch system ends jobs with SIGTERM: processes of runs shall not outlive this one.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    outcomes = run_plan(plan, places, on_devices(context, parse_devices(chosen.devices)))
    failed = [outcome for outcome in outcomes.values() if outcome.reason]
    for outcome in failed:
        print(f"failed: {outcome.name}: {outcome.reason}", file=sys.stderr)
    table = write_comparison(places, read_plan(places, config.table), Workspace(Path(chosen.workspace)))
    print(table.read_text(encoding="utf-8"))
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} runs finished; the table is {table}")
    return 1 if failed else 0


def run() -> None:
    options.run_main(main, ActionUnitsOptions)


if __name__ == "__main__":
    run()
