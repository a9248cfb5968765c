"""The pipeline's stages on one clip, in order, and how each knows what it has done before."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from data_pipeline.annotations import annotation_files
from data_pipeline.choose_face import FilterOptions, choose_faces
from data_pipeline.code_digest import code_digest
from data_pipeline.corrections import clip_corrections
from data_pipeline.detect import DetectOptions, detect_faces
from data_pipeline.download import DownloadOptions, download, licence_remarks
from data_pipeline.manifest import ManifestRow, source_file
from data_pipeline.manifest_cells import is_link
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
    """One step of the pipeline.

    `reads` names the fields of the manifest's row that the output depends on, `facts` are what it reads of files that
    are about other clips too, `remarks` what a person should be told once it has run; `version` rises whenever the same
    inputs would give another output. A build warns where `module`'s code has changed (`code_digest`) and the version
    has not.
    """

    module: str
    options: type
    run: Callable[[Workspace, ManifestRow, Any], object]
    inputs: Paths
    outputs: Paths
    reads: tuple[str, ...] = ()
    version: int = 1
    facts: Callable[[Workspace, ManifestRow], object] | None = None
    remarks: Callable[[Workspace, ManifestRow], list[str]] | None = None


def _download(workspace: Workspace, row: ManifestRow, options: DownloadOptions) -> None:
    if is_link(row.source):
        download(row.source, source_file(workspace, row), options, row.licence)


def _licence(workspace: Workspace, row: ManifestRow) -> list[str]:
    return licence_remarks(row.source, source_file(workspace, row)) if is_link(row.source) else []


def _probe(workspace: Workspace, row: ManifestRow, options: NoOptions) -> None:
    write_json(workspace.probe(row.clip), dataclasses.asdict(probe(source_file(workspace, row))))


def _transcode(workspace: Workspace, row: ManifestRow, options: TranscodeOptions) -> None:
    transcode(source_file(workspace, row), workspace.clip(row.clip), options, row.start, row.end)


def _detect(workspace: Workspace, row: ManifestRow, options: DetectOptions) -> None:
    detect_faces(workspace, row.clip, options)


def _convert(workspace: Workspace, row: ManifestRow, options: ConvertOptions) -> None:
    for person, entry in enumerate(row.entries()):
        subject = row.subjects[person] if row.subjects else ""
        convert_entry(workspace, row.clip, entry, subject, options)


def _source(workspace: Workspace, row: ManifestRow) -> list[Path]:
    return [source_file(workspace, row)]


def _downloaded(workspace: Workspace, row: ManifestRow) -> list[Path]:
    return _source(workspace, row) if is_link(row.source) else []


def _nothing(workspace: Workspace, row: ManifestRow) -> list[Path]:
    return []


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


def _labels_and_reports(workspace: Workspace, row: ManifestRow) -> list[Path]:
    return _labels(workspace, row) + [workspace.label_report(entry) for entry in row.entries()]


def _labelled_faces(workspace: Workspace, row: ManifestRow) -> list[Path]:
    facts = [workspace.database] if workspace.database.exists() else []
    return _labels(workspace, row) + _faces(workspace, row) + _detections(workspace, row) + facts


def _records(workspace: Workspace, row: ManifestRow) -> list[Path]:
    records = [workspace.record(entry) for entry in row.entries()]
    return records + [sidecar_path(record) for record in records]


_PEOPLE = ("subjects",)

# Records wait for the partition only so that a build reports it before the last and longest-loading stage.
STAGES: dict[str, Stage] = {
    "download": Stage(
        "data_pipeline.download",
        DownloadOptions,
        _download,
        _nothing,
        _downloaded,
        reads=("source", "licence"),
        remarks=_licence,
    ),
    "probe": Stage("data_pipeline.probe", NoOptions, _probe, _source, _probed),
    "transcode": Stage(
        "data_pipeline.transcode", TranscodeOptions, _transcode, _source, _clip, reads=("start", "end"), version=2
    ),
    "detect": Stage("data_pipeline.detect", DetectOptions, _detect, _clip, _crops, version=2),
    "filter": Stage(
        "data_pipeline.choose_face",
        FilterOptions,
        choose_faces,
        _crops,
        _faces,
        reads=_PEOPLE,
        version=2,
        facts=_corrected,
    ),
    "match": Stage(
        module="data_pipeline.match",
        options=MatchOptions,
        run=match_labels,
        inputs=_annotated_faces,
        outputs=_labels_and_reports,
        reads=_PEOPLE,
        version=2,
    ),
    "convert": Stage(
        "tfrecords.convert", ConvertOptions, _convert, _labelled_faces, _records, reads=_PEOPLE, version=2
    ),
}


def run_stage(workspace: Workspace, row: ManifestRow, name: str, options: Any) -> bool:
    """Runs one stage on one clip unless its outputs are there and fresh; returns whether it ran.

    Fresh means made by the same version of the stage with the same options from the same inputs (by size and time of
    change), as ``provenance/CLIP.json`` remembers.
    """
    stage = STAGES[name]
    path = workspace.provenance(row.clip)
    provenance = _read_provenance(path)
    if _is_given(provenance.get(name)):
        return False
    made_from = _fingerprint(workspace, row, stage, options)
    if _is_fresh(workspace, provenance.get(name), made_from):
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
        "code": code_digest(stage.module),
        "options": dataclasses.asdict(options),
    }
    write_json(path, provenance)
    return True


def stage_remarks(workspace: Workspace, row: ManifestRow, name: str) -> list[str]:
    """Sentences that a person should read of what a stage has just made of a clip."""
    found = STAGES[name].remarks
    return found(workspace, row) if found else []


@dataclasses.dataclass(frozen=True)
class Freshness:
    """The first stage that a clip has to run again ('' if none), and the fresh ones that other code has made.

    Other code of the same version: the digest of the stage's modules differs, so its version may have been forgotten.
    """

    first_stale: str
    other_code: tuple[str, ...] = ()


def freshness(workspace: Workspace, row: ManifestRow, stages: Mapping[str, Any]) -> Freshness:
    """Which of `stages` (name -> options, in order) `run_stage` would begin with; looks no further than that one.

    A stage whose inputs cannot even be looked at is stale: running it tells why.
    """
    provenance = _read_provenance(workspace.provenance(row.clip))
    other_code: list[str] = []
    for name, options in stages.items():
        stage, known = STAGES[name], provenance.get(name)
        if _is_given(known):
            continue
        try:
            fresh = _is_fresh(workspace, known, known and _fingerprint(workspace, row, stage, options))
        except (OSError, InputError):
            fresh = False
        if not known or not fresh:
            return Freshness(name, tuple(other_code))
        if known.get("code", "") != code_digest(stage.module):
            other_code.append(name)
    return Freshness("", tuple(other_code))


def _is_given(known: dict[str, Any] | None) -> bool:
    """Whether an imported database came with this stage's outputs, see importers/: the stage is never run then."""
    return known is not None and "imported" in known


