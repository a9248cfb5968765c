"""Two rows of a table, compared on the test part by the paired bootstrap."""

from __future__ import annotations

from experiments.bootstrap import Comparison, compare
from experiments.places import Places, StoredTable
from experiments.results import DIMENSIONS, read_curves
from tfrecords.workspace import Workspace, read_csv


def compare_variants(
    places: Places, table: StoredTable, first: str, second: str, workspace: Workspace
) -> dict[str, Comparison | None]:
    """The paired bootstrap of two variants on the test part, by dimension, over all their tested seeds."""
    rows = read_csv(workspace.partition) if workspace.partition.exists() else []
    clips = {row["entry"]: row["clip"] for row in rows}
    results: dict[str, Comparison | None] = {}
    for name in DIMENSIONS:
        systems = [
            [
                curves
                for row in table.rows
                if row.variant == variant
                if (curves := read_curves(places.run(row.run), name))
            ]
            for variant in (first, second)
        ]
        results[name] = compare(systems[0], systems[1], clips) if all(systems) else None
    return results
