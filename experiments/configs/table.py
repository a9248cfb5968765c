"""What a table's configuration is made of; flags are those of ``affwildnet.train``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ml_collections

from tfrecords.errors import InputError

# Table 6.1 of the thesis, with the attention window of its §6.2.
PAPER: dict[str, Any] = {
    "backbone": "vggface",
    "cell": "gru",
    "attention_length": 30,
    "layers": 2,
    "units": 128,
    "batch": 2,
    "sequence_length": 80,
    "case": "2",
    # The case's own, see affwildnet/cases.py.
    "learning_rate": 0.0,
}


def make_run(
    label: str,
    flags: Mapping[str, Any] | None = None,
    *,
    recorded: str = "",
    printed: Sequence[int] = (),
    rnn_from: str = "",
    published: Mapping[str, float] | None = None,
    by_default: bool = True,
    stage_from: str = "",
    share: float = 1.0,
    tested: bool = True,
) -> ml_collections.ConfigDict:
    """One row of a table.

    Args:
      label: its name in the paper.
      flags: what it changes of the table's `common` flags; None for a system that only has published numbers.
      recorded: its name in ``original_test_results.csv``.
      printed: the steps of its recorded checkpoints that the paper prints.
      rnn_from: the variant of this table whose best checkpoint gives RNN and FC their start.
      published: CCC and MSE by dimension (``ccc_valence`` …) of a system that the file does not have.
      by_default: whether it is planned where no variants are named.
      stage_from: the variant of this table whose latest checkpoint a stage takes over.
      share: the part of the planned steps that it gets.
      tested: whether it is evaluated and tested; a stage on which others build need not be.
    """
    return ml_collections.ConfigDict(
        {
            "label": label,
            "trained": flags is not None,
            "flags": dict(flags or {}),
            "recorded": recorded,
            "printed": tuple(printed),
            "rnn_from": rnn_from,
            "published": dict(published or {}),
            "by_default": by_default,
            "stage_from": stage_from,
            "share": share,
            "tested": tested,
        }
    )


def make_table(
    name: str,
    title: str,
    varies: str,
    runs: Mapping[str, ml_collections.ConfigDict],
    variant: str = "",
    *,
    common: Mapping[str, Any] = PAPER,
    carries: Sequence[str] = (),
    database: str = "the thesis's database",
) -> ml_collections.ConfigDict:
    """A table's configuration.

    Args:
      name, title, varies: its number, what it shows, and the heading of its first column.
      runs: variant -> `make_run`.
      variant: names of those wanted, separated by commas; '' takes all. What they start from stays, too.
      common: flags of all runs.
      carries: the flags that the winner hands to the next tables under ``--staged``.
      database: what the published numbers were measured on.

    Raises:
      InputError: there is no such variant.
    """
    wanted = [part for part in variant.split(",") if part]
    for one in wanted:
        if one not in runs:
            raise InputError(f"table {name}", f"there is no variant {one!r}", f"choose from {', '.join(runs)}")
    wanted += [runs[one].rnn_from for one in wanted if runs[one].rnn_from]
    chosen = {one: run for one, run in runs.items() if not wanted or one in wanted}
    config = ml_collections.ConfigDict(
        {
            "table": name,
            "title": title,
            "varies": varies,
            "database": database,
            "common": dict(common),
            "carries": tuple(carries),
            # A ConfigDict forgets it.
            "order": tuple(chosen),
            "runs": ml_collections.ConfigDict(),
        }
    )
    for one, run in chosen.items():
        config.runs[one] = run
    return config
