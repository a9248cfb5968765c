"""Damaged records that a loader meets: they end the run, or are named, counted and passed over."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from tfrecords.errors import InputError

REMEDY = "run python -m tfrecords.convert again"


@dataclasses.dataclass(frozen=True)
class Damage:
    """A record that cannot be used; `record` counts from 0."""

    path: Path
    record: int
    frame: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}: record {self.record} (frame {self.frame}) is damaged: {self.what}"

    def error(self) -> InputError:
        """The sentence that ends a run."""
        what = f"record {self.record} (frame {self.frame}) is damaged: {self.what}"
        return InputError(self.path, what, f"{REMEDY}, or pass over such records with --on_corrupt=skip")


@dataclasses.dataclass
class CorruptRecords:
    """The damaged records met so far, each once however often it was read; with `skip` false the first is fatal."""

    skip: bool = False
    found: dict[tuple[Path, int], Damage] = dataclasses.field(default_factory=dict)

    def meet(self, damage: Damage) -> None:
        """Raises `InputError`, or takes note of `damage` and names it on standard error the first time."""
        if not self.skip:
            raise damage.error()
        if (damage.path, damage.record) not in self.found:
            self.found[damage.path, damage.record] = damage
            print(f"warning: {damage}; it is left out", file=sys.stderr)
