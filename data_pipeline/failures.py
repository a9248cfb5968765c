"""``failures.csv``: the clips that are set aside, each with the stage, the reason and the command to try it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping

from tfrecords.workspace import Workspace, read_csv, write_csv

COLUMNS = ("clip", "stage", "reason", "command")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one clip: seconds spent in each stage that ran, and the stage and reason of a failure."""

    clip: str
    seconds: Mapping[str, float]
    failed_stage: str = ""
    reason: str = ""


def read_failures(workspace: Workspace) -> dict[str, Outcome]:
    """Clip -> its failure, for every clip that is set aside."""
    if not workspace.failures.exists():
        return {}
    rows = read_csv(workspace.failures, COLUMNS)
    return {row["clip"]: Outcome(row["clip"], {}, row["stage"], row["reason"]) for row in rows}


def update_failures(
    workspace: Workspace, outcomes: Iterable[Outcome], stages: Collection[str], clips: Collection[str]
) -> None:
    """Enters the failures among `outcomes` and strikes out what `stages` have now passed.

    A failure in another stage stays; one of a clip that is not among the manifest's `clips` goes. Without failures
    there is no file.
    """
    failures = {clip: failure for clip, failure in read_failures(workspace).items() if clip in clips}
    for outcome in outcomes:
        known = failures.get(outcome.clip)
        if outcome.reason:
            failures[outcome.clip] = outcome
        elif known is not None and known.failed_stage in stages:
            del failures[outcome.clip]
    if not failures:
        workspace.failures.unlink(missing_ok=True)
        return
    rows = []
    for clip, failure in failures.items():
        command = f"python -m data_pipeline.build --workspace={workspace.root} --clips={clip}"
        row = {"clip": clip, "stage": failure.failed_stage, "reason": failure.reason, "command": command}
        rows.append(row)
    write_csv(workspace.failures, COLUMNS, rows)
