"""What a data sheet can tell of a workspace by itself: counts and how it was made, naming nobody."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq

from data_pipeline.annotations import find_annotators
from data_pipeline.download import info_file
from data_pipeline.failures import read_failures
from data_pipeline.manifest import ManifestRow, read_manifest, source_file
from data_pipeline.manifest_cells import is_link
from data_pipeline.partition import PARTITIONS
from data_pipeline.stages import STAGES
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv, read_json

_NOT_SAID = "not said"
_NO_MEASURES = ("entry", "dimension", "annotators", "samples")
# Paths of this machine, and whose browser it is.
_PRIVATE = ("cookies", "cookies_from_browser", "yunet_model")


def sheet_regions(workspace: Workspace) -> dict[str, str]:
    """Section -> lines of Markdown.

    Raises:
      InputError: the manifest or another table has faults.
    """
    rows = read_manifest(workspace)
    facts = workspace.database_facts()
    lines = {
        "motivation": [f"Name: {facts['name']}", _synthetic(facts)],
        "composition": _composition(workspace, rows),
        "collection": _collection(workspace, rows),
        "labelling": [*_annotators(workspace, rows), *_labels(workspace, rows), *_stages(workspace, rows)],
        "uses": _parts(workspace),
        "distribution": _licences(workspace, rows, facts),
        "maintenance": _maintenance(workspace),
    }
    return {name: "\n".join(f"- {line}" for line in told if line) for name, told in lines.items()}


def _synthetic(facts: Mapping[str, Any]) -> str:
    if not facts["synthetic"]:
        return "It shows people: it is not marked as synthetic"
    return f"It is synthetic: it shows nobody. {facts.get('notice', '')}".strip()


def _composition(workspace: Workspace, rows: Sequence[ManifestRow]) -> list[str]:
    subjects = {subject for row in rows for subject in row.subjects}
    entries = [entry for row in rows for entry in row.entries()]
    unnamed = sum(not row.subjects for row in rows)
    told = [
        f"{len(rows)} clips, {len(entries)} entries (a person in a clip), {len(subjects)} subjects"
        + (f"; of {unnamed} clips nobody has said who is in them" if unnamed else ""),
        f"{sum(len(row.subjects) == 2 for row in rows)} clips show two subjects",
    ]
    frames = [count for row in rows if (count := _frames(workspace, row)) is not None]
    told.append(f"{sum(frames)} frames in the {len(frames)} clips that are detected, {sum(frames) / 108000:.2f} hours")
    for column in ("gender", "age", "ethnicity"):
        counts = _of_people(rows, column)
        if set(counts) - {_NOT_SAID}:
            told.append(f"{column.capitalize()}, as people define themselves, by subject: {_counted(counts)}")
        else:
            told.append(f"{column.capitalize()} is not recorded")
    for column, title in (("keyword", "Searched by"), ("expected_affect", "Expected affect")):
        counts = collections.Counter(getattr(row, column).strip() or _NOT_SAID for row in rows)
        if set(counts) - {_NOT_SAID}:
            told.append(f"{title}, by clip: {_counted(counts)}")
    return told


def _frames(workspace: Workspace, row: ManifestRow) -> int | None:
    """The clip's frames at 30 a second, or None where it is not detected yet."""
    path = workspace.detections(row.clip)
    if not path.exists():
        return None
    return int(json.loads((pq.read_schema(path).metadata or {}).get(b"affwildnet", b"{}")).get("frames", 0))


def _of_people(rows: Iterable[ManifestRow], column: str) -> collections.Counter[str]:
    """How many subjects have each value in a column that describes people; the first clip that says it counts."""
    told: dict[str, str] = {}
    for row in rows:
        text = getattr(row, column).strip()
        words = text.split() if len(row.subjects) == 2 else [text]
        for subject, word in zip(row.subjects, words or ["", ""], strict=False):
            told[subject] = told.get(subject) or word
    return collections.Counter(word or _NOT_SAID for word in told.values())


def _collection(workspace: Workspace, rows: Sequence[ManifestRow]) -> list[str]:
    links = sum(is_link(row.source) for row in rows)
    told = [f"{links} clips are cut from videos behind links, {len(rows) - links} from files; {_cut(rows)}"]
    path = workspace.root / "import.json"
    for imported in read_json(path) if path.exists() else ():
        left_out = ", ".join(f"{count} {what}" for what, count in imported["left_out"].items())
        told.append(
            f"Imported: {imported['clips']} clips of the kind {imported['from']} ({imported['licence']}; "
            f"{imported['citation']}){f'; left out: {left_out}' if left_out else ''}"
        )
    return told


def _cut(rows: Iterable[ManifestRow]) -> str:
    return f"{sum(row.start is not None or row.end is not None for row in rows)} of all are a part of their video"


