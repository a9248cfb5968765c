"""Labelled frames -> one TFRecord file an entry, with its sidecar: ``python -m tfrecords.convert --workspace=W``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from tfrecords import options
from tfrecords.crops import RECORD_JPEG_QUALITY, read_crops
from tfrecords.detections import read_detections
from tfrecords.errors import InputError
from tfrecords.faces import landmarks_in_box, resize_face
from tfrecords.labels import ORIGINAL_LABELS, read_label_names, read_labels
from tfrecords.options import option
from tfrecords.record_file import write_records
from tfrecords.sidecar import Sidecar, sidecar_path, write_sidecar
from tfrecords.workspace import Workspace, read_csv, read_json, write_json

RESIZE = "cubic"  # the original's rule


@dataclasses.dataclass(frozen=True)
class ConvertOptions:
    """How faces are stored."""

    encoding: str = option("jpeg", "how the face is stored", choices=("jpeg", "png", "raw", "float32"))
    profile: str = option("face", "keys of a record: 'original' is the thesis's four", choices=("face", "original"))
    face_size: int = option(96, "sides of the stored face in pixels", at_least=8)
    record_jpeg_quality: int = option(
        RECORD_JPEG_QUALITY, "JPEG quality of stored faces, 1 to 100", at_least=1, at_most=100
    )


def convert_entry(workspace: Workspace, clip: str, entry: str, subject: str, chosen: ConvertOptions) -> int:
    """Writes ``records/ENTRY.tfrecords`` and its sidecar; returns the number of records.

    An entry without labels gets no record, and one that it had is removed. The profile ``original`` has the frames with
    valence and arousal only.
    """
    record = workspace.record(entry)
    sidecar_path(record).unlink(missing_ok=True)
    if not workspace.labels(entry).exists():
        record.unlink(missing_ok=True)
        return 0
    labels, names = read_labels(workspace.labels(entry)), read_label_names(workspace.labels(entry))
    if chosen.profile == "original":
        names = list(ORIGINAL_LABELS)
        both = {frame: {name: label[name] for name in names if name in label} for frame, label in labels.items()}
        labels = {frame: label for frame, label in both.items() if label}
    if not labels:
        what = "no frame is labelled" + (" with valence and arousal" if chosen.profile == "original" else "")
        raise InputError(workspace.labels(entry), what, "annotate the clip again, or take it out of the manifest")
    frames = tuple(labels)
    faces = {int(face["frame"]): face for face in read_csv(workspace.faces(entry), ("frame", "face", "member"))}
    missing = sorted(set(labels) - set(faces))
    if missing:
        what = f"frame {missing[0]} has a label but no face"
        raise InputError(workspace.labels(entry), what, "run python -m data_pipeline.match again")
    rows, facts = read_detections(workspace.detections(clip))
    found = {(row["frame"], row["face"]): row for row in rows}
    with read_crops(workspace.crops(clip)) as read:
        offsets, digest = write_records(record, _examples(entry, labels, faces, found, read, chosen))
    columns = {name: [label[name] for label in labels.values() if name in label] for name in names}
    columns = {name: values for name, values in columns.items() if values}
    sidecar = Sidecar(
        entry=entry,
        clip=clip,
        subject=subject,
        profile=chosen.profile,
        encoding=chosen.encoding,
        size=chosen.face_size,
        resize=RESIZE,
        crop_margin=facts["crop_margin"],
        colour_order="rgb",
        frame_rate=facts["frame_rate"],
        detector=facts["detector"],
        labels=tuple(columns),
        synthetic=bool(workspace.database_facts()["synthetic"]),
        frames=frames,
        offsets=offsets,
        ranges={name: (min(values) / 1000, max(values) / 1000) for name, values in columns.items()},
        gaps=int(np.sum(np.diff(frames) != 1)),
        sha256=digest,
        landmarks_68=chosen.profile == "face" and bool(facts.get("landmarks_68", False)),
    )
    write_sidecar(record, sidecar)
    return len(frames)


def _examples(
    entry: str,
    labels: dict[int, dict[str, int]],
    faces: dict[int, dict[str, str]],
    found: dict[tuple[int, int], dict[str, Any]],
    read: Callable[[str], np.ndarray],
    chosen: ConvertOptions,
) -> Iterator[bytes]:
    """The serialised examples of an entry in the order of its labels.

    `found` are the clip's detections by frame and face; `read` gives a crop by its member's name.
    """
    from tfrecords.schema import encode_example, encode_face  # it imports TensorFlow, see record_file.py

    for frame, label in labels.items():
        face = faces[frame]
        picture = resize_face(read(face["member"]), chosen.face_size, RESIZE)
        data = encode_face(picture, chosen.encoding, chosen.record_jpeg_quality)
        more: dict[str, Any] = {}
        if chosen.profile == "face":
            detection = found[frame, int(face["face"])]
            more["box"] = [float(face[name]) for name in ("x", "y", "width", "height")]
            more["score"] = float(face["score"])
            more["landmarks"] = detection["landmarks"]
            if detection["landmarks_68"] is not None:
                more["landmarks_68"] = landmarks_in_box(detection["landmarks_68"], more["box"])
        yield encode_example(f"{entry}/{frame:05d}", data, label, **more)


@dataclasses.dataclass(frozen=True)
class ConvertTarget:
    """What `python -m tfrecords.convert` converts."""

    workspace: str = option("", "workspace folder")
    entries: tuple[str, ...] = option((), "entries, or clips with all their entries; by default all of partition.csv")


def main(argv: list[str]) -> int:
    target, chosen = options.from_flags(ConvertTarget), options.from_flags(ConvertOptions)
    workspace = Workspace(Path(target.workspace))
    rows = read_csv(workspace.partition, ("entry", "clip", "subject"))
    unknown = sorted(set(target.entries) - {row[name] for row in rows for name in ("entry", "clip")})
    if unknown:
        raise InputError(
            workspace.partition, f"there is no entry or clip {unknown[0]}", "name its entries in --entries"
        )
    if target.entries:
        rows = [row for row in rows if row["entry"] in target.entries or row["clip"] in target.entries]
    failed = 0
    for row in tqdm(rows, unit="entry", desc="convert"):
        try:
            _forget_build(workspace, row["clip"])
            convert_entry(workspace, row["clip"], row["entry"], row["subject"], chosen)
        except InputError as error:
            failed += 1
            tqdm.write(f"set aside: {error}", file=sys.stderr)
    print(f"{len(rows) - failed} of {len(rows)} records written to {workspace.root / 'records'}")
    return 1 if failed else 0


def _forget_build(workspace: Workspace, clip: str) -> None:
    """Lets the next build convert the clip again: it must not take what is written here for its own, by its options."""
    path = workspace.provenance(clip)
    if path.exists():
        write_json(path, {stage: made for stage, made in read_json(path).items() if stage != "convert"})


def run() -> None:
    options.run_main(main, ConvertTarget, ConvertOptions)


if __name__ == "__main__":
    run()
