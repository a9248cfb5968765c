"""A page a clip on which a person sees who was chosen, and mends it: ``python -m data_pipeline.contact_sheet``."""

from __future__ import annotations

import base64
import dataclasses
import importlib.resources
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import jinja2
import numpy as np
from tqdm import tqdm

from data_pipeline.corrections import COLUMNS, sheet_code
from data_pipeline.decode import FRAME_RATE
from data_pipeline.filters.clip_faces import ClipFaces, open_clip_faces
from data_pipeline.filters.clip_tracks import ClipTrack, clip_tracks
from data_pipeline.filters.people import MIN_FACES, join_tracks
from data_pipeline.manifest import ManifestRow, read_manifest
from tfrecords import options
from tfrecords.crops import encode_jpeg
from tfrecords.detections import read_detections
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv, write_text

CROP_HEIGHT = 96  # of a picture on the page, in pixels
DROPPED_SHOWN = 60


@dataclasses.dataclass(frozen=True)
class ContactSheetOptions:
    """Whose sheets are written."""

    workspace: str = options.option("", "workspace folder with detections")
    clips: tuple[str, ...] = options.option((), "clips whose sheets are written; by default all of the manifest")
    pictures: int = options.option(6, "pictures a track, evenly over its length", at_least=1)


@dataclasses.dataclass(frozen=True)
class Picture:
    """A crop on the page: JPEG as a data URI, and where it is from."""

    source: str
    frame: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class TrackOnSheet:
    """What the page tells of a track; `given` counts its faces that each entry got, `like` are tracks of its person.

    `left` and `wide` are its place on the clip's time line in per cent.
    """

    number: int
    first: int
    last: int
    faces: int
    given: dict[str, int]
    like: tuple[int, ...]
    pictures: tuple[Picture, ...]
    left: float
    wide: float

    @property
    def entry(self) -> str:
        """The entry that got most of it, or ''."""
        return max(self.given, key=lambda entry: self.given[entry], default="")


def write_contact_sheet(workspace: Workspace, row: ManifestRow, pictures: int = 6) -> Path:
    """Writes ``contact_sheets/CLIP.html``, one page that needs no other file and no network; returns its path.

    Each track (as `corrections` counts them) has a row with some crops and the entry that ``faces/ENTRY.csv`` gave it
    to; tracks of a few faces that nobody got stand below. On the page one chooses and copies lines for
    ``corrections.csv``.

    Raises:
      InputError: detections or crops are missing or damaged.
    """
    entries = row.entries()
    _, facts = read_detections(workspace.detections(row.clip))
    with open_clip_faces(workspace, row.clip) as clip:
        tracks = clip_tracks(clip)
        like = {t.number: person.tracks for person in join_tracks(clip, tracks) for t in person.tracks}
        owners = _owners(workspace, entries)
        frames = max(int(facts.get("frames", 0)), clip.frames[-1].frame if clip.frames else 1)
        shown: list[TrackOnSheet] = []
        dropped: list[TrackOnSheet] = []
        for track in tracks:
            given = _given(clip, track, owners)
            short = len(track.places) < MIN_FACES and not given
            if short and len(dropped) >= DROPPED_SHOWN:
                continue
            same = tuple(other.number for other in like[track.number] if other is not track)
            (dropped if short else shown).append(_on_sheet(clip, track, given, same, 1 if short else pictures, frames))
        few = sum(len(track.places) for track in tracks) - sum(sum(_given(clip, t, owners).values()) for t in tracks)
    template = importlib.resources.files("data_pipeline").joinpath("contact_sheet.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["clock"] = _clock
    page = environment.from_string(template).render(
        clip=row.clip,
        entries=entries,
        subjects=dict(zip(entries, row.subjects, strict=False)),
        chosen=[entry for entry in entries if workspace.faces(entry).exists()],
        corrected=workspace.corrections.exists(),
        notice=workspace.database_facts().get("notice", ""),
        header=",".join(COLUMNS),
        sheet=sheet_code(clip),
        tracks=shown,
        dropped=dropped,
        faces_seen=sum(len(found) for found in clip.frames),
        faces_dropped=few,
        dropped_tracks=len(tracks) - len(shown),
        frames_with_faces=len(clip.frames),
        frames=frames,
        seconds=frames / FRAME_RATE,
    )
    path = workspace.contact_sheet(row.clip)
    write_text(path, page)
    return path


def _owners(workspace: Workspace, entries: Sequence[str]) -> dict[tuple[int, int], str]:
    """(frame, face) -> entry, for what has been chosen."""
    return {
        (int(face["frame"]), int(face["face"])): entry
        for entry in entries
        if workspace.faces(entry).exists()
        for face in read_csv(workspace.faces(entry), ("frame", "face"))
    }


def _given(clip: ClipFaces, track: ClipTrack, owners: dict[tuple[int, int], str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for index, face in track.places:
        entry = owners.get((clip.frames[index].frame, face))
        if entry:
            counts[entry] = counts.get(entry, 0) + 1
    return counts


def _on_sheet(
    clip: ClipFaces, track: ClipTrack, given: dict[str, int], like: tuple[int, ...], pictures: int, frames: int
) -> TrackOnSheet:
    first, last = (clip.frames[track.places[place][0]].frame for place in (0, -1))
    # In the middle of equal stretches: a track's first and last faces are its least typical ones.
    count = min(pictures, len(track.places))
    middles = ((np.arange(count) + 0.5) * len(track.places) / count).astype(int).tolist()
    crops = tuple(_picture(clip, *track.places[place]) for place in middles)
    left, wide = 100 * (first - 1) / frames, 100 * (last - first + 1) / frames
    return TrackOnSheet(track.number, first, last, len(track.places), given, like, crops, left, wide)


def _picture(clip: ClipFaces, index: int, face: int) -> Picture:
    crop = clip.frames[index].crop(face)
    width = max(1, min(round(crop.shape[1] * CROP_HEIGHT / crop.shape[0]), 3 * CROP_HEIGHT))
    small = cv2.resize(crop, (width, CROP_HEIGHT), interpolation=cv2.INTER_AREA)
    data = base64.b64encode(encode_jpeg(small, 80)).decode()
    frame = clip.frames[index].frame
    return Picture(f"data:image/jpeg;base64,{data}", frame, (frame - 1) / FRAME_RATE)


def _clock(seconds: float) -> str:
    """``1:05.3``, minutes and seconds."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths % 600 // 10:02d}.{tenths % 10}"


def main(argv: list[str]) -> int:
    chosen = options.from_flags(ContactSheetOptions)
    if not chosen.workspace:
        raise InputError("--workspace", "no workspace is named", "give the folder that holds manifest.csv")
    workspace = Workspace(Path(chosen.workspace))
    rows = read_manifest(workspace)
    unknown = sorted(set(chosen.clips) - {row.clip for row in rows})
    if unknown:
        raise InputError(workspace.manifest, f"there is no clip {unknown[0]}", "name clips of the manifest in --clips")
    rows = [row for row in rows if not chosen.clips or row.clip in chosen.clips]
    refused = 0
    for row in tqdm(rows, unit="clip", desc="contact sheets"):
        try:
            write_contact_sheet(workspace, row, chosen.pictures)
        except InputError as error:
            tqdm.write(f"no sheet: {error}", file=sys.stderr)
            refused += 1
    print(f"{len(rows) - refused} contact sheets in {workspace.root / 'contact_sheets'}")
    return 1 if refused else 0


if __name__ == "__main__":
    options.run_main(main, ContactSheetOptions)
