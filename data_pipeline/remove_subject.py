"""Takes a person who withdraws out of a workspace: ``python -m data_pipeline.remove_subject --workspace=W``.

With ``--subject=ID`` it lists what would go; with ``--yes`` it goes. Broken off, the same command
goes on.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from data_pipeline.removal.leftovers import find_leftovers
from data_pipeline.removal.log import enter_begun, enter_finished, is_begun
from data_pipeline.removal.models import TRAINED, UNKNOWN, FoundModel
from data_pipeline.removal.person import is_named
from data_pipeline.removal.plan import Plan, plan_removal
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class RemoveOptions:
    """What `python -m data_pipeline.remove_subject` takes."""

    workspace: str = option("", "workspace folder; no build may be running on it")
    subject: str = option("", "the person's id in the manifest's column 'subjects'")
    yes: bool = option(False, "do it; otherwise what would go is listed and nothing changes")
    models: tuple[str, ...] = option((), "folders of models, searched with their subfolders for ones trained on them")
    predictions: tuple[str, ...] = option((), "folders of predictions, searched with their subfolders")
    delete_sources: bool = option(False, "delete the videos too, if they lie in the workspace and nobody else's do")
    keep_others: bool = option(False, "of clips of two people keep the other's crops, labels and records")


def remove_subject(workspace: Workspace, plan: Plan) -> list[str]:
    """Makes the changes of a plan and returns what is left of the person, a line each (see `find_leftovers`)."""
    person = plan.person
    enter_begun(workspace, person.subject, len(person.rows), plan.changes)
    for change in plan.changes:
        change.apply()
    enter_finished(workspace, person.subject)
    return find_leftovers(
        workspace, person.names | {person.subject}, person.others, [source.path for source in plan.left]
    )


def print_plan(plan: Plan) -> None:
    """Prints every path and what becomes of it, with the sources that stay and the models."""
    for change in plan.changes:
        print(f"{change.path}: {change.what}")
    for row in plan.person.rows:
        if len(row.subjects) == 2 and row.clip not in plan.person.kept:
            print(f"{row.clip} shows somebody else too, whose part of it goes as well; --keep_others keeps their crops")
    for source in plan.left:
        print(f"{source.path}: stays, {source.stays or '--delete_sources is not given'}")
    _print_models(plan.models)
    files, rows = (sum(change.count for change in plan.changes if change.kind == kind) for kind in ("file", "row"))
    told = f"{len(plan.person.rows)} clips, {files} files and folders, {rows} rows and names"
    print(f"{told}; {len(plan.left)} of {len(plan.sources)} sources stay")


def _print_models(models: Sequence[FoundModel]) -> None:
    for model in models:
        if model.answer in (TRAINED, UNKNOWN):
            print(f"model {model.folder}: {model.answer}{f' (database {model.database})' if model.database else ''}")
    if models:
        trained = sum(model.answer == TRAINED for model in models)
        unknown = sum(model.answer == UNKNOWN for model in models)
        print(f"{trained} of {len(models)} models were trained on the person, {unknown} do not say on whom")


def main(argv: list[str]) -> int:
    chosen = options.from_flags(RemoveOptions)
    if not chosen.workspace or not chosen.subject:
        raise InputError("--workspace and --subject", "both are needed", "name the workspace and the person's id")
    workspace = Workspace(Path(chosen.workspace))
    if chosen.yes and is_begun(workspace, chosen.subject) and not is_named(workspace, chosen.subject):
        # Broken off after the very last row: nothing is left to say which clips were theirs.
        enter_finished(workspace, chosen.subject)
        return _print_leftovers(find_leftovers(workspace, {chosen.subject}, (), ()))
    plan = plan_removal(
        workspace,
        chosen.subject,
        models=[Path(name) for name in chosen.models],
        predictions=[Path(name) for name in chosen.predictions],
        delete_sources=chosen.delete_sources,
        keep_others=chosen.keep_others,
    )
    print_plan(plan)
    if not chosen.yes:
        print("nothing was changed; --yes takes it out")
        return 0
    leftovers = remove_subject(workspace, plan)
    if plan.left:
        print(f"{len(plan.left)} sources that show the person are still there, see above")
    return _print_leftovers(leftovers)


def _print_leftovers(leftovers: Sequence[str]) -> int:
    for line in leftovers:
        print(f"left: {line}", file=sys.stderr)
    if leftovers:
        print(f"{len(leftovers)} places still name the person or their clips: look at them", file=sys.stderr)
        return 1
    print("done; nothing here names the person any more. Backups, copies and trained models are left to you")
    print("run data_pipeline.build, and agreement, statistics and data_sheet again if you have them")
    return 0


if __name__ == "__main__":
    options.run_main(main, RemoveOptions)
