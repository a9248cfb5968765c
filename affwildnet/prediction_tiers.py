"""A prediction as tiers for annotation programs: ELAN's ``.eaf`` and Anvil's ``.anvil`` with its specification.

A tier holds one output of one person; an annotation in it is a stretch of at most `tier_seconds` and tells the mean.
"""

from __future__ import annotations

import dataclasses
import datetime
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from affwildnet.prediction_files import PredictedVideo
from tfrecords.workspace import atomic_path

# ELAN's own names and words for the kinds of tiers below another; a document lists them though it uses none.
_CONSTRAINTS = {
    "Time_Subdivision": "Time subdivision of parent annotation's time interval, no time gaps allowed within this "
    "interval",
    "Symbolic_Subdivision": "Symbolic subdivision of a parent annotation. Annotations refering to the same parent are "
    "ordered",
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps are allowed",
}
_MIME = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".mpg": "video/mpeg"}


@dataclasses.dataclass
class Stretch:
    """A person in unbroken view from `begin` to `end` seconds, and the means of the outputs."""

    track: int
    begin: float
    end: float
    values: np.ndarray
    frames: int = 1


def stretches(video: PredictedVideo) -> Iterator[Stretch]:
    """Everyone's stretches as they end; they begin anew at multiples of `tier_seconds` and where a person was away."""
    going: dict[int, Stretch] = {}
    length = 1 / video.frame_rate
    for row in video.store.rows():
        if not row.track:
            continue
        now = going.get(row.track)
        begin = int(row.seconds / video.tier_seconds + 1e-6)
        if now is not None and (
            row.seconds - now.end > 0.5 * length or int(now.begin / video.tier_seconds + 1e-6) != begin
        ):
            yield dataclasses.replace(now, values=now.values / now.frames)
            now = None
        if now is None:
            going[row.track] = Stretch(row.track, row.seconds, row.seconds + length, np.array(row.values))
        else:
            now.end, now.values, now.frames = row.seconds + length, now.values + row.values, now.frames + 1
    for now in going.values():
        yield dataclasses.replace(now, values=now.values / now.frames)


def write_elan(video: PredictedVideo, path: Path) -> None:
    """ELAN's annotation document, format 3.0; the media file is named absolutely and relative to it."""
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    root = ET.Element("ANNOTATION_DOCUMENT", AUTHOR="affwildnet", DATE=now, FORMAT="3.0", VERSION="3.0")
    root.set("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
    root.set("xsi:noNamespaceSchemaLocation", "http://www.mpi.nl/tools/elan/EAFv3.0.xsd")
    header = ET.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if video.is_file:
        media = Path(video.place).absolute()
        mime = _MIME.get(media.suffix.lower(), "video/x-unknown")
        ET.SubElement(
            header,
            "MEDIA_DESCRIPTOR",
            MEDIA_URL=media.as_uri(),
            MIME_TYPE=mime,
            RELATIVE_MEDIA_URL=_relative(media, path.parent.absolute()),
        )
    tiers: dict[str, list[tuple[int, int, str]]] = {}
    owners: dict[str, str] = {}
    for one in stretches(video):
        for name, value in zip(video.outputs, one.values, strict=True):
            tier = f"{video.person(one.track)} {name}"
            owners[tier] = video.person(one.track)
            tiers.setdefault(tier, []).append((round(1000 * one.begin), round(1000 * one.end), f"{value:+.3f}"))
    times = sorted({time for told in tiers.values() for begin, end, _ in told for time in (begin, end)})
    slots = {time: f"ts{number}" for number, time in enumerate(times, start=1)}
    order = ET.SubElement(root, "TIME_ORDER")
    for time, slot in slots.items():
        ET.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(time))
    number = 0
    for tier, told in tiers.items():
        part = ET.SubElement(
            root, "TIER", LINGUISTIC_TYPE_REF="affect", TIER_ID=tier, PARTICIPANT=owners[tier], ANNOTATOR="affwildnet"
        )
        for begin, end, text in told:
            number += 1
            places = {"TIME_SLOT_REF1": slots[begin], "TIME_SLOT_REF2": slots[end]}
            annotation = ET.SubElement(part, "ANNOTATION")
            aligned = ET.SubElement(annotation, "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": f"a{number}", **places})
            ET.SubElement(aligned, "ANNOTATION_VALUE").text = text
    ET.SubElement(header, "PROPERTY", NAME="lastUsedAnnotationId").text = str(number)
    ET.SubElement(
        root, "LINGUISTIC_TYPE", GRAPHIC_REFERENCES="false", LINGUISTIC_TYPE_ID="affect", TIME_ALIGNABLE="true"
    )
    for name, words in _CONSTRAINTS.items():
        ET.SubElement(root, "CONSTRAINT", DESCRIPTION=words, STEREOTYPE=name)
    _write(root, path)


def write_anvil(video: PredictedVideo, path: Path, specification: Path) -> None:
    """Anvil's annotation, and the specification of its tracks: a group a person, a primary track an output."""
    root, spec = ET.Element("annotation"), ET.Element("annotation-spec")
    head = ET.SubElement(root, "head")
    ET.SubElement(head, "specification", src=specification.name)
    ET.SubElement(head, "video", src=str(Path(video.place).absolute()) if video.is_file else video.place)
    body = ET.SubElement(root, "body")
    ET.SubElement(spec, "head")
    groups = ET.SubElement(spec, "body")
    tracks: dict[tuple[int, str], ET.Element] = {}
    counts: dict[tuple[int, str], int] = {}
    for one in stretches(video):
        person = video.person(one.track)
        if (one.track, video.outputs[0]) not in tracks:
            group = ET.SubElement(groups, "group", name=person)
            for name in video.outputs:
                tracks[one.track, name] = ET.SubElement(body, "track", name=f"{person}.{name}", type="primary")
                track = ET.SubElement(group, "track-spec", name=name, type="primary")
                ET.SubElement(track, "attribute", name="value", valuetype="String")
        for name, value in zip(video.outputs, one.values, strict=True):
            place = one.track, name
            index = counts[place] = counts.get(place, -1) + 1
            times = {"start": f"{one.begin:.4f}", "end": f"{one.end:.4f}"}
            element = ET.SubElement(tracks[place], "el", {"index": str(index), **times})
            ET.SubElement(element, "attribute", name="value").text = f"{value:+.3f}"
    _write(spec, specification)
    _write(root, path)


def _relative(media: Path, folder: Path) -> str:
    # ELAN's are with slashes on every system, and begin with a dot.
    up = [each for each in (folder, *folder.parents) if media.is_relative_to(each)]
    if not up:
        return media.as_uri()
    steps = "../" * len(folder.relative_to(up[0]).parts)
    return f"./{steps}{media.relative_to(up[0]).as_posix()}"


def _write(root: ET.Element, path: Path) -> None:
    ET.indent(root)
    with atomic_path(path) as temporary:
        ET.ElementTree(root).write(temporary, encoding="UTF-8", xml_declaration=True)
