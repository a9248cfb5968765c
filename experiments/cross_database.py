"""Tests runs on another database: ``python -m experiments.cross_database --workspace=OTHER --output=E``.

The workspace may be one that ``data_pipeline.import_database`` has made (Aff-Wild, Aff-Wild2, AFEW-VA …) and
``data_pipeline.build`` has built, with faces of the same size, margin and rate. The models keep their own test results:
each is tested through a folder that only names its best checkpoints. ``experiments.report`` shows the table.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

from experiments.cross_database_table import COLUMNS, cross_database_rows
from experiments.places import Places, planned_tables, read_plan
from experiments.staged import validation_ccc
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, write_csv, write_json


@dataclasses.dataclass(frozen=True)
class CrossDatabaseOptions:
    """What is tested on what."""

    workspace: str = option("", "workspace folder of the other database, built up to records")
    output: str = option("experiments_output", "folder of the runs, see experiments.run")
    runs: tuple[str, ...] = option((), "runs or model folders to test; by default the best on validation of each table")
    partition: str = option("test", "part of the other database", choices=("train", "validation", "test"))
    gpu: int = option(0, "GPU, -1 for the CPU")


def shadow_model(model: Path, target: Path) -> None:
    """Makes `target` a model folder that holds `model`'s description and links to its best checkpoints.

    Raises:
      InputError: `model` holds no best checkpoint.
    """
    for name in ("model.json", "input.json", "best.json"):
        if not (model / name).exists():
            what = f"it has no {name}: it was not trained and evaluated"
            raise InputError(model, what, "name a finished run in --runs")
    target.mkdir(parents=True, exist_ok=True)
    for name in ("model.json", "input.json", "best.json"):
        shutil.copy2(model / name, target / name)
    link = target / "best"
    link.unlink(missing_ok=True)
    os.symlink((model / "best").resolve(), link)


def best_runs(places: Places) -> dict[str, str]:
    """Run -> its label: of each planned table the run with the highest mean CCC on the validation part."""
    found = {}
    for name in planned_tables(places):
        table = read_plan(places, name)
        scores = {row.run: validation_ccc(places.run(row.run), "total") for row in table.rows}
        known = {run: score for run, score in scores.items() if score == score}
        if known:
            best = max(known, key=lambda run: known[run])
            variant = next(row.variant for row in table.rows if row.run == best)
            found[best] = f"{table.config.runs[variant].label} (table {name})"
    return found


def main(argv: list[str]) -> int:
    chosen = options.from_flags(CrossDatabaseOptions)
    if not chosen.workspace:
        raise InputError("--workspace", "it is not given", "name the other database's folder")
    places, workspace = Places(Path(chosen.output)), Workspace(Path(chosen.workspace))
    labels = {name: name for name in chosen.runs} or best_runs(places)
    if not labels:
        raise InputError(places.root, "no run is there to test", "run experiments.run first, or name models in --runs")
    database = str(workspace.database_facts()["name"])
    for name, label in labels.items():
        model = Path(name) if (Path(name) / "model.json").exists() else places.run(name)
        target = places.cross_database / workspace.root.resolve().name / model.name
        shadow_model(model, target)
        words = [f"--workspace={workspace.root}", f"--model={target}", f"--partition={chosen.partition}"]
        words += ["--checkpoints=valence,arousal", f"--gpu={chosen.gpu}"]
        code = subprocess.run([sys.executable, "-m", "affwildnet.test", *words]).returncode
        if code:
            return code
        told = {"database": f"{database} ({chosen.partition})", "run": model.name, "label": label}
        write_json(target / "cross_database.json", told)
    rows = cross_database_rows(places)
    write_csv(places.cross_database / "results.csv", COLUMNS, rows)
    print(f"results in {places.cross_database / 'results.csv'}")
    return 0


def run() -> None:
    options.run_main(main, CrossDatabaseOptions)


if __name__ == "__main__":
    run()
