"""What an evaluation leaves in a model's folder: the table of checkpoints, a CSV a checkpoint, the best, a request.

The row of a checkpoint in ``evaluations.csv`` is the mark by which training's retention knows that it was evaluated, so
it is written when everything else about the checkpoint is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from affwildnet.bootstrap import BootstrapOptions
from affwildnet.checkpoints import keep_best
from affwildnet.evaluation import Evaluation
from affwildnet.heads import Head
from affwildnet.measured import entry_rows, intervals_by_output, moments_by_clip
from affwildnet.model_folder import ModelFolder
from tfrecords.errors import InputError
from tfrecords.workspace import read_csv, write_csv, write_json

Row = dict[str, Any]


def read_evaluations(table: Path) -> list[Row]:
    """The rows of ``evaluations.csv``, [] where there is none.

    Raises:
      InputError: a value is no number.
    """
    rows: list[Row] = list(read_csv(table, ("step", "checkpoint"))) if table.exists() else []
    for line, row in enumerate(rows, start=2):
        try:
            int(row["step"])
            for name, value in row.items():
                # Tables of earlier versions have fewer columns.
                if name not in ("checkpoint", "frames_mode") and value != "":
                    float(value)
        except ValueError:
            raise InputError(table, "the row is damaged", "delete it, and it is evaluated again", line) from None
    return rows


def evaluation_row(
    step: int,
    prefix: str,
    evaluation: Evaluation,
    outputs: tuple[str, ...],
    seconds: float,
    chosen: BootstrapOptions,
) -> Row:
    """A checkpoint's row; intervals by clip are empty where they are not defined, and so are metrics of heads.

    With heads CCC and MSE are those of regressions, and `metrics_of_heads` follow.
    """
    row: Row = {"step": step, "checkpoint": Path(prefix).name}
    row |= {f"ccc_{name}": value for name, value in evaluation.ccc.items()}
    row |= {f"mse_{name}": value for name, value in evaluation.mse.items()}
    row |= {"frames": evaluation.frames, "dropped": evaluation.dropped, "corrupt": evaluation.corrupt}
    row |= {"frames_mode": evaluation.frames_mode, "seconds": round(seconds, 2)}
    row |= {f"population_ccc_{name}": value for name, value in evaluation.population_ccc.items()}
    regressed, outputs = evaluation.regressions(outputs)
    ends = intervals_by_output(list(moments_by_clip(regressed).values()), outputs, chosen)["ccc"]
    for name, (low, high) in ends.items():
        row |= {f"low_ccc_{name}": "" if low != low else low, f"high_ccc_{name}": "" if high != high else high}
    row |= {name: "" if value != value else value for name, value in evaluation.by_head.items()}
    return row


def write_evaluation(
    folder: ModelFolder, partition: str, rows: list[Row], evaluation: Evaluation, outputs: tuple[str, ...]
) -> None:
    """Writes the entries' CSV of the last of `rows`, then the table with all of them."""
    table = folder.evaluations(partition)
    by_entry = entry_rows(evaluation.entries, outputs, None, evaluation.heads, evaluation.thresholds)
    write_csv(table.with_suffix("") / f"{rows[-1]['step']}.csv", list(by_entry[0]), by_entry)
    write_csv(table, list(dict.fromkeys(name for row in rows for name in row)), rows)


def best_by(heads: Sequence[Head], row: Row) -> dict[str, str]:
    """Name of a best checkpoint -> the column of `row` that chooses it.

    ``ccc_NAME`` chooses NAME. With heads ``total`` is by ``score_total``, and each head's ``f1_HEAD``,
    ``accuracy_HEAD`` and ``macro_f1_HEAD`` choose one of that name.
    """
    chosen = {column.removeprefix("ccc_"): column for column in row if column.startswith("ccc_")}
    if heads:
        names = [f"{metric}_{head.name}" for head in heads for metric in ("f1", "accuracy", "macro_f1")]
        chosen |= {name: name for name in names if name in row} | {"total": "score_total"}
    return chosen


def catch_up_best(folder: ModelFolder, rows: list[Row], heads: Sequence[Head] = ()) -> None:
    """Lets each row compete for the best checkpoint by each name of `best_by`."""
    for row in rows:
        kept = [folder.root / place / str(row["checkpoint"]) for place in ("held", "checkpoints")]
        there = [prefix for prefix in kept if prefix.with_name(f"{prefix.name}.index").exists()]
        for name, column in best_by(heads, row).items():
            if there and row.get(column, "") != "":
                metric = "ccc" if column.startswith("ccc_") else "value"
                keep_best(folder, name, str(there[0]), float(row[column]), metric)


def evaluations_without_gain(rows: list[Row], column: str = "ccc_total") -> int:
    """How many rows stand after the first with the highest value in `column`; all of them where it is never defined."""
    best, since = -float("inf"), 0
    for row in rows:
        value = float(row.get(column) or "nan")
        # NaN compares false.
        if value > best:
            best, since = value, 0
        else:
            since += 1
    return since


def request_stop(folder: ModelFolder, rows: list[Row], patience: int, column: str = "ccc_total") -> bool:
    """Writes ``stop.json``, which training reads, after `patience` evaluations without gain; returns whether it did."""
    if not patience or evaluations_without_gain(rows, column) < patience:
        return False
    told = "mean CCC" if column == "ccc_total" else column
    reason = f"the {told} on the validation part has not risen in {patience} evaluations"
    write_json(folder.stop_request, {"step": int(rows[-1]["step"]), "reason": reason})
    return True
