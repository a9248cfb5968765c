"""What is left of a person after a removal: a search that knows nothing of where things should be."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from data_pipeline.removal.outputs import OUTPUT_FOLDERS, stem_of
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_numbered_csv

_TEXT = {".csv", ".json", ".jsonl", ".txt", ".html", ".md"}
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
# Columns and keys that hold names. A name that is a number is looked for only there: elsewhere it is a number.
_OF_NAMES = ("clip", "entry", "subject", "subjects")
_OWN_FOLDERS = OUTPUT_FOLDERS | {"sources"}


def find_leftovers(
    workspace: Workspace, names: Collection[str], others: Collection[str], left: Collection[Path]
) -> list[str]:
    """Files and folders that are named after one of `names`, and texts (CSV, JSON, JSONL, TXT, HTML, MD) that hold one.

    Args:
      names: clips, entries and the subject's id.
      others: names that stay; they may begin as one of `names` does.
      left: files and folders that are known to stay and are not looked at.

    Returns: a line each, ``PATH`` or ``PATH, line N: NAME``. A word may be the same by chance.
    """
    search = _Search(frozenset(names), frozenset(others) - frozenset(names))
    root, stay = workspace.root.absolute(), {path.parent.resolve() / path.name for path in left}
    # A stage's folder may lie on another disk; deeper links are not followed, for they may go round.
    elsewhere = sorted(path for path in root.iterdir() if path.is_symlink() and path.is_dir())
    found = []
    for folder, folders, files in itertools.chain.from_iterable(map(os.walk, [root, *elsewhere])):
        place, at_top = Path(os.path.realpath(folder)), Path(folder) == root
        folders[:] = sorted(name for name in folders if place / name not in stay)
        for name in folders:
            if not (at_top and name in _OWN_FOLDERS) and stem_of(name, is_folder=True) in search.names:
                found.append(str(Path(folder, name)))
        for name in sorted(name for name in files if place / name not in stay):
            path = Path(folder, name)
            if stem_of(name) in search.names:
                found.append(str(path))
            elif path.suffix.lower() in _TEXT and path.is_file():
                found += search.in_text(path)
    return found


class _Search:
    """Looks into texts for names; quick where there are none."""

    def __init__(self, names: frozenset[str], others: frozenset[str]) -> None:
        self.names, self.others = names, others
        self.numbers = {name for name in names if re.fullmatch(r"[0-9.]+", name)}
        self.words = names - self.numbers
        self.hint = re.compile("|".join(map(re.escape, sorted(names))).encode())

    def in_text(self, path: Path) -> Iterator[str]:
        """The first mention of each name in a file."""
        data = path.read_bytes()
        if not self.hint.search(data):
            return
        text = data.decode("utf-8", "replace")
        told = set()
        for word in _WORD.finditer(text):
            name = self._name_of(word[0].rstrip("."))
            if name and name not in told:
                told.add(name)
                yield f"{path}, line {text.count(chr(10), 0, word.start()) + 1}: {name}"
        for name in sorted(self.numbers & _named_in(path)):
            yield f"{path}: {name}"

    def _name_of(self, word: str) -> str:
        """The name that a word is, with a suffix or without."""
        if word in self.others:
            return ""
        return next((name for name in (word, word.rpartition(".")[0]) if name in self.words), "")


def _named_in(path: Path) -> set[str]:
    """What stands in a CSV's columns, and under a JSON file's keys, that hold names."""
    try:
        if path.suffix == ".csv":
            rows = [row for _, row in read_numbered_csv(path)]
            return {name for row in rows for column in _OF_NAMES for name in row.get(column, "").split()}
        return set(_named_in_json(json.loads(path.read_text(encoding="utf-8")))) if path.suffix == ".json" else set()
    except (InputError, UnicodeDecodeError, json.JSONDecodeError):
        return set()


def _named_in_json(value: Any) -> Iterator[str]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if key in _OF_NAMES and isinstance(item, str):
            yield from item.split()
        else:
            yield from _named_in_json(item)
