"""Takes the original's record files into a workspace: ``python -m tfrecords.adopt --folder=D --workspace=W``.

Each is verified, linked or copied to ``records/``, and gets a sidecar and a row of ``partition.csv``; then train,
evaluate and test read it like any other. The files themselves are never changed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.index import RecordFile, open_record
from tfrecords.options import option
from tfrecords.sidecar import write_sidecar
from tfrecords.workspace import Workspace, atomic_path, read_csv, write_csv

PARTS = ("train", "validation", "test")
_COLUMNS = ("entry", "clip", "subject", "partition", "frames", "valence", "arousal", "gender", "valence_class")


@dataclasses.dataclass(frozen=True)
class AdoptOptions:
    """Which files, and as what."""

    folder: str = option("", "folder of the original's *.tfrecords, a file a video")
    workspace: str = option("", "workspace folder; may be new")
    partition: str = option("train", "part of the database that these files are", choices=PARTS)
    copy: bool = option(False, "copy the files; otherwise records/ holds links to them, which must stay where they are")


def adopt_record(workspace: Workspace, path: Path, partition: str, copy: bool) -> dict[str, Any]:
    """Verifies one file and takes it in; returns its row of ``partition.csv``. Of its subject only the video is known.

    Raises:
      InputError: it is damaged, or an entry of that name is there from elsewhere.
    """
    from tfrecords.loader import read_labels
    from tfrecords.verify import verify_record

    faults = verify_record(path)
    if faults:
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise InputError(path, f"{faults[0]}{more}", "fetch the file again, or leave it out")
    file = open_record(path, sidecar=False)
    place = workspace.record(file.entry)
    if place.exists() and not place.samefile(path) and _digest(place) != _digest(path):
        raise InputError(place, f"another record is there under the name {file.entry!r}", "use another workspace")
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        if copy:
            with atomic_path(place) as temporary:
                shutil.copyfile(path, temporary)
        else:
            place.unlink(missing_ok=True)
            place.symlink_to(os.path.abspath(path))
    write_sidecar(place, dataclasses.replace(file.sidecar, sha256=_digest(path)))
    return _row(file, read_labels(file, file.sidecar.labels), partition)


def _row(file: RecordFile, labels: np.ndarray, partition: str) -> dict[str, Any]:
    means = dict(zip(file.sidecar.labels, np.round(labels.mean(axis=0, dtype=np.float64), 6).tolist(), strict=True))
    own = {"entry": file.entry, "clip": file.entry, "subject": file.sidecar.subject, "partition": partition}
    return own | {"frames": len(file.frames)} | means


def _digest(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main(argv: list[str]) -> int:
    chosen = options.from_flags(AdoptOptions)
    if not chosen.workspace or not chosen.folder:
        raise InputError("--folder and --workspace", "both are needed", "name the files' and the database's folder")
    workspace, paths = Workspace(Path(chosen.workspace)), sorted(Path(chosen.folder).glob("*.tfrecords"))
    if not paths:
        raise InputError(chosen.folder, "there is no *.tfrecords file in it", "name the folder that holds them")
    rows: list[dict[str, Any]] = list(read_csv(workspace.partition, _COLUMNS)) if workspace.partition.exists() else []
    failed = 0
    for path in tqdm(paths, desc="adopt", unit="file"):
        try:
            row = adopt_record(workspace, path, chosen.partition, chosen.copy)
        except InputError as error:
            failed += 1
            tqdm.write(f"set aside: {error}", file=sys.stderr)
            continue
        rows = [known for known in rows if known["entry"] != row["entry"]] + [row]
        columns = list(dict.fromkeys([*_COLUMNS, *(name for known in rows for name in known)]))
        write_csv(workspace.partition, columns, rows)
    print(f"{len(paths) - failed} of {len(paths)} files are {chosen.partition} records of {workspace.root}")
    return 1 if failed else 0


def run() -> None:
    options.run_main(main, AdoptOptions)


if __name__ == "__main__":
    run()
