"""What a build and the binaries of its single stages share: their flags, and what they print."""

from __future__ import annotations

import dataclasses
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from data_pipeline.cluster import ClusterOptions
from data_pipeline.match import summarise_reports
from data_pipeline.partition import PartitionOptions
from data_pipeline.pipeline import BuildOptions, BuildResult, build
from data_pipeline.stages import STAGES
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, write_json


def print_result(workspace: Workspace, result: BuildResult) -> None:
    """Prints what was built, what waits, and what was set aside and why."""
    for name, seconds in result.seconds.items():
        print(f"{name:>10} {seconds:8.1f} s")
    parts = ", ".join(f"{count} {name}" for name, count in result.partition.items())
    print(f"{len(result.labelled)} entries labelled{f' ({parts})' if parts else ''} in {workspace.root}")
    unlabelled = summarise_reports(workspace, result.labelled)
    if unlabelled:
        print(unlabelled)
    if result.awaiting:
        print(f"{len(result.awaiting)} awaiting annotation: {', '.join(result.awaiting[:10])}")
    for name, count in result.other_code.items():
        what = f"{count} clips' {name} was made by other code of the same version and is kept"
        print(f"warning: {what}; delete its outputs to make them again", file=sys.stderr)
    if result.failed:
        print(f"{len(result.failed)} clips set aside, see {workspace.failures}", file=sys.stderr)


def build_and_print(chosen: BuildOptions, names: Sequence[str], stage_options: dict[str, Any]) -> int:
    """Builds with the cluster of the flags and prints; returns the exit code, 1 where a clip was set aside."""
    if not chosen.workspace:
        raise InputError("--workspace", "no workspace is named", "give the folder that holds manifest.csv")
    workspace = Workspace(Path(chosen.workspace))
    # As Ctrl-C: the workers end with this process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    start = time.monotonic()
    try:
        result = build(workspace, chosen, names, stage_options, options.from_flags(ClusterOptions))
    except KeyboardInterrupt:
        print("stopped; run the same command again and it goes on where it was", file=sys.stderr)
        return 130
    print_result(workspace, result)
    facts = {"seconds": result.seconds, "wall_seconds": time.monotonic() - start, "partition": result.partition}
    facts |= {"labelled": result.labelled, "awaiting_annotation": result.awaiting, "other_code": result.other_code}
    facts |= {"failed": [dataclasses.asdict(outcome) for outcome in result.failed]}
    write_json(workspace.root / "build.json", facts)
    return 1 if result.failed else 0


def option_classes() -> dict[str, type]:
    """Stage -> its dataclass of options."""
    return {name: stage.options for name, stage in STAGES.items()} | {"partition": PartitionOptions}


def options_from_flags() -> dict[str, Any]:
    """Stage -> its options, for the stages whose flags are defined."""
    defined: dict[str, Any] = {}
    for name, options_class in option_classes().items():
        if all(options.flag_name(field) in flags.FLAGS for field in dataclasses.fields(options_class)):
            defined[name] = options.from_flags(options_class)
    return defined


def run_one_stage(name: str) -> None:
    """The main of a stage's own binary: defines its flags only and runs it alone."""
    options.run_main(
        lambda argv: build_and_print(options.from_flags(BuildOptions), [name], options_from_flags()),
        BuildOptions,
        ClusterOptions,
        option_classes()[name],
    )
