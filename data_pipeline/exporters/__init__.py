"""Forms in which annotations leave a workspace by name, a file each; each is what the importer of its name reads.

A new form is a new file with a function ``write(entry, video, traces, folder, rate)`` and a line here. It returns the
files that it wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from data_pipeline.annotations import Trace
from data_pipeline.exporters import carma, elan, original_text

# entry, its clip's video, annotator -> dimension -> annotation, folder, samples a second
Exporter = Callable[[str, Path, Mapping[str, Mapping[str, Trace]], Path, float], list[Path]]

EXPORTERS: dict[str, Exporter] = {
    "carma": carma.write_carma,
    "darma": carma.write_darma,
    "elan": elan.write_elan,
    "original_text": original_text.write_text_files,
}
