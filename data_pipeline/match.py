"""Annotation stamps -> labelled frames, by the nearest stamp (§3.2.4): ``python -m data_pipeline.match``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from data_pipeline.annotations import DIMENSIONS, Trace, find_annotators, find_dimensions, read_trace
from data_pipeline.consensus import Consensus, merge_annotators
from data_pipeline.decode import FRAME_RATE
from data_pipeline.manifest import ManifestRow
from data_pipeline.nearest import HAS_VALUE, REASONS
from tfrecords.errors import InputError
from tfrecords.labels import write_labels
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_csv, read_json, write_json


@dataclasses.dataclass(frozen=True)
class MatchOptions:
    """Whose annotations label the frames, and which frames get a label."""

    annotators: str = option(
        "best",
        "whose files are used where several annotated an entry: 'best' for the mean of those who agree, see "
        "--min_agreement, 'all' for the mean of all, or one annotator's name",
    )
    min_agreement: float = option(
        0.5, "with 'best', the mean correlation with the others that an annotator must reach", at_least=-1, at_most=1
    )
    remove_lag: bool = option(False, "move each annotator in time by how much they lag behind the others")
    max_lag_seconds: float = option(4.0, "the longest lag that is looked for, either way", at_least=0)
    max_gap_seconds: float = option(
        1.0, "frames further than this from the nearest stamp get no label; 0: no limit, as the original", at_least=0
    )
    require_annotations: bool = option(False, "treat an entry without annotation as a failure, not as waiting")


def match_labels(workspace: Workspace, row: ManifestRow, options: MatchOptions) -> list[str]:
    """Writes ``labels/ENTRY.txt``, ``frame valence arousal`` a line, for each annotated entry of the clip.

    A frame has a line if it has any label: what it lacks is marked as missing. Valence and arousal, which an entry may
    be without, come and go together. ``labels/ENTRY.json`` tells whose annotations they are and how many frames got
    none, and why. Returns the entries that await annotation.

    Raises:
      InputError: annotators who do not agree, valence without arousal, a bad file, not one frame with a label, or, with
        `require_annotations`, no annotation.
    """
    awaiting = []
    for entry in row.entries():
        if not workspace.faces(entry).exists():
            remedy = "run python -m data_pipeline.build from an earlier stage"
            raise InputError(workspace.faces(entry), "the entry's faces are missing", remedy)
        workspace.labels(entry).unlink(missing_ok=True)
        workspace.label_report(entry).unlink(missing_ok=True)
        annotators = find_annotators(workspace, entry)
        if options.annotators not in ("best", "all"):
            annotators = [name for name in annotators if name == options.annotators]
        if annotators:
            _match_entry(workspace, entry, annotators, options)
        else:
            awaiting.append(entry)
    if awaiting and options.require_annotations:
        folder = workspace.annotations / "ANNOTATOR" / awaiting[0]
        raise InputError(folder, "there is no annotation", "annotate the clip or drop --require_annotations")
    return awaiting


def _match_entry(workspace: Workspace, entry: str, annotators: list[str], options: MatchOptions) -> None:
    traces = {name: _read_traces(workspace, entry, annotators, name) for name in find_dimensions(workspace, entry)}
    _check_traces(workspace, entry, annotators[0], traces)
    merged = {name: _merge(workspace, entry, name, own, options) for name, own in traces.items() if own}
    frames = np.array([int(face["frame"]) for face in read_csv(workspace.faces(entry), ("frame",))], np.int64)
    values, whys = _sample(merged, frames / FRAME_RATE, options.max_gap_seconds)
    labelled = np.any(whys == HAS_VALUE, axis=0)
    # A frame that lacks all dimensions counts once, for the highest reason.
    reasons = np.where(labelled, HAS_VALUE, whys.max(axis=0))
    dropped = {name: int(np.sum(reasons == number)) for number, name in enumerate(REASONS) if number != HAS_VALUE}
    if not labelled.any():
        what = f"of {len(frames)} frames with a face none gets a label ({_told(dropped)})"
        remedy = "annotate the clip again, or raise --max_gap_seconds"
        raise InputError(workspace.annotations / annotators[0] / entry, what, remedy)
    columns = {name: np.rint(own[labelled]) for name, own in values.items() if not np.isnan(own).all()}
    write_labels(workspace.labels(entry), frames[labelled], columns)
    report = {"entry": entry, "frames": len(frames), "labelled": int(labelled.sum()), "dropped": dropped}
    missing = {name: int(np.isnan(own[labelled]).sum()) for name, own in values.items()}
    if any(missing.values()):
        report["missing"] = {name: count for name, count in missing.items() if count}
    write_json(workspace.label_report(entry), report | {"lags": {name: each.lags for name, each in merged.items()}})


def _read_traces(workspace: Workspace, entry: str, annotators: list[str], dimension: str) -> dict[str, Trace]:
    """Annotator -> annotation, of those who annotated `dimension`."""
    files = {name: workspace.annotations / name / entry / f"{dimension}.txt" for name in annotators}
    return {name: read_trace(path) for name, path in files.items() if path.exists()}


def _check_traces(workspace: Workspace, entry: str, annotator: str, traces: dict[str, dict[str, Trace]]) -> None:
    """Raises `InputError` where there is nothing at all, or of valence and arousal one alone."""
    missing = [name for name in DIMENSIONS if not traces[name]]
    if len(missing) == 1 or not any(traces.values()):
        path = workspace.annotations / annotator / entry / f"{missing[0]}.txt"
        raise InputError(path, f"the {missing[0]} annotation is missing", "annotate this dimension too")


def _sample(
    merged: dict[str, Consensus], seconds: np.ndarray, max_gap: float
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Dimension -> values at `seconds` (N,), NaN for none, and why, (dimensions, N), see nearest.

    Where valence or arousal has none, both are taken to have none.
    """
    found = {name: each.values_at(seconds, max_gap) for name, each in merged.items()}
    values, whys = ({name: pair[part] for name, pair in found.items()} for part in (0, 1))
    if DIMENSIONS[0] in merged:
        both = np.max([whys[name] for name in DIMENSIONS], axis=0)
        whys |= dict.fromkeys(DIMENSIONS, both)
        values |= {name: np.where(both == HAS_VALUE, values[name], np.nan) for name in DIMENSIONS}
    return values, np.array(list(whys.values()))


