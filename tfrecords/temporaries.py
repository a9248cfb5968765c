"""Temporary files beside the files that they become, and the removal of those whose writer was killed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

_NAME = re.compile(r"\..*\.(?P<process>\d+)(?:@(?P<host>[^@/]+))?\.tmp(?:\.[^.]*)?")
# Of a process on another machine nothing is known but when it last wrote.
OLD_SECONDS = 24 * 3600.0


def temporary_beside(path: Path) -> Path:
    """A hidden name in `path`'s folder with its suffix: ``.STEM.PROCESS@HOST.tmp.SUFFIX``."""
    return path.with_name(f".{path.stem}.{os.getpid()}@{socket.gethostname()}.tmp{path.suffix}")


def sweep_temporaries(folders: Iterable[Path]) -> int:
    """Removes what killed processes left in `folders` (not below them); returns how many files and folders went.

    A temporary file goes if its process is of this machine and gone, or if it has not changed for a day.
    """
    swept = 0
    for folder in folders:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
            for entry in entries:
                # Most names are no temporary ones, and there may be a million.
                if entry.name.startswith(".") and (found := _NAME.fullmatch(entry.name)) and _is_left(entry, found):
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        with contextlib.suppress(FileNotFoundError):
                            os.unlink(entry.path)
                    swept += 1
    return swept


def _is_left(entry: os.DirEntry[str], found: re.Match[str]) -> bool:
    try:
        written = entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return False
    if time.time() - written > OLD_SECONDS:
        return True
    return found["host"] == socket.gethostname() and not _is_running(int(found["process"]), written)


def _is_running(number: int, since: float) -> bool:
    """Whether the process of that number runs, and not as a later one that got the same number."""
    try:
        process = psutil.Process(number)
        # A killed process whose parent does not ask for it stays as a zombie.
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= since + 1
    except psutil.AccessDenied:
        return True
    except (psutil.NoSuchProcess, OverflowError):
        return False
