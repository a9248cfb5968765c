"""Runs stages over clips in worker processes; a clip that fails is set aside and the others go on."""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.process
import dataclasses
import multiprocessing
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from data_pipeline.manifest import ManifestRow
from data_pipeline.stages import run_stage
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv, write_csv

FAILURE_COLUMNS = ("clip", "stage", "reason", "command")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one clip: seconds spent in each stage that ran, and the stage and reason of a failure."""

    clip: str
    seconds: Mapping[str, float]
    failed_stage: str = ""
    reason: str = ""


def process_clip(workspace: Workspace, row: ManifestRow, stages: Mapping[str, Any]) -> Outcome:
    """Runs `stages` (name -> options, in order) on one clip up to the first that fails."""
    seconds: dict[str, float] = {}
    for name, options in stages.items():
        start = time.monotonic()
        try:
            if run_stage(workspace, row, name, options):
                seconds[name] = time.monotonic() - start
        except InputError as error:
            return Outcome(row.clip, seconds, name, str(error))
        except Exception as error:  # a fault of ours or of a library: it must not cost the other clips their run
            traceback.print_exc()
            return Outcome(row.clip, seconds, name, f"{row.source}: {type(error).__name__}: {error}")
    return Outcome(row.clip, seconds)


def process_clips(
    workspace: Workspace, rows: Sequence[ManifestRow], stages: Mapping[str, Any], workers: int, title: str
) -> list[Outcome]:
    """Runs `stages` on all clips with `workers` processes and a progress bar; outcomes in the order of `rows`.

    Failures are written to ``failures.csv`` (failures of clips that are not in `rows` stay there).
    """
    outcomes: dict[str, Outcome] = {}
    with tqdm(total=len(rows), unit="clip", desc=title) as bar:
        for outcome in _outcomes(workspace, rows, stages, max(1, workers)):
            outcomes[outcome.clip] = outcome
            bar.update()
            if outcome.reason:
                bar.write(f"set aside: {outcome.reason}")
    done = [outcomes[row.clip] for row in rows]
    _write_failures(workspace, done)
    return done


def _outcomes(
    workspace: Workspace, rows: Sequence[ManifestRow], stages: Mapping[str, Any], workers: int
) -> Iterator[Outcome]:
    unfinished = {row.clip: row for row in rows}
    for outcome in _in_pool(workspace, rows, stages, min(workers, max(1, len(rows)))):
        del unfinished[outcome.clip]
        yield outcome
    # A decoder that crashes takes its whole pool down, so what is left runs alone, and the culprit shows itself.
    for row in unfinished.values():
        died = "the worker process died (a crash of the decoder or detector, or out of memory)"
        lone = Outcome(row.clip, {}, next(iter(stages)), f"{row.source}: {died}; replace the video or take it out.")
        yield next(iter(_in_pool(workspace, [row], stages, 1)), lone)


def _in_pool(
    workspace: Workspace, rows: Sequence[ManifestRow], stages: Mapping[str, Any], workers: int
) -> Iterator[Outcome]:
    """Outcomes as they come; ends early, without the rest, if a worker process dies."""
    # Fork would copy this process's threads' locks; spawn starts clean on every platform.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        futures = [pool.submit(process_clip, workspace, row, stages) for row in rows]
        for future in concurrent.futures.as_completed(futures):
            try:
                yield future.result()
            except concurrent.futures.process.BrokenProcessPool:
                continue


def _one_thread() -> None:
    """Workers are as many as cores, so each keeps to one thread."""
    import cv2

    cv2.setNumThreads(1)


def _write_failures(workspace: Workspace, outcomes: Sequence[Outcome]) -> None:
    processed = {outcome.clip for outcome in outcomes}
    kept = read_csv(workspace.failures, FAILURE_COLUMNS) if workspace.failures.exists() else []
    rows = [row for row in kept if row["clip"] not in processed]
    for outcome in outcomes:
        if outcome.reason:
            command = f"python -m data_pipeline.build --workspace={workspace.root} --clips={outcome.clip}"
            row = {"clip": outcome.clip, "stage": outcome.failed_stage, "reason": outcome.reason, "command": command}
            rows.append(row)
    if rows:
        write_csv(workspace.failures, FAILURE_COLUMNS, rows)
    else:
        workspace.failures.unlink(missing_ok=True)
