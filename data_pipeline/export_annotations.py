"""Writes annotations for other programs: ``python -m data_pipeline.export_annotations``."""

from __future__ import annotations

import collections
import dataclasses
from pathlib import Path

from tqdm import tqdm

from data_pipeline.annotations import Trace, find_annotators, find_dimensions, read_trace
from data_pipeline.exporters import EXPORTERS, WHOLE
from data_pipeline.manifest import read_manifest
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace

_MOST_TOLD = 20  # annotations that were left out


@dataclasses.dataclass(frozen=True)
class ExportAnnotationsOptions:
    """What is written, and where to."""

    workspace: str = option("", "workspace folder")
    to: str | None = option(None, "form that is written, see WORKSPACE.md", choices=sorted(EXPORTERS))
    folder: str = option("", "folder to write to")
    annotators: tuple[str, ...] = option((), "whose annotations; by default everybody's")
    entries: tuple[str, ...] = option((), "of which entries; by default of all")
    samples_per_second: float = option(
        30.0, "carma, darma, elan: samples a second; CARMA's own default is 1", at_least=0.01, at_most=1000
    )


@dataclasses.dataclass
class Exported:
    """The files that were written, and what the form has no place for, ``ANNOTATOR/ENTRY: DIMENSION …`` each."""

    files: list[Path] = dataclasses.field(default_factory=list)
    left_out: list[str] = dataclasses.field(default_factory=list)


def export_annotations(workspace: Workspace, chosen: ExportAnnotationsOptions, folder: Path) -> Exported:
    """Writes the annotations of all entries that have any.

    Raises:
      InputError: nothing was annotated, an entry is not in the manifest, or a bad annotation.
    """
    names = {entry: row for row in read_manifest(workspace) for entry in row.entries()}
    unknown = sorted(set(chosen.entries) - set(names))
    if unknown:
        raise InputError(workspace.manifest, f"there is no entry {unknown[0]}", "name entries of the manifest")
    write = EXPORTERS[chosen.to or ""]
    done = Exported()
    for entry in tqdm([name for name in names if not chosen.entries or name in chosen.entries], unit="entry"):
        traces = _read_traces(workspace, entry, chosen.annotators)
        if traces:
            done.files += write(entry, workspace.clip(names[entry].clip), traces, folder, chosen.samples_per_second)
            done.left_out += _left_out(chosen.to or "", entry, traces)
    if not done.files:
        what = "there is no annotation to export"
        if done.left_out:
            what = f"{chosen.to} has no place for any of {len(done.left_out)} annotations: {done.left_out[0]}"
        raise InputError(workspace.annotations, what, "annotate, or name others")
    return done


def _left_out(form: str, entry: str, traces: dict[str, dict[str, Trace]]) -> list[str]:
    whole = WHOLE.get(form)
    if not whole:
        return []
    found = []
    for annotator, of_it in traces.items():
        lost = [name for name in of_it if name not in whole or not all(other in of_it for other in whole)]
        if lost:
            found.append(f"{annotator}/{entry}: {' '.join(lost)}")
    return found


def _read_traces(workspace: Workspace, entry: str, annotators: tuple[str, ...]) -> dict[str, dict[str, Trace]]:
    found: dict[str, dict[str, Trace]] = collections.defaultdict(dict)
    for annotator in find_annotators(workspace, entry):
        for dimension in find_dimensions(workspace, entry):
            path = workspace.annotations / annotator / entry / f"{dimension}.txt"
            if path.exists() and (not annotators or annotator in annotators):
                found[annotator][dimension] = read_trace(path)
    return found


def main(argv: list[str]) -> int:
    chosen = options.from_flags(ExportAnnotationsOptions)
    if not chosen.workspace or not chosen.to or not chosen.folder:
        remedy = f"name the form ({', '.join(sorted(EXPORTERS))}) and the two folders"
        raise InputError("--workspace, --to and --folder", "all three are needed", remedy)
    folder = Path(chosen.folder)
    done = export_annotations(Workspace(Path(chosen.workspace)), chosen, folder)
    print(f"{len(done.files)} files in {folder}")
    if done.left_out:
        needs = " and ".join(WHOLE[chosen.to])
        print(f"left out, as a file of {chosen.to} holds {needs} and no other: {len(done.left_out)}")
        for line in done.left_out[:_MOST_TOLD]:
            print(f"  {line}")
        if len(done.left_out) > _MOST_TOLD:
            print(f"  and {len(done.left_out) - _MOST_TOLD} more")
    return 0


if __name__ == "__main__":
    options.run_main(main, ExportAnnotationsOptions)
