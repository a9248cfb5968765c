"""Where an experiment's files lie, below ``--output``; their form stands in WORKSPACE.md.

| path | holds |
| --- | --- |
| ``plans/TABLE.json`` | the rows of a table as last planned, and their runs |
| ``runs/NAME/`` | a run's model folder, and ``experiment.json``: which of its steps are done |
| ``logs/NAME.log`` | what its processes said |
| ``runs.csv`` | a row a run of the last command: finished, failed (and why), waiting |
| ``cross_database/DATABASE/RUN/`` | tests on another workspace |
| ``report/`` | ``index.html``, tables and figures |
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import ml_collections

from experiments.configs import TABLES
from experiments.plan import Plan, Row, Run
from tfrecords.errors import InputError
from tfrecords.workspace import read_json, write_json


@dataclasses.dataclass(frozen=True)
class Places:
    """Paths of one experiment."""

    root: Path

    def plan(self, table: str) -> Path:
        return self.root / "plans" / f"{table}.json"

    def run(self, name: str) -> Path:
        return self.root / "runs" / name

    def state(self, name: str) -> Path:
        return self.run(name) / "experiment.json"

    def log(self, name: str) -> Path:
        return self.root / "logs" / f"{name}.log"

    @property
    def status(self) -> Path:
        return self.root / "runs.csv"

    @property
    def cross_database(self) -> Path:
        return self.root / "cross_database"

    @property
    def report(self) -> Path:
        return self.root / "report"


@dataclasses.dataclass(frozen=True)
class StoredTable:
    """A table as it was planned: its configuration, what was asked for, its rows and their runs."""

    config: ml_collections.ConfigDict
    asked: dict[str, object]
    rows: list[Row]
    runs: dict[str, Run]


def write_plan(places: Places, configs: list[ml_collections.ConfigDict], plan: Plan, asked: dict[str, object]) -> None:
    """Keeps each table's part of the plan for reports; an earlier plan of the same table is replaced."""
    for config in configs:
        rows = [row for row in plan.rows if row.table == config.table]
        needed = [row.run for row in rows]
        for name in needed:
            needed += [other for other in plan.runs[name].needs if other not in needed]
        value = {
            "config": config.to_dict(),
            "asked": asked,
            "rows": [dataclasses.asdict(row) for row in rows],
            "runs": [dataclasses.asdict(run) for name, run in plan.runs.items() if name in needed],
        }
        write_json(places.plan(config.table), value)


def read_plan(places: Places, table: str) -> StoredTable:
    """A table as it was last planned; raises `InputError` where it was not."""
    if not places.plan(table).exists():
        raise InputError(places.root, f"table {table} was not planned here", f"run experiments.run --table={table}")
    told = read_json(places.plan(table))
    runs = {run["name"]: Run(**run) for run in told["runs"]}
    config = ml_collections.ConfigDict(told["config"])
    return StoredTable(config, told["asked"], [Row(**row) for row in told["rows"]], runs)


def planned_tables(places: Places) -> list[str]:
    """The tables that were planned, in the order of the thesis and then by name."""
    found = sorted(path.stem for path in (places.root / "plans").glob("*.json"))
    return sorted(found, key=lambda name: list(TABLES).index(name) if name in TABLES else len(TABLES))