def _is_fresh(workspace: Workspace, known: dict[str, Any] | None, made_from: object) -> bool:
    if known is None or known["fingerprint"] != made_from:
        return False
    return all((workspace.root / made).exists() for made in known["outputs"])


def _read_provenance(path: Path) -> dict[str, dict[str, Any]]:
    """Stage -> what it was made from; a damaged memory only means that the clip's stages run again."""
    try:
        known = read_json(path) if path.exists() else {}
    except InputError:
        return {}
    if not isinstance(known, dict):
        return {}
    return {
        name: made
        for name, made in known.items()
        if isinstance(made, dict) and "outputs" in made and ("fingerprint" in made or "imported" in made)
    }


def _fingerprint(workspace: Workspace, row: ManifestRow, stage: Stage, options: Any) -> str:
    root = workspace.root.resolve()
    inputs = []
    for path in stage.inputs(workspace, row):
        if path.exists():
            place = path.resolve()
            # Relative within the workspace, so that it can be moved.
            name = place.relative_to(root).as_posix() if place.is_relative_to(root) else str(place)
            inputs.append((name, path.stat().st_size, path.stat().st_mtime_ns))
    parts = [stage.version, dataclasses.asdict(options), inputs, [getattr(row, field) for field in stage.reads]]
    if stage.facts is not None:
        parts.append(stage.facts(workspace, row))
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
