"""Errors about what a user handed in: one sentence that names the file, the line and the remedy."""

from __future__ import annotations

import os


class InputError(ValueError):
    """Input that a person has to mend.

    The message reads ``FILE[, line N]: WHAT; REMEDY.`` and is meant to be shown as it is, without a traceback.
    """

    def __init__(self, path: str | os.PathLike[str], what: str, remedy: str, line: int | None = None) -> None:
        place = str(path) if line is None else f"{path}, line {line}"
        super().__init__(f"{place}: {what}; {remedy}.")
        self.path = str(path)
        self.line = line
        self.what = what
        self.remedy = remedy

    def __reduce__(self) -> tuple[type, tuple[str, str, str, int | None]]:
        # The default pickles only the message, which this constructor cannot take back from a worker process.
        return type(self), (self.path, self.what, self.remedy, self.line)
