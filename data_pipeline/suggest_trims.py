"""Proposes cuts from where faces are seen: ``python -m data_pipeline.suggest_trims --workspace=W``.

Run it after the stage `detect`. It writes ``trims.csv``, the manifest with the proposed times and parts, for a person
to read; ``--apply`` then makes that the manifest. Annotated clips are left as they are: annotations count their time.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_pipeline.clip_names import index_of, thesis_name, without_part
from data_pipeline.decode import FRAME_RATE
from data_pipeline.manifest import COLUMNS, ManifestRow, read_manifest, read_manifest_file, source_file
from data_pipeline.manifest_cells import write_time
from data_pipeline.probe import probe
from data_pipeline.transcode import clip_beginning
from data_pipeline.trims import TrimOptions, suggest_cuts
from tfrecords import options
from tfrecords.detections import read_detections
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_json, read_numbered_csv, write_csv, write_text


@dataclasses.dataclass(frozen=True)
class SuggestOptions:
    """What is done with the proposals."""

    workspace: str = option("", "workspace folder")
    apply: bool = option(False, "make the proposals the manifest; the old one is kept as manifest-old-N.csv")
    rename_as_in_thesis: bool = option(False, "also name the clips INDEX-FPS-WIDTHxHEIGHT[-PART]")


@dataclasses.dataclass(frozen=True)
class Proposal:
    """What becomes of one row: the seconds and parts of its clips (none: it stays as it is), and why."""

    row: ManifestRow
    cuts: tuple[tuple[float, float], ...]
    reason: str


def propose(workspace: Workspace, row: ManifestRow, chosen: TrimOptions) -> Proposal:
    """Looks at one clip's detections; the cuts are seconds of the source, as columns `start` and `end` take them.

    A clip whose source or detections cannot be read stays as it is.
    """
    try:
        return _propose(workspace, row, chosen)
    except InputError as error:
        return Proposal(row, (), str(error))


def _propose(workspace: Workspace, row: ManifestRow, chosen: TrimOptions) -> Proposal:
    if is_annotated(workspace, row):
        return Proposal(row, (), "annotated: stays as it is")
    if not workspace.detections(row.clip).exists():
        return Proposal(row, (), "not detected yet: stays as it is")
    found, facts = read_detections(workspace.detections(row.clip))
    if not _is_of_this_cut(workspace, row, facts["frames"]):
        return Proposal(row, (), "its times changed since it was detected: run data_pipeline.build first")
    faces = np.bincount([face["frame"] - 1 for face in found], minlength=facts["frames"])
    limits = [round(seconds * FRAME_RATE) for seconds in dataclasses.astuple(chosen)]
    cuts = suggest_cuts(faces, max(1, len(row.subjects)), *limits)
    shares = [float(count.mean()) if len(faces) else 0.0 for count in (faces == 0, faces == 1, faces > 1)]
    shown = "no face in {:.0%} of its frames, one in {:.0%}, more in {:.0%}".format(*shares)
    if not cuts:
        return Proposal(row, (), f"{shown}: nothing to keep; take the row out?")
    if cuts == [(0, facts["frames"])]:
        return Proposal(row, (), f"{shown}: stays whole")
    seconds = [_seconds(workspace, row, cut) for cut in cuts]
    times = ", ".join(f"{start:.2f} to {end:.2f} s" for start, end in seconds)
    return Proposal(row, tuple(seconds), f"{shown}: keep {times}")


def is_annotated(workspace: Workspace, row: ManifestRow) -> bool:
    """Whether anybody has annotated an entry of the clip."""
    return any(any(workspace.annotations.glob(f"*/{entry}")) for entry in row.entries())


def _is_of_this_cut(workspace: Workspace, row: ManifestRow, frames: int) -> bool:
    """Whether a clip of `frames` can be what the row's times cut out; proposals made from another would be shifted."""
    source = source_file(workspace, row)
    facts = probe(source)
    if not facts.seconds:
        return True
    end = facts.start + facts.seconds if row.end is None else row.end
    expected = end - clip_beginning(source, row.start)
    return abs(frames / FRAME_RATE - expected) <= 0.02 * expected + 0.5


