"""A database's clips -> a workspace that the pipeline goes on with."""

from __future__ import annotations

import collections
import dataclasses
import heapq
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_pipeline.annotations import write_trace
from data_pipeline.choose_face import COLUMNS as FACE_COLUMNS
from data_pipeline.decode import FRAME_RATE
from data_pipeline.importers.database import Database, FoundClip, GivenFace, ImportedClip, ImportOptions, Person
from data_pipeline.manifest import ManifestRow, read_manifest
from data_pipeline.stages import STAGES
from tfrecords.crops import member_name, write_crops
from tfrecords.detections import write_detections
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_json, write_csv, write_json

MANIFEST_COLUMNS = ("clip", "source", "subjects", "notes")
_DIMENSION = re.compile(r"[a-z][a-z0-9_]{0,59}")


@dataclasses.dataclass
class ImportReport:
    """What an import did: clips written, names that had to change, frames left out and clips set aside, by reason."""

    clips: list[str] = dataclasses.field(default_factory=list)
    renamed: dict[str, str] = dataclasses.field(default_factory=dict)
    left_out: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    set_aside: dict[str, str] = dataclasses.field(default_factory=dict)


def import_database(workspace: Workspace, name: str, database: Database, options: ImportOptions) -> ImportReport:
    """Writes the clips of `database` into the workspace and ``import.json``; a clip with bad files is set aside.

    A new workspace gets its ``manifest.csv`` last, so an import that was cut off is begun again; where the database
    comes in parts, ``official.csv`` tells them, as the partition's option `fixed` takes it. Annotations alone can
    also be added to a workspace with a manifest; they go to the clips (or entries) of their names.

    Raises:
      InputError: the folder is missing or holds no such database, or the workspace has a manifest already.
    """
    folder = Path(options.folder)
    if not options.folder or not folder.is_dir():
        raise InputError(folder, "there is no such folder", f"name the one that holds {database.layout} with --folder")
    known: dict[str, tuple[str, ...]] = {}
    if workspace.manifest.exists():
        if not database.annotations_only:
            raise InputError(workspace.manifest, "there is a manifest already", "import into a new folder")
        known = _known_entries(read_manifest(workspace))
    report, used = ImportReport(), set[str]()
    rows: list[dict[str, str]] = []
    parts: list[dict[str, str]] = []
    # All are looked for before any is written.
    for found in tqdm(list(database.find(folder, options)), unit="clip", desc=name):
        try:
            clip = _load(found)
            if known:
                called = _add_annotations(workspace, known, found.name, clip)
            else:
                called = unique_name(found.name, used)
                row, entries = _write_clip(workspace, name, called, clip, options)
                rows.append(row)
                parts += [{"entry": entry, "partition": clip.partition} for entry in entries]
        except InputError as error:
            report.set_aside[found.name] = str(error)
            continue
        report.clips.append(called)
        report.left_out += clip.counts
        if called != found.name:
            report.renamed[found.name] = called
    if not report.clips:
        why = next(iter(report.set_aside.values()), f"it is looked for as {database.layout}")
        raise InputError(
            folder, f"no clip of {name} could be imported ({why.rstrip('.')})", "check --folder and --from"
        )
    _write_facts(workspace, name, database, folder, report, new=not known)
    if any(row["partition"] for row in parts):
        write_csv(workspace.official, ("entry", "partition"), [row for row in parts if row["partition"]])
    if rows:
        write_csv(workspace.manifest, MANIFEST_COLUMNS, rows)
    return report


def _load(found: FoundClip) -> ImportedClip:
    try:
        return found.load()
    except OSError as error:
        what = f"it cannot be read ({error.strerror})"
        raise InputError(error.filename or found.name, what, "check its rights") from None


def file_name(text: str) -> str:
    """`text` with what a file's name cannot hold replaced, see `workspace.check_name`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip(".-")[:100] or "clip"


def unique_name(text: str, used: set[str]) -> str:
    """A name that no clip nor entry has in `used`, to which it is added; in small letters they differ, too."""
    base = file_name(text)
    names = itertools.chain([base], (f"{base}_{number}" for number in itertools.count(2)))
    name = next(name for name in names if not {each.lower() for each in _reserved(name)} & used)
    used.update(each.lower() for each in _reserved(name))
    return name


def _reserved(name: str) -> list[str]:
    return [name, f"{name}-p1", f"{name}-p2"]


def _write_clip(
    workspace: Workspace, database: str, name: str, clip: ImportedClip, options: ImportOptions
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Writes what came with a clip; returns its row of the manifest and its entries."""
    if clip.source is None:
        what = f"there is no video called {name}"
        raise InputError(options.videos or options.folder, what, "put it there, or name its folder with --videos")
    subjects = [file_name(person.subject or name) for person in clip.people]
    if len(set(subjects)) < len(subjects):
        subjects = [f"{name}-p{person}" for person in range(1, len(subjects) + 1)]
    row = ManifestRow(name, str(clip.source), tuple(subjects))
    given = [person.faces for person in clip.people if person.faces is not None]
    if given:
        _write_faces(workspace, database, row, clip)
        # Of a folder of images there is no video for the first stages to read.
        stages = itertools.takewhile(lambda stage: stage != "match", STAGES)
        imported = ("detect", "filter") if clip.source.is_file() else tuple(stages)
        write_json(workspace.provenance(name), {stage: {"imported": database, "outputs": []} for stage in imported})
    for entry, person in zip(row.entries(), clip.people, strict=True):
        _write_annotations(workspace, entry, person)
    source = str(clip.source.resolve())
    return {"clip": name, "source": source, "subjects": " ".join(subjects), "notes": clip.notes}, row.entries()


