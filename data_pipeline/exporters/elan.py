"""ELAN's .eaf: a tier an annotator and dimension, ``DIMENSION@ANNOTATOR``, values from -1 to 1.

Moments of one value that follow each other are one annotation.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from data_pipeline.annotations import INVALID, LIMIT, Trace
from data_pipeline.exporters.grid import regular
from tfrecords.workspace import atomic_path

_TYPE = "rating"


def write_elan(
    entry: str, video: Path, traces: Mapping[str, Mapping[str, Trace]], folder: Path, rate: float
) -> list[Path]:
    """``ENTRY.eaf``; what is marked reads ``invalid``, and where there is no sample there is no annotation."""
    root = ElementTree.Element("ANNOTATION_DOCUMENT", AUTHOR="", DATE="1970-01-01T00:00:00+00:00", FORMAT="3.0")
    root.set("VERSION", "3.0")
    header = ElementTree.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    media = {"MEDIA_URL": video.resolve().as_uri(), "MIME_TYPE": "video/mp4"}
    ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", media | {"RELATIVE_MEDIA_URL": f"./{video.name}"})
    order = ElementTree.SubElement(root, "TIME_ORDER")
    slots: dict[int, str] = {}
    numbers = itertools.count(1)
    for annotator, of_it in traces.items():
        for dimension, trace in of_it.items():
            facts = {"TIER_ID": f"{dimension}@{annotator}", "ANNOTATOR": annotator, "LINGUISTIC_TYPE_REF": _TYPE}
            tier = ElementTree.SubElement(root, "TIER", facts)
            for start, end, text in _runs(trace, rate):
                refs = {
                    f"TIME_SLOT_REF{side}": slots.setdefault(ms, f"ts{len(slots) + 1}")
                    for side, ms in ((1, start), (2, end))
                }
                outer = ElementTree.SubElement(tier, "ANNOTATION")
                inner = ElementTree.SubElement(
                    outer, "ALIGNABLE_ANNOTATION", refs | {"ANNOTATION_ID": f"a{next(numbers)}"}
                )
                ElementTree.SubElement(inner, "ANNOTATION_VALUE").text = text
    for ms in sorted(slots):
        ElementTree.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slots[ms], TIME_VALUE=str(ms))
    kind = {"LINGUISTIC_TYPE_ID": _TYPE, "TIME_ALIGNABLE": "true", "GRAPHIC_REFERENCES": "false"}
    ElementTree.SubElement(root, "LINGUISTIC_TYPE", kind)
    path = folder / f"{entry}.eaf"
    with atomic_path(path) as temporary:
        ElementTree.indent(root)
        ElementTree.ElementTree(root).write(temporary, encoding="UTF-8", xml_declaration=True)
    return [path]


def _runs(trace: Trace, rate: float) -> list[tuple[int, int, str]]:
    """Beginning and end in milliseconds, and what holds between them."""
    seconds, values, marked = regular([trace], rate)
    texts = [
        INVALID if is_marked else "" if np.isnan(value) else f"{value / LIMIT:.3f}"
        for value, is_marked in zip(values[:, 0].tolist(), marked[:, 0].tolist(), strict=True)
    ]
    found = []
    place = 0
    for text, run in itertools.groupby(texts):
        length = len(list(run))
        start, end = (round((seconds[0] + moment / rate) * 1000) for moment in (place, place + length))
        place += length
        if text and end > start:
            found.append((start, end, text))
    return found
