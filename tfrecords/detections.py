"""The Parquet file of a clip's detections: a row a face, and how they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfrecords.errors import InputError
from tfrecords.workspace import atomic_path

SCHEMA = pa.schema(
    [
        ("frame", pa.int32()),  # from 1
        ("face", pa.int32()),  # from 0, the most certain first
        ("x", pa.float32()),  # the box in pixels of the clip
        ("y", pa.float32()),
        ("width", pa.float32()),
        ("height", pa.float32()),
        ("score", pa.float32()),
        ("landmarks", pa.list_(pa.float32())),  # x0, y0, x1, y1, … in pixels of the clip
        ("interpolated", pa.bool_()),  # between frames that the detector looked at
        ("member", pa.string()),  # the crop's name in the clip's ZIP
        ("landmarks_68", pa.list_(pa.float32())),  # likewise, iBUG's 68 in their order; null where none were asked for
    ]
)


def write_detections(path: Path, rows: list[dict[str, Any]], facts: dict[str, Any]) -> None:
    """Writes `rows` (dicts with the columns of `SCHEMA`) and `facts` (frames, detector, crop_margin, …) atomically."""
    schema = SCHEMA.with_metadata({"affwildnet": json.dumps(facts)})
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary)


def read_detections(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows and the facts; raises `InputError` where the file is missing or bad.

    ``landmarks`` are float32 (K, 2), ``landmarks_68`` likewise or None.
    """
    try:
        table = pq.read_table(path)
        facts = json.loads((table.schema.metadata or {})[b"affwildnet"])
    except (OSError, pa.ArrowInvalid, KeyError):
        raise InputError(path, "the detections cannot be read", "run python -m data_pipeline.detect again") from None
    rows = table.to_pylist()
    for row in rows:
        row["landmarks"] = np.array(row["landmarks"], np.float32).reshape(-1, 2)
        if row.setdefault("landmarks_68", None) is not None:
            row["landmarks_68"] = np.array(row["landmarks_68"], np.float32).reshape(68, 2)
    return rows, facts
