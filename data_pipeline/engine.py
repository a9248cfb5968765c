"""Runs stages over clips, a task a clip, on a Dask cluster; a clip that fails is set aside and the others go on.

Results lie on disk: a task returns an `Outcome`, and a clip that is cut short begins where its files end.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import errno
import math
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from data_pipeline.failures import Outcome, read_failures
from data_pipeline.manifest import ManifestRow
from data_pipeline.same_code import CodeFacts, code_facts, complaint
from data_pipeline.stages import STAGES, freshness, run_stage, stage_remarks
from data_pipeline.tasks import run_tasks
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace

if TYPE_CHECKING:
    from distributed import Client

_REASON_LENGTH = 600
# A failure is on disk this soon, though thousands may come in a minute.
_ENTER_SECONDS = 5.0


def process_clip(workspace: Workspace, row: ManifestRow, stages: Mapping[str, Any]) -> Outcome:
    """Runs `stages` (name -> options, in order) on one clip up to the first that fails.

    Raises:
      InputError: the disk is full, which is no fault of the clip.
    """
    seconds: dict[str, float] = {}
    remarks: list[str] = []
    for name, options in stages.items():
        start = time.monotonic()
        try:
            if run_stage(workspace, row, name, options):
                seconds[name] = time.monotonic() - start
                remarks += stage_remarks(workspace, row, name)
        except Exception as error:
            if _tells_of_a_full_disk(error):
                remedy = "make room, then run the same command again: it goes on where it stopped"
                raise InputError(workspace.root, "the disk is full", remedy) from None
            return Outcome(row.clip, seconds, name, _reason(row, error), remarks=tuple(remarks))
    return Outcome(row.clip, seconds, remarks=tuple(remarks))


def _tells_of_a_full_disk(error: BaseException | None) -> bool:
    """Whether `error` or what it came from says so: as errno, or in words as ffmpeg's and TensorFlow's do."""
    full = (errno.ENOSPC, errno.EDQUOT)
    while error is not None:
        if isinstance(error, OSError) and error.errno in full:
            return True
        if any(os.strerror(number) in str(error) for number in full):
            return True
        error = error.__cause__ or error.__context__
    return False


def _reason(row: ManifestRow, error: Exception) -> str:
    if isinstance(error, InputError):
        return _shortened(str(error))
    if isinstance(error, OSError):
        what = f"it cannot be used ({error.strerror})"
        named = os.fsdecode(error.filename or row.source)
        return _shortened(str(InputError(named, what, "check its rights and the disk's space")))
    # A fault of ours or of a library: it must not cost the other clips their run.
    traceback.print_exception(error)
    return _shortened(f"{row.source}: {type(error).__name__}: {error}")


def _shortened(text: str) -> str:
    """What a table shows of a text, which may quote a name or line of any length: its place and its remedy."""
    return text if len(text) <= _REASON_LENGTH else f"{text[: _REASON_LENGTH // 2]} … {text[-_REASON_LENGTH // 2 :]}"


@dataclasses.dataclass(frozen=True)
class Processed:
    """The clips' outcomes in the order of the manifest, and stage -> how many clips other code has made."""

    outcomes: list[Outcome]
    other_code: Mapping[str, int]


def process_clips(
    connect: Callable[[], Client],
    workspace: Workspace,
    rows: Sequence[ManifestRow],
    stages: Mapping[str, Any],
    enter: Callable[[Sequence[Outcome]], None] = lambda outcomes: None,
) -> Processed:
    """Runs `stages` on all clips on the cluster of the client `connect()`, with a progress bar.

    `enter` is given the outcomes in pieces: every few seconds, at the end, and before anything that stops the work, so
    that it can keep them.

    A cluster is asked for at the first clip that has something to do. Clips that are set aside in an earlier stage
    are not tried: their outcome is that failure.

    Raises:
      InputError: the disk is full, or the cluster was lost.
    """
    order = list(STAGES)
    earlier = order[: order.index(next(iter(stages)))]
    outcomes = {clip: known for clip, known in read_failures(workspace).items() if known.failed_stage in earlier}
    waiting = [row for row in rows if row.clip not in outcomes]
    other_code: collections.Counter[str] = collections.Counter()
    with tqdm(total=len(waiting), unit="clip", desc=" > ".join(stages)) as bar:

        def stale_rows() -> Iterator[ManifestRow]:
            for row in waiting:
                found = freshness(workspace, row, stages)
                other_code.update(found.other_code)
                if found.first_stale:
                    yield row
                else:
                    outcomes[row.clip] = Outcome(row.clip, {})
                    bar.update()

        for outcome in _kept(_outcomes(connect, workspace, stale_rows(), stages), enter):
            outcomes[outcome.clip] = outcome
            bar.update()
            if outcome.reason:
                bar.write(f"set aside: {outcome.reason}", file=sys.stderr)
            for remark in outcome.remarks:
                bar.write(f"note: {remark}", file=sys.stderr)
    # What was up to date already is told too: a failure that was mended by hand is one no more.
    enter(list(outcomes.values()))
    return Processed([outcomes[row.clip] for row in rows], other_code)


def _kept(outcomes: Iterator[Outcome], enter: Callable[[Sequence[Outcome]], None]) -> Iterator[Outcome]:
    """The outcomes as they come, each given to `enter` within `_ENTER_SECONDS` of another or before an error."""
    waiting: list[Outcome] = []
    entered = -math.inf
    try:
        for outcome in outcomes:
            waiting.append(outcome)
            if time.monotonic() - entered >= _ENTER_SECONDS and any(each.reason for each in waiting):
                enter(waiting)
                waiting, entered = [], time.monotonic()
            yield outcome
    except BaseException:
        with contextlib.suppress(OSError):  # where the disk is full the error says so
            enter(waiting)
        raise


def _outcomes(
    connect: Callable[[], Client], workspace: Workspace, rows: Iterable[ManifestRow], stages: Mapping[str, Any]
) -> Iterator[Outcome]:
    """Outcomes as they come, of clips whose worker died of them too."""
    given = lambda: {"workspace": workspace, "stages": stages, "facts": code_facts()}  # noqa: E731
    for row, outcome in run_tasks(connect, _task, rows, "+".join(stages), given, key=lambda row: row.clip):
        yield outcome or _death(workspace, row, stages)


def _death(workspace: Workspace, row: ManifestRow, stages: Mapping[str, Any]) -> Outcome:
    what = "the worker process died of it twice (a crash of the decoder or detector, or more than its memory)"
    reason = str(InputError(row.source, what, "replace the video, give workers more memory or take the clip out"))
    return Outcome(row.clip, {}, freshness(workspace, row, stages).first_stale or list(stages)[-1], reason)


def _task(row: ManifestRow, workspace: Workspace, stages: Mapping[str, Any], facts: CodeFacts) -> Outcome:
    """`process_clip` on a worker.

    Raises:
      InputError: the worker, which may have joined a moment ago, is not of the build's code, versions and files.
    """
    import cv2

    wrong, _, remedy = complaint(facts, workspace.manifest).partition("; ")
    if wrong:
        raise InputError(f"worker process {os.getpid()} on {socket.gethostname()}", f"it {wrong}", remedy)

    # Workers are as many as cores, so each keeps to one thread.
    cv2.setNumThreads(1)
    return process_clip(workspace, row, stages)
