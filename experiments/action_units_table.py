"""The table of `experiments.action_units`: systems over their seeds, and how each differs from the baseline."""

from __future__ import annotations

import dataclasses
import statistics
from pathlib import Path
from typing import Any

from experiments.bootstrap import FEWEST_CLIPS, Comparison
from experiments.comparison import compare_variants
from experiments.configs.action_units import BASELINE, BATCH
from experiments.places import Places, StoredTable
from experiments.report_tables import HEADINGS, Cell, TableRow, format_ours, table_rows
from tfrecords.workspace import Workspace, write_csv, write_json, write_text

STEM = "action_units"
F1 = "f1_action_units"


def write_comparison(places: Places, table: StoredTable, workspace: Workspace) -> Path:
    """Writes ``report/action_units.md``, ``.csv`` and ``.json`` of what is tested so far; returns the first's path."""
    rows = table_rows(places, table)
    f1 = {row.variant: unit_f1(row) for row in rows}
    compared = {
        row.variant: compare_variants(places, table, row.variant, BASELINE, workspace)
        for row in rows
        if row.variant != BASELINE
    }
    facts = workspace.database_facts()
    steps = {row.variant: _steps(table, row.variant) for row in rows}
    records = [_record(row, f1[row.variant], steps[row.variant]) for row in rows]
    stem = places.report / STEM
    write_csv(stem.with_suffix(".csv"), list(records[0]) if records else ["variant"], records)
    differences = {
        variant: {name: dataclasses.asdict(found) if found else None for name, found in own.items()}
        for variant, own in compared.items()
    }
    told = {"synthetic": facts["synthetic"], "notice": facts.get("notice", ""), "baseline": BASELINE, "batch": BATCH}
    write_json(stem.with_suffix(".json"), told | {"rows": records, "differences": differences})
    lines = [f"# {table.config.title}", ""]
    if facts["synthetic"]:
        lines += ["SYNTHETIC faces: these figures say nothing about people.", ""]
    heads = ["Training", "steps", "seeds", *HEADINGS.values(), "F1 of action units"]
    lines += [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    for row in rows:
        cells = [format_ours(cell) for cell in (*row.cells.values(), f1[row.variant])]
        lines.append(f"| {' | '.join([row.label, steps[row.variant], str(len(row.tested)), *cells])} |")
    lines += ["", f"Steps of {BATCH} single frames. Mean ± standard deviation over seeds, on subjects never seen; each"]
    lines += ["dimension by its best checkpoint on the validation part.", "", *_differences(table, compared), ""]
    write_text(stem.with_suffix(".md"), "\n".join(lines))
    return stem.with_suffix(".md")


def unit_f1(row: TableRow) -> Cell:
    """The mean F1 over a system's heads of action units, a value a seed, of the best checkpoint by ``total``."""
    values = []
    for tested in row.tested.values():
        told: dict[str, Any] = tested.checkpoints.get("total", {}).get("heads", {})
        own = [value for name, value in told.items() if name.startswith("f1_au_") and value is not None]
        if own:
            values.append(statistics.fmean(own))
    return Cell(tuple(values), None)


def _steps(table: StoredTable, variant: str) -> str:
    """``450 + 450`` of a run that starts from another, of the first seed."""
    name = next(row.run for row in table.rows if row.variant == variant)
    found = []
    while name:
        found.append(str(table.runs[name].steps))
        name = table.runs[name].stage_from
    return " + ".join(reversed(found))


def _record(row: TableRow, f1: Cell, steps: str) -> dict[str, Any]:
    record: dict[str, Any] = {"variant": row.variant, "label": row.label, "steps": steps, "seeds": len(row.tested)}
    for name, cell in (*row.cells.items(), (F1, f1)):
        for what, value in (("mean", cell.mean), ("sd", cell.spread)):
            record[f"{name}_{what}"] = None if value is None else round(value, 6)
        record[f"{name}_seeds"] = " ".join(f"{value:.6f}" for value in cell.values)
    return record


def _differences(table: StoredTable, compared: dict[str, dict[str, Comparison | None]]) -> list[str]:
    lines = []
    for variant, own in compared.items():
        label = table.config.runs[variant].label
        for name, found in own.items():
            if found is None:
                lines.append(f"- {label}: {name} is not compared, both must be tested on {FEWEST_CLIPS} clips or more")
                continue
            against = table.config.runs[BASELINE].label.lower()
            lines.append(
                f"- {label}: CCC of {name} {found.difference:+.3f} against {against}, 95 % interval "
                f"{found.low:+.3f} to {found.high:+.3f}, p {found.p:.3f} (paired bootstrap over {found.clips} clips)"
            )
    return lines
