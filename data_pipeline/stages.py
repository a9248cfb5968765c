"""The pipeline's stages on one clip, in order, and how each knows what it has done before."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_pipeline.annotations import annotation_files
from data_pipeline.choose_face import FilterOptions, choose_faces
from data_pipeline.corrections import clip_corrections
from data_pipeline.detect import DetectOptions, detect_faces
from data_pipeline.manifest import ManifestRow
from data_pipeline.match import MatchOptions, match_labels
from data_pipeline.probe import probe
from data_pipeline.transcode import TranscodeOptions, transcode
from tfrecords.convert import ConvertOptions, convert_entry
from tfrecords.errors import InputError
from tfrecords.sidecar import sidecar_path
from tfrecords.workspace import Workspace, read_json, write_json

Paths = Callable[[Workspace, ManifestRow], list[Path]]


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """For a stage that takes none."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of the pipeline; `version` rises whenever the same inputs would give another output.

    `facts` are what it reads of files that are about other clips too.
    """

    module: str
    options: type
    run: Callable[[Workspace, ManifestRow, Any], object]
    inputs: Paths
    outputs: Paths
    reads_subjects: bool = False
    version: int = 1
    facts: Callable[[Workspace, ManifestRow], object] | None = None


def _probe(workspace: Workspace, row: ManifestRow, options: NoOptions) -> None:
    write_json(workspace.probe(row.clip), dataclasses.asdict(probe(row.source)))


def _transcode(workspace: Workspace, row: ManifestRow, options: TranscodeOptions) -> None:
    transcode(row.source, workspace.clip(row.clip), options)


def _detect(workspace: Workspace, row: ManifestRow, options: DetectOptions) -> None:
    detect_faces(workspace, row.clip, options)


def _convert(workspace: Workspace, row: ManifestRow, options: ConvertOptions) -> None:
    for person, entry in enumerate(row.entries()):
        subject = row.subjects[person] if row.subjects else ""
        convert_entry(workspace, row.clip, entry, subject, options)


def _source(workspace: Workspace, row: ManifestRow) -> list[Path]:
    return [row.source]


def _clip(workspace: Workspace, row: ManifestRow) -> list[Path]:
    return [workspace.clip(row.clip)]


def _probed(workspace: Workspace, row: ManifestRow) -> list[Path]:
    return [workspace.probe(row.clip)]


def _detections(workspace: Workspace, row: ManifestRow) -> list[Path]:
    return [workspace.detections(row.clip)]


def _crops(workspace: Workspace, row: ManifestRow) -> list[Path]:
    archive = workspace.crops(row.clip)
    folder = archive.with_suffix("")
    return [workspace.detections(row.clip), folder if folder.is_dir() else archive]


def _faces(workspace: Workspace, row: ManifestRow) -> list[Path]:
    return [workspace.faces(entry) for entry in row.entries()]


def _corrected(workspace: Workspace, row: ManifestRow) -> list[Any]:
    """What ``corrections.csv`` says about this clip: a row more about another one leaves it fresh."""
    fields = map(dataclasses.asdict, clip_corrections(workspace, row.entries()))
    return [{name: value for name, value in correction.items() if name != "line"} for correction in fields]


def _annotated_faces(workspace: Workspace, row: ManifestRow) -> list[Path]:
    files = [path for entry in row.entries() for path in annotation_files(workspace, entry)]
    return _faces(workspace, row) + files


def _labels(workspace: Workspace, row: ManifestRow) -> list[Path]:
    return [workspace.labels(entry) for entry in row.entries()]


def _labelled_faces(workspace: Workspace, row: ManifestRow) -> list[Path]:
    facts = [workspace.database] if workspace.database.exists() else []
    return _labels(workspace, row) + _faces(workspace, row) + _detections(workspace, row) + facts


def _records(workspace: Workspace, row: ManifestRow) -> list[Path]:
    records = [workspace.record(entry) for entry in row.entries()]
    return records + [sidecar_path(record) for record in records]


# Records wait for the partition only so that a build reports it before the last and longest-loading stage.
STAGES: dict[str, Stage] = {
    "probe": Stage("data_pipeline.probe", NoOptions, _probe, _source, _probed),
    "transcode": Stage("data_pipeline.transcode", TranscodeOptions, _transcode, _source, _clip),
    "detect": Stage("data_pipeline.detect", DetectOptions, _detect, _clip, _crops),
    "filter": Stage(
        "data_pipeline.choose_face",
        FilterOptions,
        choose_faces,
        _crops,
        _faces,
        reads_subjects=True,
        version=2,
        facts=_corrected,
    ),
    "match": Stage("data_pipeline.match", MatchOptions, match_labels, _annotated_faces, _labels, reads_subjects=True),
    "convert": Stage("tfrecords.convert", ConvertOptions, _convert, _labelled_faces, _records, reads_subjects=True),
}


def run_stage(workspace: Workspace, row: ManifestRow, name: str, options: Any) -> bool:
    """Runs one stage on one clip unless its outputs are there and fresh; returns whether it ran.

    Fresh means made by the same version of the stage with the same options from the same inputs (by size and time of
    change), as ``provenance/CLIP.json`` remembers.
    """
    stage = STAGES[name]
    path = workspace.provenance(row.clip)
    provenance: dict[str, Any] = _read_provenance(path)
    made_from = _fingerprint(workspace, row, stage, options)
    known = provenance.get(name, {})
    if known.get("fingerprint") == made_from and all((workspace.root / made).exists() for made in known["outputs"]):
        return False
    # Forgotten first: a stage that dies half way must not find its old fingerprint beside new outputs.
    if provenance.pop(name, None) is not None:
        write_json(path, provenance)
    stage.run(workspace, row, options)
    outputs = [made for made in stage.outputs(workspace, row) if made.exists()]
    provenance[name] = {
        "fingerprint": made_from,
        "outputs": [made.relative_to(workspace.root).as_posix() for made in outputs],
        "version": stage.version,
        "options": dataclasses.asdict(options),
    }
    write_json(path, provenance)
    return True


def _read_provenance(path: Path) -> dict[str, Any]:
    try:
        return read_json(path) if path.exists() else {}
    except InputError:
        return {}  # a damaged memory only means that the clip's stages run again


def _fingerprint(workspace: Workspace, row: ManifestRow, stage: Stage, options: Any) -> str:
    root = workspace.root.resolve()
    inputs = []
    for path in stage.inputs(workspace, row):
        if path.exists():
            place = path.resolve()
            # Relative within the workspace, so that it can be moved.
            name = place.relative_to(root).as_posix() if place.is_relative_to(root) else str(place)
            inputs.append((name, path.stat().st_size, path.stat().st_mtime_ns))
    parts = [stage.version, dataclasses.asdict(options), inputs, row.subjects if stage.reads_subjects else ()]
    if stage.facts is not None:
        parts.append(stage.facts(workspace, row))
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
