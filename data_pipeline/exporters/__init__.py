"""Forms in which annotations leave a workspace by name, a file each; each is what the importer of its name reads.

Of dimensions other than valence and arousal DARMA's form holds nothing; the others hold all, and their importers read a
further one when it is named (``--dimension``).

A new form is a new file with a function ``write(entry, video, traces, folder, rate)`` and a line here. It returns the
files that it wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from data_pipeline.annotations import DIMENSIONS, Trace
from data_pipeline.exporters import carma, elan, original_text

# entry, its clip's video, annotator -> dimension -> annotation, folder, samples a second
Exporter = Callable[[str, Path, Mapping[str, Mapping[str, Trace]], Path, float], list[Path]]

EXPORTERS: dict[str, Exporter] = {
    "carma": carma.write_carma,
    "darma": carma.write_darma,
    "elan": elan.write_elan,
    "original_text": original_text.write_text_files,
}

# What a form's file must hold of an annotator and entry, and all that it can; other forms take whatever there is.
WHOLE: dict[str, tuple[str, ...]] = {"darma": DIMENSIONS}
