"""One thing that a removal does, so that a dry run lists exactly what is then done."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Change:
    """What is done to `path`, in words (`what`), and `apply`, which does it and may be called again.

    `kind` is counted: ``file`` (a file or folder goes), ``row`` (`count` rows of a table go) or ``note`` (no loss).
    """

    kind: str
    path: Path
    what: str
    apply: Callable[[], None]
    count: int = 1


def delete(path: Path, what: str = "deleted") -> Change:
    """A file or folder that goes; where it is a link, the link."""

    def apply() -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    return Change("file", path, what, apply)
