"""``failures.csv``: the clips that are set aside, each with the stage, the reason and the command to try it again."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence

from tfrecords.workspace import Workspace, read_csv, write_csv

COLUMNS = ("clip", "stage", "reason", "command")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one clip: seconds spent in each stage that ran, and the stage and reason of a failure.

    `command` tries a clip that was set aside in an earlier build again; `remarks` are what a person should know of a
    clip though it is no failure.
    """

    clip: str
    seconds: Mapping[str, float]
    failed_stage: str = ""
    reason: str = ""
    command: str = ""
    remarks: tuple[str, ...] = ()


def read_failures(workspace: Workspace) -> dict[str, Outcome]:
    """Clip -> its failure, for every clip that is set aside."""
    if not workspace.failures.exists():
        return {}
    rows = read_csv(workspace.failures, COLUMNS)
    return {row["clip"]: Outcome(row["clip"], {}, row["stage"], row["reason"], row["command"]) for row in rows}


def update_failures(
    workspace: Workspace,
    outcomes: Iterable[Outcome],
    stages: Collection[str],
    clips: Collection[str],
    flags: Sequence[str] = (),
) -> None:
    """Enters the failures among `outcomes` and strikes out what `stages` have now passed.

    A failure in another stage stays; one of a clip that is not among the manifest's `clips` goes. Without failures
    there is no file. `flags` are those that the build was started with, which trying again takes too.
    """
    known = read_failures(workspace)
    failures = {clip: failure for clip, failure in known.items() if clip in clips}
    for outcome in outcomes:
        earlier = failures.get(outcome.clip)
        if outcome.reason:
            command = outcome.command or retry_command(workspace, outcome.clip, flags)
            failures[outcome.clip] = dataclasses.replace(outcome, command=command)
        elif earlier is not None and earlier.failed_stage in stages:
            del failures[outcome.clip]
    if not failures:
        workspace.failures.unlink(missing_ok=True)
        return
    rows = [(failure.clip, failure.failed_stage, failure.reason, failure.command) for failure in failures.values()]
    write_csv(workspace.failures, COLUMNS, [dict(zip(COLUMNS, row, strict=True)) for row in rows])


def retry_command(workspace: Workspace, clip: str, flags: Sequence[str]) -> str:
    """A line for the shell that builds `clip` again with these flags."""
    words = ["python", "-m", "data_pipeline.build", f"--workspace={workspace.root}", f"--clips={clip}", *flags]
    return shlex.join(words)
