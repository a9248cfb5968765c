"""The table of tests on other workspaces, beside what was published of Aff-Wild."""

from __future__ import annotations

from typing import Any

from experiments.configs import challenge
from experiments.places import Places
from experiments.published import MEASURES
from tfrecords.workspace import read_json

COLUMNS = ["database", "system", "run", "source", *MEASURES, "frames"]
AFF_WILD = "Aff-Wild (challenge's test part)"


def published_rows() -> list[dict[str, Any]]:
    """CNN-M, FATAUVA-Net and VA-CRNN on Aff-Wild, as the challenge printed them."""
    runs = challenge.get_config().runs
    return [
        {"database": AFF_WILD, "system": runs[name].label, "source": "published", **values}
        for name, values in challenge.PUBLISHED.items()
    ]


def cross_database_rows(places: Places) -> list[dict[str, Any]]:
    """The published systems, then ours: a row a database and run, each dimension by its own best checkpoint."""
    rows = published_rows()
    for path in sorted(places.cross_database.glob("*/*/cross_database.json")):
        told = read_json(path)
        results = read_json(path.parent / "test" / "results.json")["checkpoints"]
        row = {"database": told["database"], "system": told["label"], "run": told["run"], "source": "ours"}
        for name in ("valence", "arousal"):
            row |= {f"{measure}_{name}": results[name][measure][name] for measure in ("ccc", "mse")}
        rows.append(row | {"frames": results["valence"]["frames"]})
    return rows
