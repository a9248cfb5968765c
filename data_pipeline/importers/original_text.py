"""The thesis's own annotation files: a text file a video and dimension, ``seconds value`` a line, -1000 to 1000.

Folders and names differ from one annotator's disk to the next, so a path tells what it can: the dimension is a word of
the file's name or its folder's, the annotator the first folder, the clip what is left.
"""

from __future__ import annotations

import collections
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from data_pipeline.annotations import DIMENSIONS, Trace, read_trace
from data_pipeline.importers.database import Database, FoundClip, ImportedClip, ImportOptions, Person
from data_pipeline.importers.videos import videos_by_name
from data_pipeline.manifest import VIDEO_SUFFIXES
from tfrecords.errors import InputError

ANNOTATOR = "original"  # of files that lie in no annotator's folder
_WORD = re.compile(rf"(?<![a-z])({'|'.join(DIMENSIONS)})(?![a-z])", re.IGNORECASE)


def _find(folder: Path, options: ImportOptions) -> Iterator[FoundClip]:
    videos = videos_by_name(Path(options.videos or folder))
    files: dict[str, list[tuple[str, str, Path]]] = collections.defaultdict(list)
    for path in sorted(path for path in folder.rglob("*.txt") if path.is_file()):
        told = read_path(path.relative_to(folder).parts, options.dimension)
        if told:
            annotator, clip, dimension = told
            files[clip].append((annotator, dimension, path))
    for name, of_clip in files.items():
        yield FoundClip(name, functools.partial(_load, name, of_clip, videos))


def read_path(parts: tuple[str, ...], dimension: str = "") -> tuple[str, str, str] | None:
    """Annotator, clip and dimension of a file by its path below the folder, or None where it names no dimension.

    ``ANNA/valence/12.txt``, ``ANNA/12_valence.txt`` and ``ANNA/12/valence.txt`` say the same. `dimension` is that of
    files that name none.
    """
    folders, stem = list(parts[:-1]), parts[-1].rpartition(".")[0]
    if stem.rpartition(".")[2].isdigit() and stem.rpartition(".")[0].lower() in DIMENSIONS:
        return None  # an earlier pass, valence.1.txt
    found = _WORD.search(stem)
    if found:
        dimension, stem = found[1].lower(), (stem[: found.start()] + stem[found.end() :]).strip(" ._-")
    else:
        named = [part for part in folders if part.lower() in DIMENSIONS]
        if named:
            dimension = named[-1].lower()
            folders.remove(named[-1])
    if not stem:
        stem = folders.pop() if folders else ""
    base, dot, suffix = stem.rpartition(".")
    clip = base if dot and f".{suffix.lower()}" in VIDEO_SUFFIXES else stem
    if not clip or not dimension:
        return None
    return folders[0] if folders else ANNOTATOR, clip, dimension


def _load(name: str, files: list[tuple[str, str, Path]], videos: dict[str, Path]) -> ImportedClip:
    traces: dict[str, dict[str, Trace]] = collections.defaultdict(dict)
    for annotator, dimension, path in files:
        if dimension in traces[annotator]:
            what = f"{annotator} has another annotation of {dimension} for {name}"
            raise InputError(path, what, "put each annotator's files into a folder of their name")
        traces[annotator][dimension] = read_trace(path)
    return ImportedClip(videos.get(name), (Person(name, dict(traces)),))


DATABASE = Database(
    title="annotations of the original's program",
    layout="text files 'seconds value', a folder an annotator, whose names tell clip and dimension",
    licence="as you agreed with your annotators",
    citation="S. Zafeiriou et al.: Aff-Wild: valence and arousal 'in-the-wild' challenge. CVPR Workshops, 2017",
    find=_find,
    annotations_only=True,
)