def _merge(
    workspace: Workspace, entry: str, dimension: str, traces: dict[str, Trace], options: MatchOptions
) -> Consensus:
    gap, lag = options.max_gap_seconds, options.max_lag_seconds
    merged, agreement = merge_annotators(
        traces, options.annotators == "all", options.min_agreement, options.remove_lag, gap, lag
    )
    if merged is None:
        what = f"no two of {', '.join(traces)} agree on the {dimension} of {entry} (correlation {agreement:.2f})"
        names = f"--annotators={next(iter(traces))} or --annotators=all"
        raise InputError(workspace.annotations, what, f"choose with {names}, or lower --min_agreement")
    return merged


def summarise_reports(workspace: Workspace, entries: Iterable[str]) -> str:
    """One sentence on the frames of `entries` that have a face and no label, '' if there are none."""
    totals = dict.fromkeys(REASONS[1:], 0)
    for entry in entries:
        path = workspace.label_report(entry)
        for name, count in (read_json(path)["dropped"] if path.exists() else {}).items():
            totals[name] += count
    return f"{sum(totals.values())} frames with a face got no label ({_told(totals)})" if any(totals.values()) else ""


def _told(dropped: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in dropped.items() if count) or "no face"


if __name__ == "__main__":
    from data_pipeline.stage_binary import run_one_stage  # it imports this file as a module

    run_one_stage("match")
