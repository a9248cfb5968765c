"""The files and folders that stages have named after the person's clips and entries."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from data_pipeline.removal.change import Change, delete
from data_pipeline.removal.person import Person
from tfrecords.workspace import Workspace

# Folders whose files are named after clips or entries; of '*' any folder (an annotator, a CNN's features).
PLACES = (
    "clips",
    "detections",
    "crops",
    "faces",
    "contact_sheets",
    "annotations/*",
    "labels",
    "records",
    "features/*",
    "truth",
    "provenance",
)
OUTPUT_FOLDERS = frozenset(place.split("/")[0] for place in PLACES)
# They show or count everybody, and are made again by their command.
OF_ALL = ("statistics", "inspect", "partition.json")
_TEMPORARY = re.compile(r"\.(?P<stem>.+)\.\d+(?:@[^@/]+)?\.tmp(?:\.[^.]*)?")


def stem_of(name: str, is_folder: bool = False) -> str:
    """The clip or entry that a file (or, as loose crops and annotations are, a folder) would be named after.

    Temporary files too, as a killed process leaves them.
    """
    temporary = _TEMPORARY.fullmatch(name)
    if temporary:
        return temporary["stem"]
    return name if is_folder else Path(name).stem


def output_changes(workspace: Workspace, person: Person) -> Iterator[Change]:
    """Deletes every output of the person's entries; those of whom stays lose their cached features only."""
    for place in PLACES:
        # The features' sidecars name a clip that is no more, and they can be computed again.
        names = person.names | set(person.kept.values()) if place.startswith("features") else person.names
        folders = sorted(workspace.root.glob(place)) if "*" in place else [workspace.root / place]
        for folder in folders:
            for path in files_named(folder, names):
                yield delete(path)
    for name in OF_ALL:
        path = workspace.root / name
        if path.exists():
            yield delete(path, "deleted: it tells of everybody, make it again")


def files_named(folder: Path, names: Collection[str]) -> list[Path]:
    """The files and folders right in `folder` that are named after one of `names`, in the order of their names."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        found = [entry.path for entry in entries if stem_of(entry.name, entry.is_dir()) in names]
    return sorted(map(Path, found))
