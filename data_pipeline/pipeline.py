"""The pipeline as a whole: its stages in order over the clips of a workspace."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from data_pipeline.engine import process_clips
from data_pipeline.failures import Outcome, read_failures, update_failures
from data_pipeline.manifest import ManifestRow, read_manifest
from data_pipeline.partition import PartitionOptions, leave_out, partition_database, reached_path
from data_pipeline.stages import STAGES
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace

ORDER = ("probe", "transcode", "detect", "filter", "match", "partition", "convert")


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """What of the database is built, and with how many processes."""

    workspace: str = option("", "workspace folder with a manifest.csv")
    clips: tuple[str, ...] = option((), "clips to work on; by default all of the manifest")
    workers: int = option(2, "worker processes, each one thread", at_least=1)


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
    clips = {row.clip for row in rows}
    worked_on = _chosen_rows(workspace, rows, chosen.clips)
    seconds: dict[str, float] = {}
    failed: list[Outcome] = []
    parts: dict[str, int] = {}
    for stretch in (ORDER[:5], ORDER[5:6], ORDER[6:]):
        block = [name for name in stretch if name in names]
        if block == ["partition"]:
            start = time.monotonic()
            parts = _partition(workspace, rows, given.get("partition", PartitionOptions()))
            seconds["partition"] = time.monotonic() - start
        elif block:
            stages = {name: given.get(name, STAGES[name].options()) for name in block}
            going_on = [row for row in worked_on if row.clip not in {outcome.clip for outcome in failed}]
            outcomes = process_clips(workspace, going_on, stages, chosen.workers, " > ".join(block))
            update_failures(workspace, outcomes, block, clips)
            failed += [outcome for outcome in outcomes if outcome.reason]
            for name in block:
                seconds[name] = sum(outcome.seconds.get(name, 0.0) for outcome in outcomes)
    if "convert" in names:
        leave_out(workspace, {outcome.clip for outcome in failed})
    set_aside = {outcome.clip for outcome in failed}
    entries = [(row, entry) for row in worked_on if row.clip not in set_aside for entry in row.entries()]
    labelled = [entry for _, entry in entries if workspace.labels(entry).exists()]
    awaiting = [entry for _, entry in entries if not workspace.labels(entry).exists()]
    return BuildResult(seconds, labelled, awaiting, failed, parts)


def _partition(workspace: Workspace, rows: Sequence[ManifestRow], chosen: PartitionOptions) -> dict[str, int]:
    """Partitions what is labelled and not set aside; an old label of a refused annotation must not be trained on."""
    # A clip that failed in the last stage has good labels, and is tried again after this.
    refused = {clip for clip, failure in read_failures(workspace).items() if failure.failed_stage != "convert"}
    usable = [row for row in rows if row.clip not in refused]
    if not any(workspace.labels(entry).exists() for row in usable for entry in row.entries()):
        workspace.partition.unlink(missing_ok=True)
        reached_path(workspace).unlink(missing_ok=True)
        return {}
    return partition_database(workspace, usable, chosen).counts


def _chosen_rows(workspace: Workspace, rows: list[ManifestRow], clips: Sequence[str]) -> list[ManifestRow]:
    unknown = sorted(set(clips) - {row.clip for row in rows})
    if unknown:
        raise InputError(workspace.manifest, f"there is no clip {unknown[0]}", "name clips of the manifest in --clips")
    return [row for row in rows if not clips or row.clip in clips]
