"""Shows what is in record files: ``python -m tfrecords.inspect --workspace=W``, or names of files and folders.

Prints a line a file, writes a picture of each and ``records.csv``; ``--verify`` reads every record and names what is
truncated, corrupt, changed or out of range. Files without a sidecar are read as the original's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from tfrecords import options
from tfrecords.corrupt import Damage
from tfrecords.errors import InputError
from tfrecords.index import RecordFile, open_record
from tfrecords.options import option
from tfrecords.sidecar import sidecar_path
from tfrecords.workspace import Workspace, read_csv, write_csv

_MOST_TOLD = 4  # labels in a line of the terminal
PROBLEM_COLUMNS = ("file", "record", "frame", "what")


@dataclasses.dataclass(frozen=True)
class InspectOptions:
    """What is looked at, and where the findings go."""

    workspace: str = option("", "workspace folder; its records are looked at where no file is named")
    entries: tuple[str, ...] = option((), "entries of the workspace; by default all of partition.csv")
    output: str = option("", "folder of records.csv and the pictures; by default W/inspect, or build/inspect")
    plots: bool = option(True, "write a picture a file")
    verify: bool = option(False, "read every record, check it, and write problems.csv; exit code 1 if there are any")


def describe(file: RecordFile) -> dict[str, Any]:
    """A row of ``records.csv``: what the sidecar, or a walk over the file, says."""
    made, steps = file.sidecar, np.diff(file.frames)
    row: dict[str, Any] = {"entry": made.entry, "file": str(file.path), "records": len(file.frames)}
    row |= {"first_frame": int(file.frames[0]), "last_frame": int(file.frames[-1]), "gaps": made.gaps}
    row |= {"longest_gap": int(steps.max() - 1) if len(steps) else 0, "profile": made.profile}
    row |= {"encoding": made.encoding, "size": made.size, "bytes": int(file.offsets[-1])}
    for name, (low, high) in made.ranges.items():
        row |= {f"{name}_min": low, f"{name}_max": high}
    return row | {"synthetic": made.synthetic, "sidecar": sidecar_path(file.path).exists()}


def draw(file: RecordFile, path: Path) -> None:
    """Writes the picture of a file; a damaged record is fatal."""
    from tfrecords.inspection_plot import FACES, plot_record
    from tfrecords.loader import load_batches, read_labels

    names = file.sidecar.labels
    labels = dict(zip(names, read_labels(file, names).T, strict=True))
    chosen = np.unique(np.linspace(0, len(file.frames) - 1, FACES).astype(int))
    rows = np.array([[0, record, 1] for record in chosen])
    (batch,) = load_batches([file], lambda: iter([rows]), 1, names)
    faces = (
        {int(file.frames[n]): batch["faces"].numpy()[k, 0] for k, n in enumerate(chosen)} if "faces" in batch else {}
    )
    plot_record(path, file, labels, faces)


def find_records(words: Sequence[str], chosen: InspectOptions) -> list[Path]:
    """Record files named, those in folders named, or those of the workspace's entries."""
    if not words:
        if not chosen.workspace:
            raise InputError("--workspace", "nothing is named", "give --workspace, or record files and folders")
        workspace = Workspace(Path(chosen.workspace))
        entries = chosen.entries or [row["entry"] for row in read_csv(workspace.partition, ("entry",))]
        return [workspace.record(entry) for entry in entries]
    paths = []
    for word in words:
        found = sorted(Path(word).glob("*.tfrecords")) if Path(word).is_dir() else [Path(word)]
        if not found or not found[0].exists():
            raise InputError(word, "there is no record file", "name files or folders of *.tfrecords")
        paths += found
    return paths


def main(argv: list[str]) -> int:
    chosen = options.from_flags(InspectOptions)
    paths = find_records(argv[1:], chosen)
    output = Path(chosen.output or (Path(chosen.workspace) if chosen.workspace else Path("build")) / "inspect")
    rows: list[dict[str, Any]] = []
    problems: list[Damage] = []
    damaged = 0
    for path in tqdm(paths, desc="inspect", unit="file"):
        if chosen.verify:
            from tfrecords.verify import verify_record  # it needs TensorFlow

            problems += verify_record(path)
        try:
            file = open_record(path, sidecar=sidecar_path(path).exists())
            rows.append(describe(file))
            tqdm.write(_sentence(rows[-1]))
            if chosen.plots:
                draw(file, output / f"{file.entry}.png")
        except InputError as error:
            tqdm.write(f"damaged: {error}")
            damaged += 1
    if rows:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        write_csv(output / "records.csv", columns, rows)
    if chosen.verify:
        for problem in problems:
            print(problem)
        told = [(str(found.path), found.record, found.frame, found.what) for found in problems]
        write_csv(
            output / "problems.csv", PROBLEM_COLUMNS, [dict(zip(PROBLEM_COLUMNS, row, strict=True)) for row in told]
        )
        print(f"{len(problems)} problems in {len(paths)} files")
    print(f"written to {output}")
    return 1 if problems or damaged else 0


def _sentence(row: dict[str, Any]) -> str:
    told = [f"{name[:-4]} {row[name]:.3f} to {row[name[:-4] + '_max']:.3f}" for name in row if name.endswith("_min")]
    more = f" and {len(told) - _MOST_TOLD} further labels" if len(told) > _MOST_TOLD else ""
    ranges = ", ".join(told[:_MOST_TOLD]) + more
    frames = f"{row['records']} records, frames {row['first_frame']} to {row['last_frame']}, {row['gaps']} gaps"
    longest = f" (longest {row['longest_gap']} frames)" if row["gaps"] else ""
    kind = f"{row['encoding']} {row['size']}, profile {row['profile']}" + ("" if row["sidecar"] else ", no sidecar")
    return f"{row['entry']}: {frames}{longest}; {ranges}; {kind}, {row['bytes'] / 2**20:.1f} MiB"


def run() -> None:
    options.run_main(main, InspectOptions, takes_arguments=True)


if __name__ == "__main__":
    run()
