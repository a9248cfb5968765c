"""Durable samples: one writer, which commits all batches that wait with one fdatasync and acknowledges afterwards.

Every batch of every annotator goes to ``annotations/.journal.jsonl`` first: one file, so that one fdatasync serves all
of them (one a request serves 250 batches a second, a group a commit thousands). From there the lines are moved to the
passes' own files, now and then, when a pass ends and when the server stops or starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from data_pipeline.annotate.passes import Pass, Progress, cut_torn_line, parse_pass, read_lines
from data_pipeline.removal.log import log_path
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace

NAME = ".journal.jsonl"
KEPT_ASIDE = "not_in_manifest.jsonl"  # lines of the journal whose clips the manifest lacks
MOST_BYTES = 4_000_000  # of the journal, before its lines are moved

# What the writer does, and who is told how it went.
_Done = Callable[[Any, BaseException | None], None]
_Job = tuple[Callable[[], Any] | None, "Pass | None", bytes, int, _Done]


class OutOfTurn(Exception):
    """A batch that does not follow the last one, or comes from a page that no longer records the pass."""

    def __init__(self, what: str, reason: str, expected: int) -> None:
        """Args: what: a sentence; reason: ``missing``, ``elsewhere`` or ``finished``; expected: the next number."""
        super().__init__(what)
        self.reason = reason
        self.expected = expected


class Journal:
    """The one writer of a workspace's passes; all methods but `close` are called on the event loop."""

    def __init__(self, workspace: Workspace, entries: Collection[str]) -> None:
        """Takes the workspace for this process and moves what an earlier server left.

        Raises:
          InputError: another server has the workspace, or a file of a pass is damaged.
        """
        self._workspace = workspace
        self._path = workspace.annotations / NAME
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            what = "another annotation server has this workspace open"
            raise InputError(workspace.root, what, "use its page, or stop it first") from None
        self._accepted: dict[Pass, Progress] = {}
        self._moving = threading.Lock()
        # Of the writer's thread: lines that only the journal holds, and how long its whole part is.
        self._unmoved: dict[Pass, list[bytes]] = {}
        self._size = 0
        self._epoch = 0
        self._writer_epoch = 0
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._recover(entries)
        self._thread = threading.Thread(target=self._write_jobs, name="annotation writer")
        self._thread.start()

    def close(self) -> None:
        """Writes what waits, moves all lines to the passes' files and lets the workspace go; once is enough."""
        if self._file.closed:
            return
        self._jobs.put(None)
        self._thread.join()
        self._move_lines()
        self._file.close()

    def progress(self, key: Pass) -> Progress:
        """How far the pass has come."""
        if key not in self._accepted:
            progress = Progress()
            with self._moving:
                lines = read_lines(key.path(self._workspace)) + [json.loads(at) for at in self._unmoved.get(key, ())]
            for line in lines:
                progress.take(line)
            self._accepted[key] = progress
        return self._accepted[key]

    async def append(self, key: Pass, line: dict[str, Any]) -> None:
        """Returns when the line is durable; at once after those before it where it had come before.

        Raises:
          OutOfTurn: it is not the next of its session, or its session no longer records the pass.
          OSError: it could not be written; the page sends it again.
        """
        progress = self.progress(key)
        last = progress.numbers.get(line["session"], -1)
        if line["number"] > 0 and progress.is_new(line):
            if line["session"] != progress.owner:
                raise OutOfTurn("this pass goes on in another window", "elsewhere", last + 1)
            if progress.finished:
                raise OutOfTurn("this pass is finished", "finished", last + 1)
        if line["number"] > last + 1:
            raise OutOfTurn(f"batch {last + 1} is missing", "missing", last + 1)
        data = b""
        if progress.is_new(line):
            data = _as_line({"pass": str(key), **line})  # before it counts as taken in: it may be none
            progress.take(line)
        await self._submit(None, key, data)

    async def run(self, work: Callable[[], Any], moved: Pass | None = None) -> Any:
        """Does `work` in the writer's turn, after the lines of the pass `moved` are in its file; returns its result."""

        def whole() -> Any:
            if moved:
                self._move(moved)
            return work()

        return await self._submit(whole, None, b"")

    async def _submit(self, work: Callable[[], Any] | None, key: Pass | None, line: bytes) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if error is not None and self._epoch != self._writer_epoch:
                # Nothing after the last durable line was taken in: what each pass has is read again.
                self._accepted.clear()
                self._epoch = self._writer_epoch
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        def done(result: Any, error: BaseException | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, result, error)

        self._jobs.put((work, key, line, self._epoch, done))
        return await asyncio.shield(future)

    def _write_jobs(self) -> None:
        open_still = True
        while open_still:
            jobs = [self._jobs.get()]
            with contextlib.suppress(queue.Empty):
                while jobs[-1] is not None:
                    jobs.append(self._jobs.get_nowait())
            open_still = jobs[-1] is not None
            waiting: list[_Job] = []
            for job in jobs:
                if job is not None and job[0] is None:
                    waiting.append(job)
                    continue
                self._commit(waiting)
                waiting = []
                if job is not None:
                    self._work(job)
            self._commit(waiting)
            if self._size > MOST_BYTES:
                try:
                    self._move_lines()
                except Exception as error:
                    # They stay in the journal, then, and the next group tries again.
                    print(f"warning: the journal cannot be moved to the passes: {error}", file=sys.stderr, flush=True)

    def _work(self, job: _Job) -> None:
        work, _, _, _, done = job
        assert work is not None
        try:
            done(work(), None)
        except Exception as error:
            done(None, error)

    def _commit(self, jobs: list[_Job]) -> None:
        """Makes the lines of `jobs` durable together, or none of them."""
        if not jobs:
            return
        stale = [job for job in jobs if job[3] < self._writer_epoch]
        jobs = [job for job in jobs if job[3] >= self._writer_epoch]
        for job in stale:
            job[4](None, OSError("an earlier batch could not be written"))
        try:
            lines = [(key, line) for _, key, line, _, _ in jobs if line and key is not None]
            data = b"".join(line for _, line in lines)
            if data:
                view = memoryview(data)
                while view:
                    view = view[self._file.write(view) :]
                _flush(self._file.fileno())
        except Exception as error:  # whatever it is, those who wait are told and the writer goes on
            self._writer_epoch += 1
            with contextlib.suppress(Exception):
                os.ftruncate(self._file.fileno(), self._size)
            for job in jobs:
                job[4](None, error)
            return
        self._size += len(data)
        with self._moving:
            for key, line in lines:
                self._unmoved.setdefault(key, []).append(line)
        for job in jobs:
            job[4](None, None)

    def _recover(self, entries: Collection[str]) -> None:
        cut_torn_line(self._path)
        withdrawn, strange = 0, []
        for line in read_lines(self._path):
            key = parse_pass(line["pass"])
            if key.entry not in entries:
                # A removal deletes the passes' files, which are there from a pass's first batch on.
                if log_path(self._workspace).exists() and not key.path(self._workspace).exists():
                    withdrawn += 1
                else:
                    strange.append(_as_line(line))
                continue
            if not self._unmoved.get(key):
                cut_torn_line(key.path(self._workspace))
            progress = self.progress(key)
            if progress.is_new(line):
                progress.take(line)
                self._unmoved.setdefault(key, []).append(_as_line(line))
        if withdrawn:
            print(f"warning: {withdrawn} batches of clips of people who withdrew are left out", file=sys.stderr)
        if strange:
            aside = self._workspace.annotations / KEPT_ASIDE
            append_durably(aside, b"".join(strange))
            print(
                f"warning: {len(strange)} batches of clips that the manifest lacks are kept in {aside}; "
                f"when the manifest has them again, stop the server and append the file to {self._path}",
                file=sys.stderr,
            )
        self._size = self._path.stat().st_size
        self._move_lines()

    def _move_lines(self) -> None:
        """Moves all lines to the files of their passes, then empties the journal."""
        for key in list(self._unmoved):
            self._move(key)
        os.ftruncate(self._file.fileno(), 0)
        _flush(self._file.fileno())
        self._size = 0

    def _move(self, key: Pass) -> None:
        with self._moving:
            lines = self._unmoved.get(key)
            if lines:
                append_durably(key.path(self._workspace), b"".join(lines))
            self._unmoved.pop(key, None)


def append_durably(path: Path, data: bytes) -> None:
    """Appends whole lines to a file and flushes it, and its folder where the file is new."""
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    cut_torn_line(path)
    with open(path, "ab") as stream:
        stream.write(data)
        stream.flush()
        _flush(stream.fileno())
    if new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _as_line(line: dict[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _flush(descriptor: int) -> None:
    # macOS has none.
    getattr(os, "fdatasync", os.fsync)(descriptor)
