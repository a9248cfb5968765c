"""A table of the paper with ours beside it, as numbers and as CSV, Markdown and LaTeX."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from experiments.places import Places, StoredTable
from experiments.published import MEASURES, Checkpoint, best_published, published_checkpoints
from experiments.results import Tested, as_number, read_tested
from tfrecords.workspace import write_csv, write_text

HEADINGS = {
    "ccc_valence": "CCC valence",
    "ccc_arousal": "CCC arousal",
    "mse_valence": "MSE valence",
    "mse_arousal": "MSE arousal",
}
ABSENT = "–"
FILE_ONLY = "†"


@dataclasses.dataclass(frozen=True)
class Cell:
    """One measure of a row: ours over the seeds, the published one, and whether either is the best of its column."""

    values: tuple[float, ...]
    published: float | None
    best: bool = False
    best_published: bool = False

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.values) if self.values else None

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds, None for fewer than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def difference(self) -> float | None:
        return None if self.mean is None or self.published is None else self.mean - self.published


@dataclasses.dataclass(frozen=True)
class TableRow:
    """A row: its measures as cells, its runs' tests by seed, and the published checkpoints.

    `file_only`: nothing of it is printed in the paper; its published numbers are the recorded file's.
    """

    variant: str
    label: str
    cells: dict[str, Cell]
    tested: dict[str, Tested]
    planned: int
    checkpoints: list[Checkpoint]
    file_only: bool


def table_rows(places: Places, table: StoredTable) -> list[TableRow]:
    """Rows in the paper's order: those that were planned, and those that only have published numbers."""
    rows = []
    for variant in table.config.order:
        run = table.config.runs[variant]
        planned = [row for row in table.rows if row.variant == variant]
        checkpoints = published_checkpoints(run)
        if not planned and not checkpoints:
            continue
        found = {row.seed: read_tested(places.run(row.run)) for row in planned}
        tested = {seed: own for seed, own in found.items() if own is not None}
        published = best_published(checkpoints)
        cells = {
            name: Cell(
                tuple(v for own in tested.values() if math.isfinite(v := own.measures[name])), published.get(name)
            )
            for name in MEASURES
        }
        file_only = bool(checkpoints) and not any(one.printed for one in checkpoints)
        rows.append(TableRow(variant, run.label, cells, tested, len(planned), checkpoints, file_only))
    return _mark_best(rows)


def _mark_best(rows: list[TableRow]) -> list[TableRow]:
    """Marks the best of each column: the highest CCC, the lowest MSE; among the published, of those printed."""
    for name in MEASURES:
        sign = 1 if name.startswith("ccc") else -1
        ours = [sign * row.cells[name].mean for row in rows if row.cells[name].mean is not None]  # type: ignore[operator]
        theirs = [
            sign * row.cells[name].published  # type: ignore[operator]
            for row in rows
            if row.cells[name].published is not None and not row.file_only
        ]
        for row in rows:
            cell = row.cells[name]
            best = cell.mean is not None and sign * cell.mean == max(ours)
            best_published = cell.published is not None and not row.file_only and sign * cell.published == max(theirs)
            row.cells[name] = dataclasses.replace(cell, best=best, best_published=best_published)
    return rows


def format_value(value: float | None, signed: bool = False) -> str:
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{value:+.3f}" if signed else f"{value:.3f}"


def format_ours(cell: Cell) -> str:
    """``0.412 ± 0.013``, without the spread for one seed."""
    spread = "" if cell.spread is None else f" ± {cell.spread:.3f}"
    return format_value(cell.mean) + spread


def write_tables(places: Places, table: StoredTable, rows: Sequence[TableRow]) -> None:
    """``report/table_NAME.csv``, ``.md`` and ``.tex``, and ``table_NAME_checkpoints.csv`` with all that was tested."""
    stem = f"table_{table.config.table.replace('.', '_')}"
    records = [_record(row) for row in rows]
    write_csv(places.report / f"{stem}.csv", list(records[0]) if records else ["variant"], records)
    write_text(places.report / f"{stem}.md", _markdown(table, rows))
    write_text(places.report / f"{stem}.tex", _latex(table, rows))
    tested = [record for row in rows for record in checkpoint_records(row)]
    columns = ["variant", "source", "seed", "checkpoint", "step", *MEASURES]
    write_csv(places.report / f"{stem}_checkpoints.csv", columns, tested)


