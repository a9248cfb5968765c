"""Runs the pipeline's stages in order: ``python -m data_pipeline.build --workspace=W``."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from data_pipeline.engine import Outcome, process_clips
from data_pipeline.manifest import ManifestRow, read_manifest
from data_pipeline.partition import PartitionOptions, partition_database
from data_pipeline.stages import STAGES
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, write_json

ORDER = ("probe", "transcode", "detect", "filter", "match", "partition", "convert")


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """What of the database is built, and with how many processes."""

    workspace: str = option("", "workspace folder with a manifest.csv")
    clips: tuple[str, ...] = option((), "clips to work on; by default all of the manifest")
    workers: int = option(2, "worker processes, each one thread")


@dataclasses.dataclass(frozen=True)
class BuildRange:
    """Which stages run."""

    from_stage: str = option(ORDER[0], "first stage to run", choices=ORDER, flag="from")
    to_stage: str = option(ORDER[-1], "last stage to run", choices=ORDER, flag="to")


@dataclasses.dataclass(frozen=True)
class BuildResult:
    """What a build did: seconds a stage (summed over workers), and who is labelled, waiting or set aside."""

    seconds: dict[str, float]
    labelled: list[str]
    awaiting: list[str]
    failed: list[Outcome]
    partition: dict[str, int]


def build(
    workspace: Workspace,
    chosen: BuildOptions,
    names: Sequence[str] = ORDER,
    stage_options: dict[str, Any] | None = None,
) -> BuildResult:
    """Runs the stages `names` on the manifest's clips; `stage_options` (name -> dataclass) replace defaults.

    A clip that fails is set aside in ``failures.csv`` and the others go on.
    """
    given = stage_options or {}
    rows = read_manifest(workspace)
    worked_on = _chosen_rows(workspace, rows, chosen.clips)
    seconds: dict[str, float] = {}
    failed: list[Outcome] = []
    parts: dict[str, int] = {}
    for stretch in (ORDER[:5], ORDER[5:6], ORDER[6:]):
        block = [name for name in stretch if name in names]
        if block == ["partition"]:
            start = time.monotonic()
            if any(workspace.labels(entry).exists() for row in rows for entry in row.entries()):
                parts = partition_database(workspace, rows, given.get("partition", PartitionOptions()))
            seconds["partition"] = time.monotonic() - start
        elif block:
            stages = {name: given.get(name, STAGES[name].options()) for name in block}
            going_on = [row for row in worked_on if row.clip not in {outcome.clip for outcome in failed}]
            outcomes = process_clips(workspace, going_on, stages, chosen.workers, " > ".join(block))
            failed += [outcome for outcome in outcomes if outcome.reason]
            for name in block:
                seconds[name] = sum(outcome.seconds.get(name, 0.0) for outcome in outcomes)
    set_aside = {outcome.clip for outcome in failed}
    entries = [(row, entry) for row in worked_on if row.clip not in set_aside for entry in row.entries()]
    labelled = [entry for _, entry in entries if workspace.labels(entry).exists()]
    awaiting = [entry for _, entry in entries if not workspace.labels(entry).exists()]
    return BuildResult(seconds, labelled, awaiting, failed, parts)


def _chosen_rows(workspace: Workspace, rows: list[ManifestRow], clips: Sequence[str]) -> list[ManifestRow]:
    unknown = sorted(set(clips) - {row.clip for row in rows})
    if unknown:
        raise InputError(workspace.manifest, f"there is no clip {unknown[0]}", "name clips of the manifest in --clips")
    return [row for row in rows if not clips or row.clip in clips]


def print_result(workspace: Workspace, result: BuildResult) -> None:
    """Prints what was built, what waits, and what was set aside and why."""
    for name, seconds in result.seconds.items():
        print(f"{name:>10} {seconds:8.1f} s")
    parts = ", ".join(f"{count} {name}" for name, count in result.partition.items())
    print(f"{len(result.labelled)} entries labelled{f' ({parts})' if parts else ''} in {workspace.root}")
    if result.awaiting:
        print(f"{len(result.awaiting)} awaiting annotation: {', '.join(result.awaiting[:10])}")
    if result.failed:
        print(f"{len(result.failed)} clips set aside, see {workspace.failures}", file=sys.stderr)


def main(argv: list[str]) -> int:
    chosen, span = options.from_flags(BuildOptions), options.from_flags(BuildRange)
    names = ORDER[ORDER.index(span.from_stage) : ORDER.index(span.to_stage) + 1]
    return build_and_print(chosen, names, _all_options())


def build_and_print(chosen: BuildOptions, names: Sequence[str], stage_options: dict[str, Any]) -> int:
    """Builds and prints; returns the exit code, 1 where a clip was set aside."""
    if not chosen.workspace:
        raise InputError("--workspace", "no workspace is named", "give the folder that holds manifest.csv")
    workspace = Workspace(Path(chosen.workspace))
    start = time.monotonic()
    result = build(workspace, chosen, names, stage_options)
    print_result(workspace, result)
    facts = {"seconds": result.seconds, "wall_seconds": time.monotonic() - start, "partition": result.partition}
    facts |= {"labelled": result.labelled, "awaiting_annotation": result.awaiting}
    facts |= {"failed": [dataclasses.asdict(outcome) for outcome in result.failed]}
    write_json(workspace.root / "build.json", facts)
    return 1 if result.failed else 0


def _option_classes() -> dict[str, type]:
    return {name: stage.options for name, stage in STAGES.items()} | {"partition": PartitionOptions}


def _all_options() -> dict[str, Any]:
    defined: dict[str, Any] = {}
    for name, options_class in _option_classes().items():
        if all(options.flag_name(field) in flags.FLAGS for field in dataclasses.fields(options_class)):
            defined[name] = options.from_flags(options_class)
    return defined


def run_one_stage(name: str) -> None:
    """The main of a stage's own binary: defines its flags only and runs it alone."""
    options.run_main(
        lambda argv: build_and_print(options.from_flags(BuildOptions), [name], _all_options()),
        BuildOptions,
        _option_classes()[name],
    )


def run() -> None:
    options.run_main(main, BuildOptions, BuildRange, *_option_classes().values())


if __name__ == "__main__":
    run()
