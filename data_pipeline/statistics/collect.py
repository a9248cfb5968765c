"""The facts that tables and figures are made of, from as much of a workspace as there is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data_pipeline.label_files import read_label_columns
from data_pipeline.manifest import ManifestRow
from data_pipeline.nearest import REASONS
from data_pipeline.partition import PARTITIONS
from data_pipeline.partition_entries import GENDER_WORDS, people_words, valence_class
from data_pipeline.partition_options import PartitionOptions
from tfrecords.errors import InputError
from tfrecords.labels import ORIGINAL_LABELS
from tfrecords.workspace import Workspace, read_csv, read_json

# Why a frame with a face has no label.
DROPPED = REASONS[1:]
CLIP_COLUMNS = ("clip", "source", "frame_rate", "seconds", "container", "format", "rate")
ENTRY_COLUMNS = (
    *("entry", "clip", "subject", "gender", "age", "ethnicity", "partition", "valence_class"),
    *("frames", "with_face", "chosen", "labelled"),
    *DROPPED,
)
LABEL_COLUMNS = ("entry", "label", "frames", "sum")


@dataclasses.dataclass(frozen=True)
class Database:
    """What is known of a database.

    Attributes:
      clips: a row a clip of the manifest, `CLIP_COLUMNS`; NaN where it was not probed yet. ``frame_rate``, ``seconds``
        and ``container`` are its source's, ``format`` and ``rate`` (frames a second) its own, '' and NaN where unknown.
      entries: a row an entry, `ENTRY_COLUMNS`; ``frames`` are those of its clip at 30 FPS, ``with_face`` those with any
        detection, ``chosen`` those with a face of this person, ``labelled`` those with a label, the columns `DROPPED`
        those of ``chosen`` that ``labels/ENTRY.json`` says have none for this reason; NaN where unknown.
      labels: entry -> frame numbers int64 (N,), and valence and arousal in [-1, 1], float64 (N, 2), NaN where a frame
        has other labels only.
      facts: ``database.json``.
      columns: a row an entry and label, valence and arousal too: ``entry``, ``label``, its ``frames``, their ``sum``.
    """

    clips: pd.DataFrame
    entries: pd.DataFrame
    labels: Mapping[str, tuple[np.ndarray, np.ndarray]]
    facts: dict[str, Any]
    columns: pd.DataFrame = dataclasses.field(default_factory=lambda: pd.DataFrame(columns=list(LABEL_COLUMNS)))

    def felt(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """`labels` of the frames that have valence and arousal, of the entries that have such."""
        known = {entry: ~np.isnan(values).any(axis=1) for entry, (_, values) in self.labels.items()}
        return {
            entry: (frames[known[entry]], values[known[entry]])
            for entry, (frames, values) in self.labels.items()
            if known[entry].any()
        }

    def labels_by_part(self) -> dict[str, np.ndarray]:
        """Part -> its frames' valence and arousal, float64 (frames, 2); ``unpartitioned`` where there is no partition.

        Frames and parts without them are left out.
        """
        felt, parts = self.felt(), dict[str, list[np.ndarray]]()
        for row in self.entries.itertuples():
            if row.entry in felt:
                parts.setdefault(str(row.partition) or "unpartitioned", []).append(felt[str(row.entry)][1])
        order = [*PARTITIONS, *sorted(set(parts) - set(PARTITIONS))]
        return {name: np.concatenate(parts[name]) for name in order if name in parts}


def collect(workspace: Workspace, rows: Sequence[ManifestRow], options: PartitionOptions) -> Database:
    """Reads probe facts, detections, chosen faces, labels and the partition of `rows`, where they are there."""
    parts: dict[str, str] = {}
    if workspace.partition.exists():
        parts = {row["entry"]: row["partition"] for row in read_csv(workspace.partition, ("entry", "partition"))}
    clips, entries = [], []
    labels: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    columns: list[dict[str, Any]] = []
    for row in rows:
        probed = _read_probe(workspace, row.clip)
        frames, with_face, rate = _detected(workspace, row.clip)
        form = workspace.clip(row.clip).suffix[1:].upper() if workspace.clip(row.clip).exists() else ""
        clips.append({"clip": row.clip, "source": str(row.source)} | probed | {"format": form, "rate": rate})
        words = {name: people_words(getattr(row, name), len(row.subjects)) for name in ("gender", "age", "ethnicity")}
        for person, entry in enumerate(row.entries()):
            if workspace.labels(entry).exists():
                labels[entry], told = _read_labels(workspace.labels(entry))
                columns += [{"entry": entry, **label} for label in told]
            gender = words["gender"][person].lower()
            valence = labels[entry][1][:, 0] if entry in labels else np.empty(0)
            valence = valence[~np.isnan(valence)]
            entries.append(
                {
                    "entry": entry,
                    "clip": row.clip,
                    "subject": row.subjects[person] if row.subjects else "",
                    "gender": GENDER_WORDS.get(gender, gender),
                    "age": words["age"][person],
                    "ethnicity": words["ethnicity"][person],
                    "partition": parts.get(entry, ""),
                    "valence_class": valence_class(valence, options) if len(valence) else "",
                    "frames": frames,
                    "with_face": with_face,
                    "chosen": len(read_csv(workspace.faces(entry))) if workspace.faces(entry).exists() else np.nan,
                    "labelled": len(labels[entry][0]) if entry in labels else np.nan,
                }
                | _dropped(workspace, entry)
            )
    labels = {entry: own for entry, own in labels.items() if len(own[0])}
    frame = pd.DataFrame(entries, columns=list(ENTRY_COLUMNS))
    told_of, facts = pd.DataFrame(columns, columns=list(LABEL_COLUMNS)), workspace.database_facts()
    return Database(pd.DataFrame(clips, columns=list(CLIP_COLUMNS)), frame, labels, facts, told_of)


def _read_labels(path: Path) -> tuple[tuple[np.ndarray, np.ndarray], list[dict[str, Any]]]:
    """An entry's item of `Database.labels`, and its rows of `Database.columns`."""
    frames, columns = read_label_columns(path)
    missing = np.full(len(frames), np.nan)
    felt = np.stack([columns.get(name, missing) for name in ORIGINAL_LABELS], axis=1)
    known = {name: values[~np.isnan(values)] for name, values in columns.items()}
    return (frames, felt), [{"label": name, "frames": len(v), "sum": float(v.sum())} for name, v in known.items()]


def _read_probe(workspace: Workspace, clip: str) -> dict[str, Any]:
    try:
        facts = read_json(workspace.probe(clip))
        return {name: facts[name] for name in ("frame_rate", "seconds", "container")}
    except (InputError, KeyError, TypeError):
        return {"frame_rate": np.nan, "seconds": np.nan, "container": ""}


def _dropped(workspace: Workspace, entry: str) -> dict[str, float]:
    try:
        told = read_json(workspace.label_report(entry))["dropped"]
        return {name: float(told.get(name, 0)) for name in DROPPED}
    except (InputError, KeyError, TypeError, AttributeError):
        return dict.fromkeys(DROPPED, np.nan)


def _detected(workspace: Workspace, clip: str) -> tuple[float, float, float]:
    """The clip's frames, those with a detection, and frames a second, NaN where it has no detections yet."""
    try:
        table = pq.read_table(workspace.detections(clip), columns=["frame"])
        facts = json.loads((table.schema.metadata or {})[b"affwildnet"])
        return float(facts["frames"]), float(len(table["frame"].unique())), float(facts.get("frame_rate", np.nan))
    except (OSError, pa.ArrowInvalid, KeyError):
        return np.nan, np.nan, np.nan
