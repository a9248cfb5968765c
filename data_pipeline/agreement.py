"""How well annotators agree, entry by entry and over all: ``python -m data_pipeline.agreement --workspace=W``.

It writes ``agreement.csv``, ``agreement_annotators.csv`` and a plot a dimension, and prints the rows over all entries.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline.agreement_plot import plot_agreement
from data_pipeline.annotations import Trace, find_annotators, find_dimensions, read_trace
from data_pipeline.consensus import find_lags, sample_together, without_lag
from data_pipeline.reliability import MEASURES, mean_with_others, measure_agreement, pairwise_ccc, pairwise_pearson
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, write_csv

COLUMNS = ("entry", "dimension", "annotators", "samples", *MEASURES)
ANNOTATOR_COLUMNS = ("entry", "dimension", "annotator", "ccc", "pearson", "lag_seconds")


@dataclasses.dataclass(frozen=True)
class AgreementOptions:
    """What `python -m data_pipeline.agreement` takes."""

    workspace: str = option("", "workspace folder")
    remove_lag: bool = option(False, "measure after each annotator's lag is removed; lags are told in any case")
    max_lag_seconds: float = option(4.0, "the longest lag that is looked for, either way", at_least=0)
    max_gap_seconds: float = option(1.0, "moments further than this from a stamp are left out; 0: none", at_least=0)


def write_agreement(workspace: Workspace, chosen: AgreementOptions) -> list[dict[str, Any]]:
    """Writes the tables and plots; returns the rows of ``agreement.csv``, values as numbers.

    The rows over all have an empty ``entry``; there is one for each set of annotators, over the entries that these and
    nobody else annotated.

    Raises:
      InputError: no entry was annotated by two people, or a bad annotation.
    """
    rows: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    together: dict[tuple[str, tuple[str, ...]], list[np.ndarray]] = defaultdict(list)
    lags: dict[tuple[str, tuple[str, ...]], list[list[float]]] = defaultdict(list)
    for entry in sorted({folder.name for folder in workspace.annotations.glob("*/*") if folder.is_dir()}):
        for dimension, traces in _annotated_twice(workspace, entry):
            group = dimension, tuple(traces)
            found = find_lags(traces, chosen.max_gap_seconds, chosen.max_lag_seconds)
            ratings = _sample(traces, found if chosen.remove_lag else {}, chosen.max_gap_seconds)
            together[group].append(ratings)
            lags[group].append(list(found.values()))
            rows.append(_row(entry, group, ratings))
            people += _annotator_rows(entry, group, ratings, list(found.values()))
    if not rows:
        what = "no entry has annotations of two people"
        raise InputError(workspace.annotations, what, "let a second person annotate, see WORKSPACE.md for the folders")
    for group, parts in sorted(together.items()):
        rows.append(_row("", group, np.concatenate(parts)))
        people += _annotator_rows("", group, np.concatenate(parts), np.mean(lags[group], axis=0).tolist())
    write_csv(workspace.root / "agreement.csv", COLUMNS, map(_rounded, rows))
    write_csv(workspace.root / "agreement_annotators.csv", ANNOTATOR_COLUMNS, map(_rounded, people))
    for dimension in sorted({row["dimension"] for row in rows}):
        of_it = [row for row in rows if row["dimension"] == dimension and row["entry"]]
        plot_agreement(workspace.root / f"agreement-{dimension}.png", dimension, of_it, _pairs(together, dimension))
    return rows


def _annotated_twice(workspace: Workspace, entry: str) -> list[tuple[str, dict[str, Trace]]]:
    """Dimension and the annotations (annotator -> trace) where at least two people annotated it."""
    found = []
    for dimension in find_dimensions(workspace, entry):
        files = {
            name: workspace.annotations / name / entry / f"{dimension}.txt"
            for name in find_annotators(workspace, entry)
        }
        there = {name: path for name, path in files.items() if path.exists()}
        if len(there) > 1:
            found.append((dimension, {name: read_trace(path) for name, path in there.items()}))
    return found


def _sample(traces: Mapping[str, Trace], lags: Mapping[str, float], max_gap: float) -> np.ndarray:
    return sample_together([without_lag(trace, lags.get(name, 0.0)) for name, trace in traces.items()], max_gap)


def _row(entry: str, group: tuple[str, tuple[str, ...]], ratings: np.ndarray) -> dict[str, Any]:
    dimension, names = group
    row = {"entry": entry, "dimension": dimension, "annotators": " ".join(names), "samples": len(ratings)}
    return row | measure_agreement(ratings)


def _annotator_rows(
    entry: str, group: tuple[str, tuple[str, ...]], ratings: np.ndarray, lags: list[float]
) -> list[dict[str, Any]]:
    """Each annotator's mean agreement with the others, and lag."""
    dimension, names = group
    if len(ratings) < 2:
        return []
    ccc, pearson = (mean_with_others(measure(ratings)) for measure in (pairwise_ccc, pairwise_pearson))
    return [
        {"entry": entry, "dimension": dimension, "annotator": name}
        | {"ccc": float(ccc[index]), "pearson": float(pearson[index]), "lag_seconds": lags[index]}
        for index, name in enumerate(names)
    ]


def _pairs(
    together: Mapping[tuple[str, tuple[str, ...]], list[np.ndarray]], dimension: str
) -> dict[tuple[str, str], float]:
    """The mean CCC of each pair of annotators, weighted by the moments that both annotated."""
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (of, names), parts in together.items():
        for ratings in (part for part in parts if of == dimension and len(part) > 1):
            ccc = pairwise_ccc(ratings)
            for one, other in np.ndindex(ccc.shape):
                total = sums[names[one], names[other]]
                total[0] += float(ccc[one, other]) * len(ratings)
                total[1] += len(ratings)
    return {pair: above / below for pair, (above, below) in sums.items()}


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: "" if np.isnan(value) else f"{value:.4f}" for name, value in row.items() if isinstance(value, float)}
    return {**row, **texts}


def main(argv: list[str]) -> int:
    chosen = options.from_flags(AgreementOptions)
    if not chosen.workspace:
        raise InputError("--workspace", "no workspace is named", "give the folder that holds annotations/")
    workspace = Workspace(Path(chosen.workspace))
    rows = write_agreement(workspace, chosen)
    print(f"{'':12}" + "".join(f"{name:>9}" for name in MEASURES) + "  annotators")
    for row in (row for row in rows if not row["entry"]):
        print(f"{row['dimension']:12}" + "".join(f"{row[name]:9.3f}" for name in MEASURES) + f"  {row['annotators']}")
    print(
        f"{len({row['entry'] for row in rows} - {''})} entries in {workspace.root / 'agreement.csv'}, plots beside it"
    )
    return 0


if __name__ == "__main__":
    options.run_main(main, AgreementOptions)
