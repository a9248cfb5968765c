"""Annotations of ELAN (MPI for Psycholinguistics): its .eaf files, and its export as tab-delimited text.

A tier is one annotator's rating of one dimension; an annotation holds its number from its beginning to its end.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import numpy as np

from data_pipeline.annotations import DIMENSIONS, INVALID, NO_VALUE, Trace, scale_values
from data_pipeline.decode import FRAME_RATE
from data_pipeline.importers.database import Database, FoundClip, ImportedClip, ImportOptions, Person
from data_pipeline.importers.frames import OFF_SCALE
from data_pipeline.importers.videos import videos_by_name
from tfrecords.errors import InputError

ANNOTATOR = "elan"  # where neither the tier nor the folder names one
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


@dataclasses.dataclass(frozen=True)
class Held:
    """A number, or a word, that holds from `start` to `end` (seconds) on a tier."""

    tier: str
    annotator: str
    start: float
    end: float
    text: str


def _find(folder: Path, options: ImportOptions) -> Iterator[FoundClip]:
    videos = videos_by_name(Path(options.videos or folder))
    files: dict[str, list[Path]] = collections.defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".eaf", ".txt", ".tsv") and path.is_file():
            files[_clip_name(path)].append(path)
    for name, of_clip in files.items():
        yield FoundClip(name, functools.partial(_load, folder, name, of_clip, videos, options))


def _clip_name(path: Path) -> str:
    """What the .eaf names as its medium, or the entry of it that the file is called after, else the file's own name."""
    if path.suffix.lower() == ".eaf":
        try:
            media = ElementTree.parse(path).getroot().find(".//MEDIA_DESCRIPTOR")
        except ElementTree.ParseError:
            return path.stem  # told when it is loaded
        if media is not None:
            named = urlsplit(media.get("RELATIVE_MEDIA_URL") or media.get("MEDIA_URL") or "").path
            clip = PurePosixPath(unquote(named).replace("\\", "/")).stem
            return path.stem if not clip or path.stem in (f"{clip}-p1", f"{clip}-p2") else clip
    return path.stem


def _load(folder: Path, name: str, files: list[Path], videos: dict[str, Path], options: ImportOptions) -> ImportedClip:
    counts: collections.Counter[str] = collections.Counter()
    traces: dict[str, dict[str, Trace]] = collections.defaultdict(dict)
    for path in files:
        relative = path.relative_to(folder).parts
        tiers: dict[tuple[str, str], list[Held]] = collections.defaultdict(list)
        for held in _read_eaf(path) if path.suffix.lower() == ".eaf" else _read_text(path):
            dimension, annotator = _meaning(held, options)
            if dimension:
                tiers[annotator or (relative[0] if len(relative) > 1 else ANNOTATOR), dimension].append(held)
        for (annotator, dimension), spans in tiers.items():
            if dimension in traces[annotator]:
                what = f"{annotator} has another annotation of {dimension} for {name}"
                raise InputError(path, what, "name the annotator in the tier's attributes, or as valence@NAME")
            traces[annotator][dimension] = _trace(path, spans, options, counts)
    if not any(traces.values()):
        what = "no tier is called after a dimension"
        raise InputError(files[0], what, "name the tiers valence and arousal (or valence@NAME), or give --dimension")
    return ImportedClip(videos.get(name), (Person(name, dict(traces)),), counts=counts)


def _meaning(held: Held, options: ImportOptions) -> tuple[str, str]:
    """Dimension and annotator of a tier, '' for what is not told: ``valence``, ``valence@anna``, ``anna_arousal``."""
    words = [word for word in re.split(r"[@\s_-]+", held.tier) if word]
    dimension = next((word.lower() for word in words if word.lower() in DIMENSIONS), "")
    if not dimension:
        return options.dimension if options.dimension in (held.tier.lower(), words[0].lower()) else "", ""
    named = held.tier.partition("@")[2] or "_".join(word for word in words if word.lower() != dimension)
    return dimension, held.annotator or named


