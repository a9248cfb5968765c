"""Says what a database holds, after Gebru et al. (2021): ``python -m data_pipeline.data_sheet --workspace=W``.

It writes ``DATASHEET.md``: what is known from the workspace, and blanks for people, whose text stays in later runs.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import re
from pathlib import Path

import jinja2

from data_pipeline.data_sheet_facts import sheet_regions
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, write_text

_BEGIN = re.compile(r"<!-- generated: ([a-z]+) -->")
_END = "<!-- end -->"


@dataclasses.dataclass(frozen=True)
class DataSheetOptions:
    """What `python -m data_pipeline.data_sheet` takes."""

    workspace: str = option("", "workspace folder")


def write_data_sheet(workspace: Workspace) -> Path:
    """Writes ``DATASHEET.md`` or renews its generated regions; returns its path.

    No subject, clip or entry is named in what is generated. A region that a person took out stays out.

    Raises:
      InputError: the manifest has faults, or the sheet's marks do not come in pairs.
    """
    path = workspace.root / "DATASHEET.md"
    regions = sheet_regions(workspace)
    if path.exists():
        text = renew_regions(path, path.read_text(encoding="utf-8"), regions)
    else:
        template = importlib.resources.files("data_pipeline").joinpath("data_sheet.md.j2").read_text(encoding="utf-8")
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
        text = environment.from_string(template).render(name=workspace.database_facts()["name"], regions=regions)
    write_text(path, text)
    return path


def renew_regions(path: Path, text: str, regions: dict[str, str]) -> str:
    """`text` with what stands between each region's marks replaced by ``regions[name]``, and nothing else changed.

    Raises:
      InputError: naming `path` and the line of a mark without its other, or of a region that there is not.
    """
    lines: list[str] = []
    opened = 0
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        begin, end = _BEGIN.fullmatch(line.strip()), line.strip() == _END
        if begin and begin[1] not in regions:
            raise InputError(path, f"there is no region {begin[1]!r}", f"use {', '.join(regions)}", number)
        if (begin and opened) or (end and not opened):
            raise InputError(path, "a mark lacks its other", f"end each generated region with {_END!r}", number)
        if begin:
            lines += [line, f"{regions[begin[1]]}\n"]
            opened = number
        elif end:
            opened = 0
        if not opened:
            lines.append(line)
    if opened:
        raise InputError(path, "a mark lacks its other", f"end each generated region with {_END!r}", opened)
    return "".join(lines)


def main(argv: list[str]) -> int:
    chosen = options.from_flags(DataSheetOptions)
    if not chosen.workspace:
        raise InputError("--workspace", "no workspace is named", "give the folder that holds manifest.csv")
    path = write_data_sheet(Workspace(Path(chosen.workspace)))
    blanks = path.read_text(encoding="utf-8").count("____")
    print(f"{path} written{f'; {blanks} blanks (____) are left to you' if blanks else ''}")
    return 0


if __name__ == "__main__":
    options.run_main(main, DataSheetOptions)
