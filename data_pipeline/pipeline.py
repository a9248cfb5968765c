"""The pipeline as a whole: its stages in order over the clips of a workspace."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Sequence
from typing import Any

from data_pipeline.cluster import ClusterOptions, open_client
from data_pipeline.corrections import check_corrections
from data_pipeline.engine import process_clips
from data_pipeline.failures import Outcome, read_failures, update_failures
from data_pipeline.manifest import ManifestRow, read_manifest
from data_pipeline.partition import PartitionOptions, leave_out, partition_database, reached_path
from data_pipeline.stages import STAGES
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.temporaries import sweep_temporaries
from tfrecords.workspace import Workspace

ORDER = ("download", "probe", "transcode", "detect", "filter", "match", "partition", "convert")


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """What of the database is built."""

    workspace: str = option("", "workspace folder with a manifest.csv")
    clips: tuple[str, ...] = option((), "clips to work on; by default all of the manifest")


@dataclasses.dataclass(frozen=True)
class BuildResult:
    """What a build did: seconds a stage (summed over workers), and who is labelled, waiting or set aside.

    `other_code` counts, by stage, the clips whose fresh outputs were made by other code of the same version.
    """

    seconds: dict[str, float]
    labelled: list[str]
    awaiting: list[str]
    failed: list[Outcome]
    partition: dict[str, int]
    other_code: dict[str, int]


def build(
    workspace: Workspace,
    chosen: BuildOptions,
    names: Sequence[str] = ORDER,
    stage_options: dict[str, Any] | None = None,
    cluster: ClusterOptions | None = None,
) -> BuildResult:
    """Runs the stages `names` on the manifest's clips; `stage_options` (name -> dataclass) replace defaults.

    A clip that fails is set aside in ``failures.csv`` and the others go on. The `cluster` (by default workers of this
    machine) is started when the first clip needs it, and ends with the build.
    """
    given = stage_options or {}
    # Workers elsewhere have another working directory.
    workspace = Workspace(workspace.root.absolute())
    rows = read_manifest(workspace)
    check_corrections(workspace, {entry for row in rows for entry in row.entries()})
    clips = {row.clip for row in rows}
    worked_on = _chosen_rows(workspace, rows, chosen.clips)
    sweep_temporaries([workspace.root, *(path for path in sorted(workspace.root.iterdir()) if path.is_dir())])
    where = cluster or ClusterOptions()
    where = dataclasses.replace(where, workers=min(where.workers, max(1, len(worked_on))))
    flags = _flags(names, given, cluster or ClusterOptions())
    seconds: dict[str, float] = {}
    failed: dict[str, Outcome] = {}
    parts: dict[str, int] = {}
    other_code: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        connect = functools.cache(lambda: stack.enter_context(open_client(workspace, where)))
        for stretch in _stretches():
            block = [name for name in stretch if name in names]
            if block == ["partition"]:
                start = time.monotonic()
                parts = _partition(workspace, rows, given.get("partition", PartitionOptions()))
                seconds["partition"] = time.monotonic() - start
            elif block:
                stages = {name: given.get(name, STAGES[name].options()) for name in block}
                going_on = [row for row in worked_on if row.clip not in failed]
                enter = functools.partial(update_failures, workspace, stages=block, clips=clips, flags=flags)
                processed = process_clips(connect, workspace, going_on, stages, enter)
                failed |= {outcome.clip: outcome for outcome in processed.outcomes if outcome.reason}
                other_code |= processed.other_code
                for name in block:
                    seconds[name] = sum(outcome.seconds.get(name, 0.0) for outcome in processed.outcomes)
    if "convert" in names:
        leave_out(workspace, set(failed))
    entries = [entry for row in worked_on if row.clip not in failed for entry in row.entries()]
    labelled = [entry for entry in entries if workspace.labels(entry).exists()]
    known = set(labelled)
    awaiting = [entry for entry in entries if entry not in known]
    return BuildResult(seconds, labelled, awaiting, list(failed.values()), parts, other_code)


def _flags(names: Sequence[str], given: dict[str, Any], cluster: ClusterOptions) -> list[str]:
    """The flags of ``data_pipeline.build`` that make it do what this build does."""
    span = [f"--from={names[0]}"] * (names[0] != ORDER[0]) + [f"--to={names[-1]}"] * (names[-1] != ORDER[-1])
    return span + [word for chosen in (*given.values(), cluster) for word in options.to_flags(chosen)]


def _stretches() -> tuple[tuple[str, ...], ...]:
    """The stages a clip runs through alone, the partition, which needs all clips, and the stages after it."""
    at = ORDER.index("partition")
    return ORDER[:at], ORDER[at : at + 1], ORDER[at + 1 :]


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
    wanted = set(clips)
    unknown = sorted(wanted - {row.clip for row in rows})
    if unknown:
        raise InputError(workspace.manifest, f"there is no clip {unknown[0]}", "name clips of the manifest in --clips")
    return [row for row in rows if not wanted or row.clip in wanted]