def _seconds(workspace: Workspace, row: ManifestRow, cut: tuple[int, int]) -> tuple[float, float]:
    """The source's seconds of the clip's frames [first, end), so that its pictures are exactly those."""
    source = source_file(workspace, row)
    beginning = clip_beginning(source, row.start)
    # Frame n shows the last picture before (n + ½) / 30 s, which began up to one of the source's frames earlier.
    rate = probe(source).frame_rate or FRAME_RATE
    first, end = ((frame + 0.5) / FRAME_RATE for frame in (cut[0], cut[1] - 1))
    begins = beginning if cut[0] == 0 else beginning + first - 1 / min(rate, FRAME_RATE)
    return max(0.0, begins), beginning + end


def proposed_rows(
    workspace: Workspace, proposals: Sequence[Proposal], as_in_thesis: bool = False
) -> list[dict[str, str]]:
    """The manifest's rows with the proposals in them, columns of a person's own included.

    The first part of a row that is split keeps its number, if it has one; others take numbers that are free among the
    parts of their source.
    """
    cells = dict(read_numbered_csv(workspace.manifest))
    taken: dict[str, set[str]] = {}
    for proposal in proposals:
        taken.setdefault(proposal.row.source, set()).add(proposal.row.part)
    rows = []
    for number, proposal in enumerate(proposals, start=1):
        row, split = proposal.row, len(proposal.cuts) > 1
        for index, cut in enumerate(proposal.cuts or (None,)):
            made = dict(cells[row.line])
            part = row.part
            if split and (index or not part):
                part = next(n for n in map(str, itertools.count(1)) if n not in taken[row.source])
                taken[row.source].add(part)
            if split:
                made["clip"] = f"{without_part(row.clip, row.part)}-{part}"
            if cut is not None:
                made |= {"start": write_time(cut[0]), "end": write_time(cut[1]), "part": part}
            facts = workspace.probe(row.clip)
            if as_in_thesis and facts.exists() and not is_annotated(workspace, row):
                made["clip"] = thesis_name(index_of(row.clip, number), read_json(facts), part)
            rows.append(made)
    return rows


def apply_trims(workspace: Workspace) -> Path:
    """Makes ``trims.csv`` the manifest; returns where the old one went.

    Raises:
      InputError: ``trims.csv`` is missing, or no good manifest.
    """
    trims = workspace.root / "trims.csv"
    read_manifest_file(trims)
    number = next(n for n in itertools.count(1) if not (workspace.root / f"manifest-old-{n}.csv").exists())
    kept = workspace.root / f"manifest-old-{number}.csv"
    write_text(kept, workspace.manifest.read_text(encoding="utf-8"))
    write_text(workspace.manifest, trims.read_text(encoding="utf-8"))
    return kept


def main(argv: list[str]) -> int:
    chosen = options.from_flags(SuggestOptions)
    if not chosen.workspace:
        raise InputError("--workspace", "no workspace is named", "give the folder that holds manifest.csv")
    workspace = Workspace(Path(chosen.workspace))
    trims = workspace.root / "trims.csv"
    limits = options.from_flags(TrimOptions)
    proposals = [propose(workspace, row, limits) for row in read_manifest(workspace)]
    rows = proposed_rows(workspace, proposals, chosen.rename_as_in_thesis)
    own = [column for column in rows[0] if column not in COLUMNS]
    write_csv(trims, (*COLUMNS, *own), rows)
    for proposal in proposals:
        print(f"{proposal.row.clip}: {proposal.reason}")
    changed = sum(bool(proposal.cuts) for proposal in proposals)
    print(f"{changed} of {len(proposals)} clips to cut, {len(rows)} clips then: {trims}")
    if chosen.apply:
        print(f"{trims} is the manifest now; the old one is {apply_trims(workspace)}. Run data_pipeline.build again")
    return 0


if __name__ == "__main__":
    options.run_main(main, SuggestOptions, TrimOptions)
