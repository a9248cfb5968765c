"""``python -m data_pipeline.statistics --workspace=W`` writes ``W/statistics/``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from data_pipeline.manifest import read_manifest
from data_pipeline.partition_options import PartitionOptions
from data_pipeline.statistics.collect import collect
from data_pipeline.statistics.page import StatisticsOptions, write_statistics
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class StatisticsRun:
    """Which database."""

    workspace: str = option("", "workspace folder with a manifest.csv")


def main(argv: list[str]) -> int:
    run = options.from_flags(StatisticsRun)
    if not run.workspace:
        raise InputError("--workspace", "no workspace is named", "give the folder that holds manifest.csv")
    workspace, chosen = Workspace(Path(run.workspace)), options.from_flags(StatisticsOptions)
    database = collect(workspace, read_manifest(workspace), PartitionOptions())
    if chosen.strip_entry and chosen.strip_entry not in database.labels:
        what = f"there is no labelled entry {chosen.strip_entry}"
        raise InputError("--strip_entry", what, "name one of labels/")
    page = write_statistics(workspace, database, chosen)
    print(f"{len(database.entries)} entries, {len(database.labels)} labelled; see {page}")
    return 0


if __name__ == "__main__":
    options.run_main(main, StatisticsRun, StatisticsOptions)
