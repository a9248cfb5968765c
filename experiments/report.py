"""The paper's tables and figures from runs: ``python -m experiments.report --output=E``.

Writes ``E/report/``: ``index.html``, which needs nothing but itself; each table as CSV, Markdown and LaTeX; figures as
PNG. What is not there yet is said.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from data_pipeline.statistics.drawing import save_panel, shown_inches
from experiments.bootstrap import FEWEST_CLIPS, Comparison
from experiments.comparison import compare_variants
from experiments.configs import TABLES, load_table
from experiments.cross_database_table import COLUMNS, cross_database_rows
from experiments.places import Places, StoredTable, planned_tables, read_plan
from experiments.plan import Plan
from experiments.report_figures import Figure, paper_figures, wheel_figure
from experiments.report_tables import (
    HEADINGS,
    TableRow,
    checkpoint_records,
    format_ours,
    format_value,
    table_rows,
    write_tables,
)
from experiments.report_weights import attention_figure, indrnn_figure
from experiments.staged import validation_ccc, variant_scores
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_csv, write_csv, write_text


@dataclasses.dataclass(frozen=True)
class ReportOptions:
    """What is reported."""

    output: str = option("experiments_output", "folder of the runs, see experiments.run")
    compare: tuple[str, ...] = option(
        (),
        "two rows, as 6.2/gru,6.2/lstm, to compare by paired bootstrap and print; the page compares each table's "
        "best on validation with its others",
    )
    weights: bool = option(True, "plot attention and IndRNN's recurrent weights, which loads the models")
    notice: str = option("", "a sentence for the top of the page")


@dataclasses.dataclass(frozen=True)
class ComparedRow:
    """Two variants of a table and how they differ, by dimension; None where it cannot be told."""

    first: str
    second: str
    results: dict[str, Comparison | None]


def write_report(places: Places, chosen: ReportOptions) -> Path:
    """Writes the tables, figures and the page; returns the page's path.

    Raises:
      InputError: nothing was planned in this folder.
    """
    tables = {name: read_plan(places, name) for name in planned_tables(places)}
    if not tables:
        raise InputError(
            places.root, "no table was planned here", "run experiments.run --output with this folder first"
        )
    first = next(iter(tables.values()))
    workspace = Workspace(Path(str(first.asked["workspace"])))
    shown = {name: tables.get(name) or _unplanned(name) for name in [*TABLES, *(set(tables) - set(TABLES))]}
    rows = {name: table_rows(places, table) for name, table in shown.items()}
    comparisons = {name: _comparisons(places, table, rows[name], workspace) for name, table in tables.items()}
    for name, table in shown.items():
        write_tables(places, table, rows[name])
    crossed = cross_database_rows(places)
    write_csv(places.report / "cross_database.csv", COLUMNS, crossed)
    figures = _figures(places, tables, workspace, chosen)
    for figure in figures:
        if figure.panel:
            save_panel(figure.panel, places.report / f"figure_{figure.number.replace('.', '_')}.png")
    _write_comparisons(places, comparisons)
    facts = workspace.database_facts()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters |= {"ours": format_ours, "number": format_value, "inches": shown_inches}
    template = importlib.resources.files("experiments").joinpath("report.html.j2").read_text(encoding="utf-8")
    page = environment.from_string(template).render(
        tables={name: (table, rows[name]) for name, table in shown.items()},
        planned=set(tables),
        records={name: [record for row in own for record in checkpoint_records(row)] for name, own in rows.items()},
        comparisons=comparisons,
        fewest_clips=FEWEST_CLIPS,
        crossed=crossed,
        figures=figures,
        headings=HEADINGS,
        database=facts,
        frames=_part_sizes(workspace),
        notice=chosen.notice,
        missing=_missing(tables, rows),
    )
    write_text(places.report / "index.html", page)
    return places.report / "index.html"


def _unplanned(name: str) -> StoredTable:
    return StoredTable(load_table(name), {}, [], {})


def _missing(tables: Mapping[str, StoredTable], rows: Mapping[str, list[TableRow]]) -> list[str]:
    missing = [f"table {name} was not planned" for name in TABLES if name not in tables]
    for name in tables:
        short = [
            f"{row.label} ({row.planned - len(row.tested)})" for row in rows[name] if len(row.tested) < row.planned
        ]
        if short:
            missing.append(f"table {name}: runs that are not finished: {', '.join(short)}")
    return missing


def _part_sizes(workspace: Workspace) -> dict[str, tuple[int, int]]:
    """Part -> entries and frames."""
    sizes: dict[str, tuple[int, int]] = {}
    for row in read_csv(workspace.partition) if workspace.partition.exists() else []:
        entries, frames = sizes.get(row["partition"], (0, 0))
        sizes[row["partition"]] = (entries + 1, frames + int(row["frames"]))
    return sizes


def _comparisons(places: Places, table: StoredTable, rows: list[TableRow], workspace: Workspace) -> list[ComparedRow]:
    """Each table's best on validation against its other tested variants."""
    scores = variant_scores(places, Plan(table.rows, table.runs), table.config.table, "total")
    tested = {row.variant: row for row in rows if row.tested}
    known = {variant: score for variant, score in scores.items() if variant in tested}
    if len(known) < 2:
        return []
    best = max(known, key=lambda variant: known[variant])
    return [
        ComparedRow(tested[best].label, row.label, compare_variants(places, table, best, variant, workspace))
        for variant, row in tested.items()
        if variant != best
    ]


