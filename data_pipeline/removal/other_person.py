"""What stays of a clip of two people when one withdraws and ``--keep_others`` is given.

The other's entry becomes a clip of its own that is called as the entry was and has nothing but crops of that person:
what the stages up to the filter would make is marked as given, as an imported database's is, and the manifest's
`source` names the crops, so that no build can go back to a video that shows the withdrawn person.
"""

from __future__ import annotations

import functools
import itertools
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data_pipeline.manifest import ManifestRow
from data_pipeline.removal.change import Change
from data_pipeline.removal.person import Person
from data_pipeline.stages import STAGES
from tfrecords.crops import write_crops
from tfrecords.errors import InputError
from tfrecords.sidecar import sidecar_path
from tfrecords.workspace import Workspace, atomic_path, read_csv, read_json, write_json

_OF_THE_VIDEO = ("start", "end", "part")
_OF_EACH = ("gender", "age", "ethnicity")


def keep_changes(workspace: Workspace, person: Person) -> Iterator[Change]:
    """Makes a clip of each other person's entry, before anything is deleted.

    Raises:
      InputError: it has not been chosen yet which faces of a clip are the other's.
    """
    for clip, entry in person.kept.items():
        pairs = (
            (workspace.detections(clip), workspace.detections(entry)),
            (_crops(workspace, clip), _crops(workspace, entry)),
        )
        there = workspace.faces(entry).exists() and all(old.exists() or new.exists() for old, new in pairs)
        if not there:
            what = f"which faces of the clip {clip} are the other person's is not known"
            remedy = "build the clip up to the stage filter first, or drop --keep_others"
            raise InputError(workspace.faces(entry), what, remedy)
        what = f"a clip of its own: the other person's crops of {clip}"
        yield Change("note", workspace.crops(entry), what, functools.partial(_keep, workspace, clip, entry))


def kept_row(workspace: Workspace, cells: dict[str, str], row: ManifestRow, person: Person) -> dict[str, str]:
    """The cells of the manifest's row of a clip of two when one of them has gone."""
    entry = person.kept[row.clip]
    other = 1 - row.subjects.index(person.subject)
    made = cells | {"clip": entry, "subjects": row.subjects[other]}
    made["source"] = _crops(workspace, entry).relative_to(workspace.root).as_posix()
    made |= {column: "" for column in _OF_THE_VIDEO if column in cells}
    return made | {column: cells[column].split()[other] for column in _OF_EACH if cells.get(column, "").strip()}


def _keep(workspace: Workspace, clip: str, entry: str) -> None:
    """Copies what is of `entry`; where the clip's own file is gone, an earlier run has copied it."""
    faces = {(int(face["frame"]), int(face["face"])): face["member"] for face in read_csv(workspace.faces(entry))}
    if workspace.detections(clip).exists():
        table = pq.read_table(workspace.detections(clip))
        pairs = zip(table["frame"].to_pylist(), table["face"].to_pylist(), strict=True)
        with atomic_path(workspace.detections(entry)) as temporary:
            pq.write_table(table.filter(pa.array([pair in faces for pair in pairs], pa.bool_())), temporary)
    crops = _crops(workspace, clip)
    if crops.exists():
        with write_crops(workspace.crops(entry), loose=crops.is_dir()) as write:
            for member in faces.values():
                write(member, _read_member(crops, member))
    stages = itertools.takewhile(lambda stage: stage != "match", STAGES)
    write_json(workspace.provenance(entry), {stage: {"imported": "remove_subject", "outputs": []} for stage in stages})
    sidecar = sidecar_path(workspace.record(entry))
    if sidecar.exists():
        write_json(sidecar, read_json(sidecar) | {"clip": entry})


def _crops(workspace: Workspace, clip: str) -> Path:
    """The ZIP, or where there is a folder in its place that."""
    folder = workspace.crops(clip).with_suffix("")
    return folder if folder.is_dir() and not workspace.crops(clip).exists() else workspace.crops(clip)


def _read_member(crops: Path, member: str) -> bytes:
    try:
        if crops.is_dir():
            return (crops / member).read_bytes()
        with zipfile.ZipFile(crops) as archive:
            return archive.read(member)
    except (KeyError, OSError, zipfile.BadZipFile):
        what = f"the crop {member} is missing or damaged"
        raise InputError(crops, what, "build the clip again, or drop --keep_others") from None