def _record(row: TableRow) -> dict[str, Any]:
    record: dict[str, Any] = {"variant": row.variant, "label": row.label, "seeds": len(row.tested)}
    record["published_only_in_file"] = row.file_only
    for name, cell in row.cells.items():
        values = {"mean": cell.mean, "sd": cell.spread, "published": cell.published, "difference": cell.difference}
        record |= {f"{name}_{what}": "" if value is None else f"{value:.6f}" for what, value in values.items()}
    return record


def checkpoint_records(row: TableRow) -> list[dict[str, Any]]:
    """A record a checkpoint that was tested, the paper's (``paper`` or ``file``) and ours, with its four measures."""
    records: list[dict[str, Any]] = []
    for one in row.checkpoints:
        source = "paper" if one.printed else "file"
        records.append({"variant": row.variant, "source": source, "step": one.step, **one.measures})
    for seed, tested in row.tested.items():
        for which, own in tested.checkpoints.items():
            measures = {name: as_number(own[name.split("_")[0]][name.split("_")[1]]) for name in MEASURES}
            record = {"variant": row.variant, "source": "ours", "seed": seed, "checkpoint": which, "step": own["step"]}
            records.append(record | {name: f"{value:.6f}" for name, value in measures.items()})
    return records


def _grid(rows: Sequence[TableRow], bold: Callable[[str], str]) -> list[list[str]]:
    lines = []
    for row in rows:
        line = [row.label + (f" {FILE_ONLY}" if row.file_only else "")]
        for cell in row.cells.values():
            ours, theirs = format_ours(cell), format_value(cell.published)
            line.append(bold(ours) if cell.best else ours)
            line.append(bold(theirs) if cell.best_published else theirs)
            line.append(format_value(cell.difference, signed=True))
        lines.append(line)
    return lines


def _markdown(table: StoredTable, rows: Sequence[TableRow]) -> str:
    heads = [f"{heading}{part}" for heading in HEADINGS.values() for part in (", ours", ", published", ", difference")]
    lines = [f"Table {table.config.table}: {table.config.title}", ""]
    lines.append(f"| {' | '.join([table.config.varies, *heads])} |")
    lines.append(f"| --- |{' ---: |' * len(heads)}")
    lines += [f"| {' | '.join(line)} |" for line in _grid(rows, lambda text: f"**{text}**")]
    return "\n".join([*lines, "", *_notes(rows), ""])


def _notes(rows: Sequence[TableRow]) -> list[str]:
    notes = [
        "Ours: mean ± standard deviation over seeds; each dimension by its best checkpoint on the validation part."
    ]
    notes.append("Published: its best checkpoint of each dimension, which the author chose on the test part.")
    if any(row.file_only for row in rows):
        notes.append(f"{FILE_ONLY} only in the author's file of recorded runs, not printed in the paper.")
    return notes


def _latex(table: StoredTable, rows: Sequence[TableRow]) -> str:
    def escape(text: str) -> str:
        text = text.replace("±", r"$\pm$").replace(ABSENT, "--").replace(FILE_ONLY, r"$\dagger$")
        return text.replace("%", r"\%").replace("&", r"\&").replace("_", r"\_")

    lines = [r"\begin{tabular}{l" + "rrr" * len(HEADINGS) + "}", r"\toprule"]
    heads = [rf"\multicolumn{{3}}{{c}}{{{heading}}}" for heading in HEADINGS.values()]
    lines.append(" & ".join([escape(table.config.varies), *heads]) + r" \\")
    lines.append(" & ".join(["", *["ours", "published", "diff."] * len(HEADINGS)]) + r" \\")
    lines.append(r"\midrule")
    bold = r"\textbf{%s}"
    lines += [" & ".join(map(escape, line)) + r" \\" for line in _grid(rows, lambda text: bold % text)]
    notes = [f"% {note}" for note in _notes(rows)]
    return "\n".join([*notes, *lines, r"\bottomrule", r"\end{tabular}", ""])
