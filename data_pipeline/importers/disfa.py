"""DISFA: a video of each of 27 people by two cameras, and intensities of 12 action units in every frame.

What is relied on (M. Mavadati et al. 2013, and programs that read it):

- ``ActionUnit_Labels/SN001/SN001_au1.txt`` …, a file a unit (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26), with a line
  ``frame,intensity`` a frame, frames from 1, intensities from 0 to 5;
- ``Videos_LeftCamera/LeftVideoSN001_comp.avi`` and ``Videos_RightCamera/RightVideoSN001_comp.avi`` (capitals differ),
  20 frames a second; or in their place folders of the frames as images, ``SN001``, ``LeftVideoSN001`` or
  ``LeftVideoSN001_comp``, whose names end with the frame's number, from 1 or from 0.

A clip is one camera's video of a person, who is its subject; intensity k is k / 5.
"""

from __future__ import annotations

import collections
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from data_pipeline.annotations import NO_VALUE, Trace
from data_pipeline.importers.action_units import (
    MISSING_LABELS,
    images_with_labels,
    share_values,
    traces_of_images,
    unit_name,
)
from data_pipeline.importers.database import Database, FoundClip, ImportedClip, ImportOptions, Person
from data_pipeline.importers.folders import folders_below, numbered_images
from data_pipeline.importers.frames import frame_times, trace_of_frames
from data_pipeline.importers.pictures import faces_of_images
from data_pipeline.importers.videos import find_videos
from tfrecords.errors import InputError

HIGHEST = 5
_DEPTH = 3
_LABELS = re.compile(r"(SN[0-9]{3})_au([0-9]{1,2})\.txt", re.IGNORECASE)
_RECORDING = re.compile(r"(?:(left|right)video)?(SN[0-9]{3})(?:_comp)?", re.IGNORECASE)


def _find(folder: Path, options: ImportOptions) -> Iterator[FoundClip]:
    labels: dict[str, dict[str, Path]] = collections.defaultdict(dict)
    for found in folders_below(folder, _DEPTH):
        for path in sorted(found.glob("*_au*.txt")):
            match = _LABELS.fullmatch(path.name)
            if match:
                labels[match[1].upper()][unit_name(int(match[2]))] = path
    recordings = _recordings(Path(options.videos or folder))
    for subject, units in sorted(labels.items()):
        found_of = recordings.get(subject, {})
        for camera, source in sorted(found_of.items()):
            name = f"{subject}_{camera}" if camera else subject
            yield FoundClip(name, functools.partial(_load, subject, camera, source, units, options))
        if not found_of:
            yield FoundClip(subject, functools.partial(_missing, subject, options))


def _recordings(folder: Path) -> dict[str, dict[str, Path]]:
    """Subject -> camera ("left", "right", "" where it is not told) -> video, or without a video folder of images."""
    videos = _by_subject({path: path.stem for path in find_videos(folder)})
    # The labels' folders are called as those of images may be.
    folders = [path for path in folders_below(folder, _DEPTH) if _RECORDING.fullmatch(path.name)]
    return _by_subject({path: path.name for path in folders if numbered_images(path)}) | videos


def _by_subject(names: Mapping[Path, str]) -> dict[str, dict[str, Path]]:
    found: dict[str, dict[str, Path]] = collections.defaultdict(dict)
    for path, name in names.items():
        match = _RECORDING.fullmatch(name)
        if match:
            found[match[2].upper()].setdefault((match[1] or "").lower(), path)
    return found


def _missing(subject: str, options: ImportOptions) -> ImportedClip:
    what = f"there is no video and no folder of images of {subject}"
    raise InputError(options.videos or options.folder, what, "put it there, or name its folder with --videos")


def _load(subject: str, camera: str, source: Path, units: Mapping[str, Path], options: ImportOptions) -> ImportedClip:
    counts: collections.Counter[str] = collections.Counter()
    levels = {unit: read_levels(path) for unit, path in sorted(units.items())}
    notes = f"DISFA, {camera} camera" if camera else "DISFA"
    if source.is_file():
        person = Person(subject, {"disfa": _traces_of_video(frame_times(source), levels, counts)})
        return ImportedClip(source, (person,), notes, counts=counts)
    images = numbered_images(source)
    # Some number their images from 0; labels are always from 1.
    shift = int(0 in images)
    there = images_with_labels(images, levels, shift, counts)
    traces = traces_of_images(list(there), levels, HIGHEST, counts)
    person = Person(subject, {"disfa": traces}, faces_of_images(there, options, counts))
    return ImportedClip(source, (person,), notes, options.crop_margin if options.images == "frames" else 0.0, counts)


def _traces_of_video(
    times: np.ndarray, levels: Mapping[str, Mapping[int, float]], counts: collections.Counter[str]
) -> dict[str, Trace]:
    traces = {}
    for unit, own in levels.items():
        values = np.full(max(own), NO_VALUE, np.int64)
        values[np.array(list(own)) - 1] = share_values(own.values(), HIGHEST)
        # Counted here, and what lies past an end once, not once a unit.
        counts[MISSING_LABELS] += int(np.sum(values == NO_VALUE))
        ends: collections.Counter[str] = collections.Counter()
        traces[unit] = trace_of_frames(times, values, ends)
        for what in ("frames past the last label", "labels past the last frame"):
            counts[what] = max(counts[what], ends[what])
    return traces


def read_levels(path: Path) -> dict[int, float]:
    """Frame (from 1) -> intensity, of a file of ``frame,intensity`` a line; raises `InputError` naming a bad line."""
    levels: dict[int, float] = {}
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        words = line.replace(",", " ").split()
        if not words:
            continue
        try:
            frame, level = int(words[0]), float(words[1])
        except (ValueError, IndexError):
            frame, level = 0, 0.0
        if not 1 <= frame < 10**7 or len(words) != 2:
            raise InputError(path, f"{line[:40]!r} is not 'frame,intensity'", "copy the file again", number)
        levels[frame] = level
    if not levels:
        raise InputError(path, "the file has no values", "copy the file again")
    return levels


DATABASE = Database(
    title="DISFA",
    layout="ActionUnit_Labels/SN001/SN001_au1.txt … and Videos_LeftCamera/LeftVideoSN001_comp.avi … or its images",
    licence="for non-commercial research, from its authors (M. H. Mahoor, University of Denver), by an agreement; not "
    "public",
    citation=(
        "S. M. Mavadati, M. H. Mahoor, K. Bartlett, P. Trinh, J. F. Cohn: DISFA: A Spontaneous Facial Action Intensity "
        "Database. IEEE Transactions on Affective Computing 4(2), 2013"
    ),
    find=_find,
)
