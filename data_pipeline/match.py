"""Annotation stamps -> labelled frames, by the nearest stamp (§3.2.4): ``python -m data_pipeline.match``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from data_pipeline.annotations import DIMENSIONS, Trace, find_annotators, read_trace
from data_pipeline.decode import FRAME_RATE
from data_pipeline.manifest import ManifestRow
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_csv, write_text


@dataclasses.dataclass(frozen=True)
class MatchOptions:
    """Whose annotations label the frames."""

    annotator: str = option("", "annotator whose files are used; needed only where several annotated an entry")
    require_annotations: bool = option(False, "treat an entry without annotation as a failure, not as waiting")


def nearest_values(trace: Trace, frames: np.ndarray, frame_rate: float = FRAME_RATE) -> np.ndarray:
    """The value with the nearest stamp for each frame number (int, from 1), int64 like `frames`.

    Frame n is at n / `frame_rate` seconds. Of two stamps equally near the earlier is taken (undefined in the original).
    """
    seconds = np.asarray(frames, np.float64) / frame_rate
    after = np.clip(np.searchsorted(trace.stamps, seconds), 0, len(trace.stamps) - 1)
    # Of samples with the same stamp, too, the first counts.
    before = np.searchsorted(trace.stamps, trace.stamps[np.maximum(after - 1, 0)])
    to_before, to_after = np.abs(seconds - trace.stamps[before]), np.abs(trace.stamps[after] - seconds)
    # Stamps carry milliseconds; a nanosecond keeps the rounding of n / 30 from deciding what is a tie.
    return np.where(to_before <= to_after + 1e-9, trace.values[before], trace.values[after])


def match_labels(workspace: Workspace, row: ManifestRow, options: MatchOptions) -> list[str]:
    """Writes ``labels/ENTRY.txt``, ``frame valence arousal`` a line, for each annotated entry of the clip.

    Returns the entries that await annotation.

    Raises:
      InputError: several annotators and none chosen, one dimension without a file, a bad file, or, with
        `require_annotations`, no annotation.
    """
    awaiting = []
    for entry in row.entries():
        if not workspace.faces(entry).exists():
            remedy = "run python -m data_pipeline.build from an earlier stage"
            raise InputError(workspace.faces(entry), "the entry's faces are missing", remedy)
        annotators = find_annotators(workspace, entry)
        if options.annotator:
            annotators = [name for name in annotators if name == options.annotator]
        if not annotators:
            workspace.labels(entry).unlink(missing_ok=True)
            awaiting.append(entry)
            continue
        if len(annotators) > 1:
            what = f"{entry} was annotated by {', '.join(annotators)}"
            raise InputError(workspace.annotations, what, f"choose one with --annotator={annotators[0]}")
        folder = workspace.annotations / annotators[0] / entry
        traces = [_dimension(folder, dimension) for dimension in DIMENSIONS]
        frames = np.array([int(face["frame"]) for face in read_csv(workspace.faces(entry), ("frame",))], np.int64)
        columns = [frames, *(nearest_values(trace, frames) for trace in traces)]
        lines = (" ".join(map(str, values)) for values in zip(*columns, strict=True))
        write_text(workspace.labels(entry), "".join(f"{line}\n" for line in lines))
    if awaiting and options.require_annotations:
        folder = workspace.annotations / "ANNOTATOR" / awaiting[0]
        raise InputError(folder, "there is no annotation", "annotate the clip or drop --require_annotations")
    return awaiting


def _dimension(folder: Path, dimension: str) -> Trace:
    path = folder / f"{dimension}.txt"
    if not path.exists():
        raise InputError(path, f"the {dimension} annotation is missing", "annotate this dimension too")
    return read_trace(path)


if __name__ == "__main__":
    from data_pipeline.stage_binary import run_one_stage  # it imports this file as a module

    run_one_stage("match")
