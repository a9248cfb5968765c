"""``corrections.csv``: what a person says about who is who, over what a filter chose."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from data_pipeline.filters.clip_faces import NOBODY, Choice, ClipFaces
from data_pipeline.filters.clip_tracks import clip_tracks
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_numbered_csv

COLUMNS = ("entry", "from_frame", "to_frame", "take", "sheet")
_TAKE = re.compile(r"none|face \d{1,6}|track( \d{1,6})+")


@dataclasses.dataclass(frozen=True)
class Correction:
    """From frame `first` to `last`, both included, the entry's face is of these tracks, or this detection, or none.

    `take` is ``none``, ``face`` or ``track``; `numbers` are detections from 0 or tracks from 1; `sheet` says which
    contact sheet the tracks' numbers are from; `last` is None up to the clip's end.
    """

    entry: str
    first: int
    last: int | None
    take: str
    numbers: tuple[int, ...]
    sheet: str
    line: int = dataclasses.field(compare=False)


def clip_corrections(workspace: Workspace, entries: Collection[str]) -> list[Correction]:
    """The corrections of one clip's entries, in the file's order; none where there is no file.

    Raises:
      InputError: naming the line of the file's first fault, whichever clip it is about.
    """
    path = workspace.corrections
    if not path.exists():
        return []
    known = path.stat()
    return [row for row in _read(path, known.st_mtime_ns, known.st_size) if row.entry in entries]


def check_corrections(workspace: Workspace, entries: Collection[str]) -> None:
    """Raises `InputError` for the first fault of ``corrections.csv``, an entry that is not among `entries` included."""
    if not workspace.corrections.exists():
        return
    known = workspace.corrections.stat()
    for row in _read(workspace.corrections, known.st_mtime_ns, known.st_size):
        if row.entry not in entries:
            what = f"column 'entry': the manifest makes no entry {row.entry!r}"
            raise InputError(
                workspace.corrections, what, "write CLIP, or CLIP-p1 and CLIP-p2 of two subjects", row.line
            )


@functools.lru_cache(maxsize=4)
def _read(path: Path, changed: int, size: int) -> tuple[Correction, ...]:
    """All rows; read again only when the file has changed, for every clip asks."""
    return tuple(_correction(path, line, row) for line, row in read_numbered_csv(path, COLUMNS[:4]))


def _correction(path: Path, line: int, row: dict[str, str]) -> Correction:
    if not row["entry"].strip():
        raise InputError(path, "column 'entry' is empty", "name the entry whose face it is", line)
    first = _frame(path, line, row, "from_frame") or 1
    last = _frame(path, line, row, "to_frame")
    if last is not None and last < first:
        raise InputError(path, f"the frames end at {last}, before they begin at {first}", "mend the row", line)
    take = " ".join(row["take"].split()).lower()
    if not _TAKE.fullmatch(take):
        remedy = "write 'track 3', 'track 3 5', 'face 1' or 'none'"
        raise InputError(path, f"column 'take': {take[:40]!r} is no choice", remedy, line)
    word, *numbers = take.split()
    sheet = row.get("sheet", "").strip()
    return Correction(row["entry"].strip(), first, last, word, tuple(map(int, numbers)), sheet, line)


def _frame(path: Path, line: int, row: dict[str, str], column: str) -> int | None:
    text = row[column].strip()
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}", text) or int(text) < 1:
        raise InputError(path, f"column {column!r}: {text[:40]!r} is no frame", "frames count from 1", line)
    return int(text)


def sheet_code(clip: ClipFaces) -> str:
    """Eight letters that change with the clip's detections, and so with the numbers of its tracks."""
    digest = hashlib.sha256()
    for found in clip.frames:
        digest.update(np.array([found.frame, len(found)], np.int64).tobytes())
        digest.update(np.round(found.boxes, 1).tobytes())
    return digest.hexdigest()[:8]


def correct_choices(
    path: Path,
    clip: ClipFaces,
    entries: Sequence[str],
    choices: Sequence[Sequence[Choice]],
    corrections: Sequence[Correction],
) -> list[list[Choice]]:
    """A filter's `choices` (a row a frame, an entry each) with `corrections` carried out, later rows over earlier ones.

    Within a row's frames the entry has the faces of the named tracks, or the detection of that number, and where they
    are not seen none. A face that is so given to one entry is taken from the other.

    Raises:
      InputError: naming `path` and the line, for a track that there is not, a contact sheet of other detections, or a
        face that is given to two entries.
    """
    corrected = [list(row) for row in choices]
    owners: dict[tuple[int, int], int] = {}  # (frame, entry) -> the line that decided
    tracks = _track_places(path, clip, corrections)
    for row in corrections:
        person = entries.index(row.entry)
        for index, found in enumerate(clip.frames):
            if not row.first <= found.frame <= (found.frame if row.last is None else row.last):
                continue
            face = -1
            if row.take == "face" and row.numbers[0] < len(found):
                face = row.numbers[0]
            for number in row.numbers if row.take == "track" else ():
                face = tracks[number].get(index, face)
            unchanged = corrected[index][person][0] == face
            corrected[index][person] = corrected[index][person] if unchanged else (face, NOBODY[1])
            owners[index, person] = row.line
    for index, chosen in enumerate(corrected):
        for person, other in ((0, 1), (1, 0)) if len(entries) > 1 else ():
            if chosen[person][0] < 0 or chosen[person][0] != chosen[other][0] or (index, person) not in owners:
                continue
            if (index, other) in owners:
                what = f"frame {clip.frames[index].frame}: one face is given to both {entries[0]} and {entries[1]}"
                line = max(owners[index, person], owners[index, other])
                raise InputError(path, what, "give it to one of them", line)
            chosen[other] = NOBODY
    return corrected


def _track_places(path: Path, clip: ClipFaces, corrections: Sequence[Correction]) -> dict[int, dict[int, int]]:
    """Track -> index of the frame -> face; empty where no correction names a track."""
    named = [row for row in corrections if row.take == "track"]
    if not named:
        return {}
    places = {track.number: dict(track.places) for track in clip_tracks(clip)}
    code = sheet_code(clip)
    for row in named:
        if row.sheet and row.sheet != code:
            what = f"the tracks of {row.entry} are from an older contact sheet ({row.sheet}, now {code})"
            raise InputError(path, what, "run python -m data_pipeline.contact_sheet again and choose anew", row.line)
        for number in row.numbers:
            if number not in places:
                what = f"{row.entry} has no track {number}, only 1 to {len(places)}"
                raise InputError(path, what, "take the number from the contact sheet", row.line)
    return places