def _write_faces(workspace: Workspace, database: str, row: ManifestRow, clip: ImportedClip) -> None:
    """Writes what the stages detect and filter would: crops, detections, and each entry's faces."""
    rows: list[dict[str, Any]] = []
    chosen: list[list[dict[str, Any]]] = [[] for _ in clip.people]
    streams = [_of_person(number, person) for number, person in enumerate(clip.people)]
    with write_crops(workspace.crops(row.clip)) as write:
        merged = heapq.merge(*streams, key=lambda each: (each[1].frame, each[0]))
        for frame, group in itertools.groupby(merged, key=lambda each: each[1].frame):
            faces = list(group)
            for number, (person, face) in enumerate(faces):
                member = member_name(frame, number, len(faces))
                write(member, face.jpeg)
                found = {"frame": frame, "face": number, "member": member, "score": 1.0}
                found |= dict(zip(("x", "y", "width", "height"), face.box, strict=True))
                points = face.landmarks.ravel()
                rows.append(found | {"landmarks": points, "landmarks_68": points if len(points) == 136 else None})
                chosen[person].append(found)
        if not rows:
            raise InputError(row.source, "no face of the clip could be read", "copy it from the database again")
    last = len({row["frame"] for row in rows}) if clip.stills else rows[-1]["frame"]
    facts = {"frames": last, "frame_rate": FRAME_RATE, "detector": database, "min_score": 0.0}
    facts |= {"crop_margin": clip.crop_margin, "landmarks_68": all(made["landmarks_68"] is not None for made in rows)}
    write_detections(workspace.detections(row.clip), rows, facts)
    for entry, faces_of in zip(row.entries(), chosen, strict=True):
        write_csv(workspace.faces(entry), FACE_COLUMNS, faces_of)


def _of_person(number: int, person: Person) -> Iterator[tuple[int, GivenFace]]:
    for face in person.faces or ():
        yield number, face


def _write_annotations(workspace: Workspace, entry: str, person: Person, new: bool = True) -> None:
    files = {}
    for annotator, traces in person.traces.items():
        for dimension, trace in traces.items():
            path = workspace.annotations / file_name(annotator) / entry / f"{dimension}.txt"
            if not _DIMENSION.fullmatch(dimension):
                what = f"{dimension[:60]!r} cannot be a dimension's name"
                raise InputError(path.parent, what, "use small letters, digits and '_', beginning with a letter")
            if path.exists() and not new:
                raise InputError(
                    path, "there is an annotation already", "move it away, or name the annotator otherwise"
                )
            files[path] = trace
    for path, trace in files.items():
        write_trace(path, trace)


def _known_entries(rows: list[ManifestRow]) -> dict[str, tuple[str, ...]]:
    """Names in small letters that annotations may be filed under -> the entries meant: an entry, a clip, a video."""
    known = {Path(row.source).stem.lower(): row.entries() for row in rows}
    known |= {row.clip.lower(): row.entries() for row in rows}
    return known | {entry.lower(): (entry,) for row in rows for entry in row.entries()}


def _add_annotations(workspace: Workspace, known: dict[str, tuple[str, ...]], name: str, clip: ImportedClip) -> str:
    entries = known.get(name.lower(), known.get(file_name(name).lower(), ()))
    if len(entries) != 1:
        what = f"{name} is no clip of it" if not entries else f"{name} shows two people"
        raise InputError(workspace.manifest, what, "name the file after one entry of the manifest")
    _write_annotations(workspace, entries[0], clip.people[0], new=False)
    return entries[0]


def _write_facts(
    workspace: Workspace, name: str, database: Database, folder: Path, report: ImportReport, new: bool
) -> None:
    told: dict[str, Any] = {
        "from": name,
        "folder": str(folder.resolve()),
        "licence": database.licence,
        "citation": database.citation,
    }
    told |= {"clips": len(report.clips), "left_out": {what: count for what, count in report.left_out.items() if count}}
    path = workspace.root / "import.json"
    before = read_json(path) if path.exists() and not new else []
    write_json(path, [*before, told | {"renamed": report.renamed, "set_aside": report.set_aside}])
    if new:
        facts = {"name": database.title, "synthetic": False, "licence": database.licence, "citation": database.citation}
        write_json(workspace.database, facts)
