"""The videos that the person's clips are cut from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from data_pipeline.download import downloaded_files, partial_folder
from data_pipeline.manifest import ManifestRow, source_file
from data_pipeline.manifest_cells import is_link
from data_pipeline.removal.change import Change, delete
from data_pipeline.removal.outputs import OUTPUT_FOLDERS, stem_of
from data_pipeline.removal.person import Person
from tfrecords.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Source:
    """A file or folder that shows the person, and why it stays ('' where `--delete_sources` deletes it)."""

    path: Path
    stays: str


def find_sources(workspace: Workspace, person: Person) -> list[Source]:
    """Every video (or folder of images) that the person's clips are made from and that is there, downloads whole.

    One stays where it is outside the workspace or a clip that stays is made from it, too.
    """
    shared = {source_file(workspace, row).resolve() for row in person.remaining}
    found: dict[Path, Source] = {}
    for row in person.rows + person.older:
        source = source_file(workspace, row)
        for path in _files(row, source):
            # What a removal with --keep_others has left of a clip is a source and an output.
            if not (_is_output(workspace, path) and stem_of(path.name, path.is_dir()) in person.names):
                found[path] = Source(path, _why_it_stays(workspace, path, source, shared))
    return list(found.values())


def source_changes(sources: list[Source]) -> Iterator[Change]:
    """Deletes the sources that need not stay."""
    for source in sources:
        if not source.stays:
            yield delete(source.path)


def _files(row: ManifestRow, source: Path) -> list[Path]:
    found = [*downloaded_files(source), partial_folder(source)] if is_link(row.source) else [source]
    return [path for path in found if path.exists() or path.is_symlink()]


def _is_output(workspace: Workspace, path: Path) -> bool:
    root, place = workspace.root.resolve(), path.resolve()
    return place.is_relative_to(root) and place.relative_to(root).parts[:1] in {(name,) for name in OUTPUT_FOLDERS}


def _why_it_stays(workspace: Workspace, path: Path, source: Path, shared: set[Path]) -> str:
    root, place = workspace.root.resolve(), path.resolve()
    if place == root or not place.is_relative_to(root):
        return "it lies outside the workspace"
    if source.resolve() in shared:
        return "a clip of somebody else is cut from it too"
    if _is_output(workspace, path):
        return "it is another clip's output"
    if any(other.is_relative_to(place) for other in shared) or (path.is_dir() and place.parent == root):
        return "the folder holds more than this person's source"
    return ""
