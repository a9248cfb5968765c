"""Makes a workspace of another database: ``python -m data_pipeline.import_database --from=afew_va --folder=DIR``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from data_pipeline.importers import IMPORTERS
from data_pipeline.importers.database import ImportOptions
from data_pipeline.importers.write import import_database
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class ImportTarget:
    """Which kind of database, and where it goes."""

    database: str | None = option(None, "kind of database, see WORKSPACE.md", choices=sorted(IMPORTERS), flag="from")
    workspace: str = option("", "workspace folder, made if it does not exist")


def main(argv: list[str]) -> int:
    target, chosen = options.from_flags(ImportTarget), options.from_flags(ImportOptions)
    if not target.database or not target.workspace or not chosen.folder:
        remedy = f"name the kind ({', '.join(sorted(IMPORTERS))}) and the two folders"
        raise InputError("--from, --workspace and --folder", "all three are needed", remedy)
    database = IMPORTERS[target.database]
    print(f"{database.title}\n  terms: {database.licence}\n  cite:  {database.citation}")
    workspace = Workspace(Path(target.workspace))
    report = import_database(workspace, target.database, database, chosen)
    print(f"{len(report.clips)} clips imported into {workspace.root}")
    if workspace.official.exists():
        print(f"  the database's own parts: build with --fixed={workspace.official}")
    for what, count in report.left_out.items():
        if count:
            print(f"  {count} {what}")
    for name, called in list(report.renamed.items())[:10]:
        print(f"  {name} is called {called}")
    if len(report.renamed) > 10:
        print(f"  {len(report.renamed)} clips have other names, see {workspace.root / 'import.json'}")
    for reason in report.set_aside.values():
        print(f"set aside: {reason}", file=sys.stderr)
    return 1 if report.set_aside else 0


if __name__ == "__main__":
    options.run_main(main, ImportTarget, ImportOptions)
