"""What is to be predicted: the command line's files, folders, patterns, addresses and cameras, one `Source` each."""

from __future__ import annotations

import dataclasses
import functools
import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_pipeline.manifest import ManifestRow, read_manifest
from data_pipeline.new_manifest import VIDEO_SUFFIXES
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace

_ADDRESS = re.compile(r"(rtsps?|https?|rtmp|udp|tcp)://.+")
_CAMERA = re.compile(r"\d{1,3}")
FAILURES = "failures"


@dataclasses.dataclass(frozen=True)
class Source:
    """One video: a file, an address (`kind` "stream") or the number of a camera ("camera").

    `name` is what its files are called, relative to the output folder. Of a clip of a workspace `workspace` is that
    folder and `clip` its name there.
    """

    name: str
    place: str
    kind: str = "file"
    workspace: str = ""
    clip: str = ""

    @property
    def path(self) -> Path:
        return Path(self.place)


def find_sources(arguments: Sequence[str], workspace: str = "") -> list[Source]:
    """The sources that `arguments` name, in their order; without arguments all transcoded clips of `workspace`.

    A file is taken as it is, of a folder the videos in it and below, of a pattern what it matches. A file ``CLIP.mp4``
    in the folder ``clips`` of a workspace whose manifest names it is that clip.

    Raises:
      InputError: an argument is none of these or holds no video, or two sources would write the same files.
    """
    found = [source for argument in arguments for source in _sources(argument)]
    if workspace and not arguments:
        rows = read_manifest(Workspace(Path(workspace)))
        made = [Workspace(Path(workspace)).clip(row.clip) for row in rows]
        found = [Source(path.stem, str(path)) for path in made if path.exists()]
        if not found:
            raise InputError(workspace, "no clip of it is built yet", "run python -m data_pipeline.build first")
    # Workers elsewhere have another working directory.
    found = [
        _in_workspace(dataclasses.replace(source, place=str(source.path.absolute())))
        if source.kind == "file"
        else source
        for source in found
    ]
    _check_names(found)
    return found


def _sources(argument: str) -> Iterator[Source]:
    path = Path(argument)
    if path.is_dir():
        videos = sorted(each for each in path.rglob("*") if each.suffix.lower() in VIDEO_SUFFIXES and each.is_file())
        if not videos:
            remedy = f"use a folder with {', '.join(sorted(VIDEO_SUFFIXES))}"
            raise InputError(argument, "no video was found there", remedy)
        for video in videos:
            yield Source(video.relative_to(path).with_suffix("").as_posix(), str(video))
    elif path.exists():
        yield Source(path.stem, argument)
    elif _ADDRESS.fullmatch(argument):
        yield Source(_name_of_address(argument), argument, "stream")
    elif _CAMERA.fullmatch(argument):
        yield Source(f"camera{argument}", argument, "camera")
    elif glob.has_magic(argument):
        matched = sorted(glob.glob(argument, recursive=True))
        if not matched:
            raise InputError(argument, "no file matches this pattern", "check it")
        for name in matched:
            yield from _sources(name)
    else:
        # Told when it is its turn: one wrong name must not cost the others their prediction.
        yield Source(path.stem or "video", argument)


def _name_of_address(address: str) -> str:
    """Without user, password and query, which are nobody's business in a file's name."""
    place = re.sub(r"^\w+://([^/@]*@)?", "", address).split("?")[0]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", place.rsplit(".", 1)[0] if "/" in place else place).strip("._")[:100]


def clip_row(workspace: str, clip: str) -> ManifestRow | None:
    """The manifest's row of a clip; the manifest is read again only when it has changed, for every clip asks."""
    manifest = Workspace(Path(workspace)).manifest
    facts = manifest.stat()
    return _clip_rows(workspace, facts.st_mtime_ns, facts.st_size).get(clip)


@functools.lru_cache(maxsize=4)
def _clip_rows(workspace: str, changed: int, size: int) -> dict[str, ManifestRow]:
    return {row.clip: row for row in read_manifest(Workspace(Path(workspace)))}


def _in_workspace(source: Source) -> Source:
    path = source.path
    workspace = Workspace(path.parent.parent)
    if path.parent.name != "clips" or path.suffix != ".mp4" or not workspace.manifest.exists():
        return source
    if clip_row(str(workspace.root), path.stem) is None:
        return source
    return dataclasses.replace(source, workspace=str(workspace.root), clip=path.stem)


def _check_names(sources: Sequence[Source]) -> None:
    known: dict[str, Source] = {}
    for source in sources:
        if source.name.lower() == FAILURES:
            what = f"the output folder keeps {FAILURES}.csv for itself"
            raise InputError(source.place, what, "give the video another name")
        other = known.setdefault(source.name.lower(), source)
        if other is not source:
            what = f"its files would replace those of {other.place}"
            raise InputError(source.place, what, "predict them into two --output folders")