def _annotators(workspace: Workspace, rows: Sequence[ManifestRow]) -> list[str]:
    names = [find_annotators(workspace, entry) for row in rows for entry in row.entries()]
    counts = collections.Counter(len(found) for found in names)
    spread = ", ".join(f"{count} by {number}" for number, count in sorted(counts.items(), reverse=True))
    told = [f"{len({name for found in names for name in found})} annotators; entries annotated: {spread}"]
    path = workspace.root / "agreement.csv"
    for row in read_csv(path, ("entry", "dimension")) if path.exists() else ():
        if not row["entry"]:
            values = ", ".join(f"{name} {value}" for name, value in row.items() if value and name not in _NO_MEASURES)
            told.append(f"Agreement on {row['dimension']} of {len(row['annotators'].split())} annotators: {values}")
    if len(told) == 1:
        told.append("How well annotators agree has not been measured (data_pipeline.agreement)")
    return told


def _labels(workspace: Workspace, rows: Sequence[ManifestRow]) -> list[str]:
    reports = [
        read_json(workspace.label_report(entry))
        for row in rows
        for entry in row.entries()
        if workspace.label_report(entry).exists()
    ]
    dropped: collections.Counter[str] = collections.Counter()
    for report in reports:
        dropped.update(report["dropped"])
    reasons = {name.replace("_", " "): count for name, count in dropped.items() if count}
    labelled = sum(report["labelled"] for report in reports)
    entries = sum(workspace.labels(entry).exists() for row in rows for entry in row.entries())
    told = [f"{entries} entries are labelled; {len(reports)} reports tell of {labelled} labelled frames"]
    told.append(f"Frames with a face and without a label, by reason: {_counted(reasons) if reasons else 'none'}")
    return told


def _stages(workspace: Workspace, rows: Sequence[ManifestRow]) -> list[str]:
    """How each stage's outputs were made: its version and what differs from the default options, and of how many."""
    made: dict[str, collections.Counter[str]] = {name: collections.Counter() for name in STAGES}
    for row in rows:
        path = workspace.provenance(row.clip)
        for name, known in (read_json(path) if path.exists() else {}).items():
            if name in made and isinstance(known, dict):
                made[name][_made(name, known)] += 1
    return [f"Stage {name}: {_counted(counts, 'clips')}" for name, counts in made.items() if counts]


def _made(stage: str, known: Mapping[str, Any]) -> str:
    if "imported" in known:
        return f"given ({known['imported']})"
    # As JSON has them: it knows no tuples.
    defaults = json.loads(json.dumps(dataclasses.asdict(STAGES[stage].options())))
    chosen = known.get("options", {})
    other = {name: value for name, value in chosen.items() if defaults.get(name) != value and name not in _PRIVATE}
    told = ", ".join(f"{name} {value}" for name, value in sorted(other.items()))
    return f"version {known.get('version', '?')}, {told or 'default options'}"


def _parts(workspace: Workspace) -> list[str]:
    if not workspace.partition.exists():
        return ["It is not partitioned yet"]
    rows = read_csv(workspace.partition, ("partition", "subject", "frames"))
    told = []
    for part in PARTITIONS:
        mine = [row for row in rows if row["partition"] == part]
        subjects, frames = len({row["subject"] for row in mine}), sum(int(row["frames"]) for row in mine)
        told.append(f"Part {part}: {len(mine)} entries, {subjects} subjects, {frames} frames")
    parts = collections.Counter(subject for subject, _ in {(row["subject"], row["partition"]) for row in rows})
    return [*told, f"{sum(count > 1 for count in parts.values())} subjects are in two parts"]


def _licences(workspace: Workspace, rows: Sequence[ManifestRow], facts: Mapping[str, Any]) -> list[str]:
    counts = collections.Counter(_licence(workspace, row) for row in rows)
    told = [f"Licences, by clip: {_counted(counts)}"]
    for name in ("licence", "citation"):
        told += [f"{name.capitalize()} of the database: {facts[name]}"] if facts.get(name) else []
    return [*told, "Nothing here sends it anywhere: it is where its folder is"]


def _licence(workspace: Workspace, row: ManifestRow) -> str:
    """What the site says of a video, and where it says nothing what the manifest does."""
    path = info_file(source_file(workspace, row))
    try:
        said = read_json(path).get("licence", "") if is_link(row.source) and path.exists() else ""
    except (InputError, AttributeError):
        said = ""
    return said or row.licence.strip() or _NOT_SAID


def _maintenance(workspace: Workspace) -> list[str]:
    path = workspace.root / "removals.csv"
    finished = [
        row for row in (read_csv(path, ("date", "state")) if path.exists() else ()) if row["state"] == "finished"
    ]
    last = f", the last on {max(row['date'] for row in finished)}" if finished else ""
    stages = collections.Counter(failure.failed_stage for failure in read_failures(workspace).values())
    told = [f"{len(finished)} people have been removed on their wish{last}"]
    return [*told, f"Clips set aside by the last build, by stage: {_counted(stages) if stages else 'none'}"]


def _counted(counts: Mapping[str, int], what: str = "") -> str:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return "; ".join(f"{name}: {count}{f' {what}' if what else ''}" for name, count in ordered)