def _write_comparisons(places: Places, comparisons: Mapping[str, list[ComparedRow]]) -> None:
    columns = ["table", "first", "second", "dimension", "difference", "low", "high", "p", "clips"]
    lines: list[dict[str, Any]] = []
    for table, rows in comparisons.items():
        for row in rows:
            for name, result in row.results.items():
                if result:
                    own = {key: f"{v:.6g}" for key, v in dataclasses.asdict(result).items()}
                    lines.append({"table": table, "first": row.first, "second": row.second, "dimension": name, **own})
    write_csv(places.report / "comparisons.csv", columns, lines)


def _figures(
    places: Places, tables: Mapping[str, StoredTable], workspace: Workspace, chosen: ReportOptions
) -> list[Figure]:
    figures = paper_figures(places, tables)
    best = _best_row(places, tables)
    if best:
        figures.append(wheel_figure(places, *best))
    if not chosen.weights:
        return figures
    found = {
        kind: next(
            (
                (row.run, f"{table.config.runs[row.variant].label} of table {name}")
                for name, table in tables.items()
                for row in table.rows
                if fits(table.runs[row.run].flags) and (places.run(row.run) / "test" / "results.json").exists()
            ),
            None,
        )
        for kind, fits in {
            "attention": lambda flags: flags["attention_length"] != "0" and flags["cell"] != "none",
            "indrnn": lambda flags: flags["cell"] == "indrnn",
        }.items()
    }
    if found["attention"]:
        run, label = found["attention"]
        figures.append(attention_figure(places.run(run), workspace, label))
    if found["indrnn"]:
        run, label = found["indrnn"]
        figures.append(indrnn_figure(places.run(run), label))
    return figures


def _best_row(places: Places, tables: Mapping[str, StoredTable]) -> tuple[str, str] | None:
    """The tested run that is best on the validation part of all tables, and its label."""
    found = [
        (
            validation_ccc(places.run(row.run), "total"),
            row.run,
            f"{table.config.runs[row.variant].label} of table {name}",
        )
        for name, table in tables.items()
        for row in table.rows
        if (places.run(row.run) / "test" / "results.json").exists()
    ]
    known = [one for one in found if one[0] == one[0]]
    return max(known)[1:] if known else None


def _print_comparison(places: Places, words: tuple[str, ...]) -> None:
    parts = [word.partition("/") for word in words]
    if len(parts) != 2 or not all(slash for _, slash, _ in parts) or parts[0][0] != parts[1][0]:
        raise InputError(
            "--compare", f"{','.join(words)!r} is no pair", "write two rows of one table: 6.2/gru,6.2/lstm"
        )
    table = read_plan(places, parts[0][0])
    workspace = Workspace(Path(str(table.asked["workspace"])))
    for name, result in compare_variants(places, table, parts[0][2], parts[1][2], workspace).items():
        if result is None:
            print(f"{name}: not both were tested on {FEWEST_CLIPS} clips or more, and fewer tell nothing")
        else:
            print(
                f"{name}: CCC difference {result.difference:+.3f}, "
                f"95 % interval {result.low:+.3f} to {result.high:+.3f}, p {result.p:.3f} ({result.clips} clips)"
            )


def main(argv: list[str]) -> int:
    chosen = options.from_flags(ReportOptions)
    places = Places(Path(chosen.output))
    if chosen.compare:
        _print_comparison(places, chosen.compare)
        return 0
    print(f"report in {write_report(places, chosen)}")
    return 0


def run() -> None:
    options.run_main(main, ReportOptions)


if __name__ == "__main__":
    run()
