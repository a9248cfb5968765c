"""Runs stages over clips in worker processes; a clip that fails is set aside and the others go on."""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.process
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from data_pipeline.failures import Outcome, read_failures
from data_pipeline.manifest import ManifestRow
from data_pipeline.stages import STAGES, run_stage
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace


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
        except OSError as error:
            what = f"it cannot be used ({error.strerror})"
            fault = InputError(os.fsdecode(error.filename or row.source), what, "check its rights and the disk's space")
            return Outcome(row.clip, seconds, name, str(fault))
        except Exception as error:  # a fault of ours or of a library: it must not cost the other clips their run
            traceback.print_exc()
            return Outcome(row.clip, seconds, name, f"{row.source}: {type(error).__name__}: {error}")
    return Outcome(row.clip, seconds)


def process_clips(
    workspace: Workspace, rows: Sequence[ManifestRow], stages: Mapping[str, Any], workers: int, title: str
) -> list[Outcome]:
    """Runs `stages` on all clips with `workers` processes and a progress bar; outcomes in the order of `rows`.

    Clips that are set aside in an earlier stage are not tried: their outcome is that failure.
    """
    failures = read_failures(workspace)
    earlier = list(STAGES)[: list(STAGES).index(next(iter(stages)))]
    outcomes = {clip: failure for clip, failure in failures.items() if failure.failed_stage in earlier}
    waiting = [row for row in rows if row.clip not in outcomes]
    with tqdm(total=len(waiting), unit="clip", desc=title) as bar:
        for outcome in _outcomes(workspace, waiting, stages, max(1, workers)):
            outcomes[outcome.clip] = outcome
            bar.update()
            if outcome.reason:
                bar.write(f"set aside: {outcome.reason}", file=sys.stderr)
    return [outcomes[row.clip] for row in rows]


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
