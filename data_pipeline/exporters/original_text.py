"""The original's text files, ``seconds value`` a line; what is marked invalid it had no word for, and is left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data_pipeline.annotations import Trace, write_trace


def write_text_files(
    entry: str, video: Path, traces: Mapping[str, Mapping[str, Trace]], folder: Path, rate: float
) -> list[Path]:
    """``ANNOTATOR/DIMENSION/ENTRY.txt``, with the annotation's own stamps, whatever `rate` says."""
    written = []
    for annotator, of_it in traces.items():
        for dimension, trace in of_it.items():
            if trace.valid.any():
                path = folder / annotator / dimension / f"{entry}.txt"
                write_trace(path, Trace(trace.stamps[trace.valid], trace.values[trace.valid]))
                written.append(path)
    return written