def _read_eaf(path: Path) -> Iterator[Held]:
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise InputError(path, f"this is no file of ELAN ({error})", "save it again") from None
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    for tier in root.iter("TIER"):
        for annotation in tier.iter("ALIGNABLE_ANNOTATION"):
            times = [slots.get(annotation.get(f"TIME_SLOT_REF{end}")) for end in (1, 2)]
            text = (annotation.findtext("ANNOTATION_VALUE") or "").strip()
            try:
                start, end = (int(time or "") / 1000 for time in times)
            except ValueError:
                what = f"an annotation of the tier {tier.get('TIER_ID')} ({text[:30]!r}) has no time"
                raise InputError(path, what, "align it in ELAN") from None
            yield Held(tier.get("TIER_ID") or "", tier.get("ANNOTATOR") or "", start, end, text)


def _read_text(path: Path) -> Iterator[Held]:
    """Rows of tier, (participant), times and value; times as h:mm:ss.fff, seconds or milliseconds, begin before end."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        words = line.split("\t")
        if not line.strip() or line.startswith('"#') or (number == 1 and not any(map(_time, words[1:-1]))):
            continue  # a header, or what ELAN tells of the file
        found = [kind_and_seconds for kind_and_seconds in map(_time, words[1:-1]) if kind_and_seconds]
        same = [seconds for kind, seconds in found if kind == found[0][0]] if found else []
        if len(same) < 2:
            what = f"{line[:60]!r} is not a tier, a beginning, an end and a value, with tabs between"
            raise InputError(path, what, "export tier names, begin and end times in ELAN", number)
        yield Held(words[0].strip(), "", same[0], same[1], words[-1].strip())


def _time(word: str) -> tuple[str, float] | None:
    word = word.strip()
    clock = _CLOCK.fullmatch(word)
    if clock:
        return "clock", int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3])
    if re.fullmatch(r"\d+\.\d+", word):
        return "seconds", float(word)
    return ("milliseconds", int(word) / 1000) if re.fullmatch(r"\d+", word) else None


def _trace(path: Path, spans: Iterable[Held], options: ImportOptions, counts: collections.Counter[str]) -> Trace:
    """Samples where each span begins and, as long as it holds, at the clip's frames."""
    stamps: list[float] = []
    values: list[float] = []
    for held in sorted(spans, key=lambda one: one.start):
        if stamps and held.start <= stamps[-1]:
            what = f"annotations of the tier {held.tier} overlap at {held.start:.3f} s"
            raise InputError(path, what, "mend them in ELAN")
        try:
            value = float("nan") if held.text.lower() in ("", INVALID, "nan") else float(held.text.replace(",", "."))
        except ValueError:
            what = f"{held.text[:40]!r} at {held.start:.3f} s of the tier {held.tier} is no number"
            raise InputError(path, what, "mend it in ELAN") from None
        frames = np.arange(np.floor(held.start * FRAME_RATE) + 1, np.ceil(held.end * FRAME_RATE)) / FRAME_RATE
        # Times are told in milliseconds; a frame that lies that near to an end is the next one's.
        inside = frames[(frames > held.start + 0.0015) & (frames < held.end - 0.0015)].tolist()
        stamps += [held.start, *inside]
        values += [value] * (1 + len(inside))
    scaled = scale_values(values, options.low, options.high)
    counts[OFF_SCALE] += int(np.sum(scaled == NO_VALUE))
    return Trace(np.round(np.array(stamps, np.float64), 6), scaled)


DATABASE = Database(
    title="annotations of ELAN",
    layout=".eaf files, or tab-delimited text, with tiers called after the dimensions, and the videos that they name",
    licence="as you agreed with your annotators",
    citation="H. Sloetjes, P. Wittenburg: Annotation by category: ELAN and ISO DCR. LREC, 2008",
    find=_find,
    annotations_only=True,
)
