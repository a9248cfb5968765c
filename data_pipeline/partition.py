"""Entries -> training, validation and test, no person in two of them: ``python -m data_pipeline.partition``.

``partition.csv`` says which entry is where, ``partition.json`` what was reached and how far each criterion is from its
target (`partition_criteria`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline.manifest import ManifestRow
from data_pipeline.partition_criteria import Criterion, make_criteria
from data_pipeline.partition_entries import LabelledEntry, groups_of_people, read_entries
from data_pipeline.partition_faults import check_feasible, check_fixed, describe_largest
from data_pipeline.partition_options import CRITERIA, PartitionOptions
from data_pipeline.partition_solver import Assignment, assign_groups
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv, read_json, read_numbered_csv, write_csv, write_json

PARTITIONS = ("train", "validation", "test")
COLUMNS = ("entry", "clip", "subject", "partition", "frames", "valence", "arousal")
FACTS = ("gender", "valence_class")


@dataclasses.dataclass(frozen=True)
class Partition:
    """What `partition_database` did: entries a part, and the content of ``partition.json``."""

    counts: dict[str, int]
    facts: dict[str, Any]


def partition_database(workspace: Workspace, rows: Sequence[ManifestRow], options: PartitionOptions) -> Partition:
    """Writes ``partition.csv`` and ``partition.json`` for all entries that have labels.

    Raises:
      InputError: a labelled entry has no subject (naming the manifest's line), nothing is labelled, an option is bad,
        fixed parts tear people apart, or the limits cannot be kept (naming the constraint and the people).
    """
    shares = _read_shares(options.shares)
    weights, limits = (_read_numbers(name, getattr(options, name)) for name in ("weights", "limits"))
    entries = read_entries(workspace, rows, options)
    if not entries:
        raise InputError(workspace.root / "labels", "no frame is labelled", "annotate clips and run the stage match")
    fixed = read_fixed(Path(options.fixed), [entry for row in rows for entry in row.entries()]) if options.fixed else {}
    # People who share a clip stay together even where only one of them is labelled.
    groups = groups_of_people([entry.subject for entry in entries], [row.subjects for row in rows])
    criteria = make_criteria(entries, shares)
    _check_criteria(criteria, weights, limits)
    group_part = check_fixed(options.fixed, entries, groups, {name: PARTITIONS.index(p) for name, p in fixed.items()})
    grouped = [criterion.grouped(groups) for criterion in criteria]
    found = assign_groups(grouped, shares, weights, limits, group_part, options)
    if not found.within_limits:
        check_feasible(entries, groups, grouped, shares, limits, group_part, found, options)
    parts = np.empty(len(entries), int)
    for group, part in zip(groups, found.parts, strict=True):
        parts[group] = part
    facts = _facts(entries, groups, criteria, parts, shares, weights, limits, found)
    facts["notes"] = describe_largest(entries, groups, criteria, parts, shares)
    facts["fixed_entries"] = sum(entry.entry in fixed for entry in entries)
    write_json(reached_path(workspace), facts)
    write_csv(workspace.partition, (*COLUMNS, *FACTS), map(_row, entries, parts))
    return Partition({name: int((parts == part).sum()) for part, name in enumerate(PARTITIONS)}, facts)


def reached_path(workspace: Workspace) -> Path:
    """``partition.json``: what the partition reached."""
    return workspace.partition.with_suffix(".json")


def leave_out(workspace: Workspace, clips: Collection[str]) -> None:
    """Takes clips out of ``partition.csv``, so that nobody asks for records that are not there."""
    if clips and workspace.partition.exists():
        rows = read_csv(workspace.partition, COLUMNS)
        columns = tuple(rows[0]) if rows else COLUMNS
        write_csv(workspace.partition, columns, [row for row in rows if row["clip"] not in clips])


def read_fixed(path: Path, known: Collection[str]) -> dict[str, str]:
    """Entry -> its part, from a CSV with the columns ``entry`` and ``partition``.

    Raises:
      InputError: naming the line with an entry that is not `known` or is there twice, or a part that does not exist.
    """
    names, fixed = set(known), {}
    for line, row in read_numbered_csv(path, ("entry", "partition")):
        entry, part = row["entry"].strip(), row["partition"].strip()
        if entry not in names:
            raise InputError(path, f"the manifest has no entry {entry!r}", "mend or delete the line", line)
        if entry in fixed:
            raise InputError(path, f"the entry {entry} is there twice", "delete one of the lines", line)
        if part not in PARTITIONS:
            raise InputError(path, f"{part!r} is no part", f"write one of {', '.join(PARTITIONS)}", line)
        fixed[entry] = part
    return fixed


def format_reached(facts: dict[str, Any]) -> str:
    """``partition.json`` as a table for the terminal: what was reached in each part, and the distances."""
    lines = [f"{'':<12}{'':>14}" + "".join(f"{name:>16}" for name in PARTITIONS)]
    lines[0] += f"{'distance':>12}{'limit':>10}"
    for name, own in facts["criteria"].items():
        limit = "" if own["limit"] is None else f"{own['limit']:.4f}"
        for number, (category, sums) in enumerate(own["reached"].items()):
            if name in ("valence", "arousal"):
                continue
            cells = "".join(f"{sums[part]:>16,.0f}" for part in PARTITIONS)
            end = f"{own['distance']:>12.4f}{limit:>10}" if number == 0 else ""
            lines.append(f"{name if number == 0 else '':<12}{category:>14}{cells}{end}")
        if name in ("valence", "arousal"):
            cells = "".join(f"{own['part_distance'][part]:>16.4f}" for part in PARTITIONS)
            lines.append(f"{name:<12}{'histogram':>14}{cells}{own['distance']:>12.4f}{limit:>10}")
    lines += [f"note: {note}" for note in facts["notes"]]
    return "\n".join(line.rstrip() for line in lines)


def _facts(
    entries: Sequence[LabelledEntry],
    groups: Sequence[Sequence[int]],
    criteria: Sequence[Criterion],
    parts: np.ndarray,
    shares: Sequence[float],
    weights: dict[str, float],
    limits: dict[str, float],
    found: Assignment,
) -> dict[str, Any]:
    told = {}
    for criterion in criteria:
        reached, unit = criterion.reached(parts), _unit(criterion.name, entries)
        own: dict[str, Any] = {"distance": round(criterion.distance(parts), 6)}
        own |= {"weight": weights.get(criterion.name, 1.0), "limit": limits.get(criterion.name)}
        if criterion.name in ("valence", "arousal"):
            # Of each part by itself: the share of its frames that lie in other bins than the whole database's do.
            frames = np.array([entry.valence_histogram.sum() for entry in entries])
            in_part = [int(frames[parts == part].sum()) for part in range(len(PARTITIONS))]
            apart = np.abs(reached).sum(axis=0) / 2 * unit / np.maximum(in_part, 1)
            own["part_distance"] = dict(zip(PARTITIONS, apart.round(6).tolist(), strict=True))
        for name, sums in (("target", criterion.target), ("reached", reached)):
            own[name] = {
                category: dict(zip(PARTITIONS, (row * unit).round(2).tolist(), strict=True))
                for category, row in zip(criterion.categories, sums, strict=True)
            }
        told[criterion.name] = own
    return {
        "shares": dict(zip(PARTITIONS, shares, strict=True)),
        "entries": len(entries),
        "subjects": len({entry.subject for entry in entries}),
        "groups": len(groups),
        "method": found.method,
        "objective": round(found.objective, 6),
        "bound": round(found.bound, 6),
        "criteria": told,
    }


def _unit(name: str, entries: Sequence[LabelledEntry]) -> int:
    """What a sum of 1 stands for: entries (of known gender or class), or frames (with valence and arousal)."""
    units = {
        "videos": len(entries),
        "frames": sum(entry.frames for entry in entries),
        "gender": sum(bool(entry.gender) for entry in entries),
        "class": sum(bool(entry.valence_class) for entry in entries),
    }
    return units[name] if name in units else int(sum(entry.valence_histogram.sum() for entry in entries))


def _row(entry: LabelledEntry, part: int) -> dict[str, Any]:
    row = {name: getattr(entry, name) for name in (*COLUMNS, *FACTS) if name != "partition"}
    means = {name: "" if np.isnan(mean := getattr(entry, name)) else round(mean, 4) for name in ("valence", "arousal")}
    return row | {"partition": PARTITIONS[part]} | means


def _read_shares(words: Sequence[str]) -> list[float]:
    try:
        shares = [float(word) for word in words]
    except ValueError:
        shares = []
    # Put so that NaN, which compares as false, is refused.
    if len(shares) != len(PARTITIONS) or not (min(shares) >= 0 and abs(sum(shares) - 1) <= 1e-6):
        what = f"{','.join(words)!r} is not three shares that sum to 1"
        raise InputError("--shares", what, "give for example 0.64,0.16,0.20")
    return shares


def _read_numbers(flag: str, words: Sequence[str]) -> dict[str, float]:
    """``name=number`` words as a dict."""
    numbers = {}
    for word in words:
        name, _, number = word.partition("=")
        try:
            numbers[name] = float(number)
        except ValueError:
            numbers[name] = -1.0
        if name not in CRITERIA or not 0 <= numbers[name] < float("inf"):
            what = f"{word!r} is not CRITERION=NUMBER"
            raise InputError(f"--{flag}", what, f"name one of {', '.join(CRITERIA)} and a number from 0 on")
    return numbers


def _check_criteria(criteria: Sequence[Criterion], weights: dict[str, float], limits: dict[str, float]) -> None:
    there = {criterion.name for criterion in criteria}
    for flag, numbers in (("--weights", weights), ("--limits", limits)):
        for name in sorted(set(numbers) - there):
            remedy = "fill in the manifest's column 'gender'" if name == "gender" else "annotate valence and arousal"
            raise InputError(flag, f"no labelled entry has a {name}", remedy)


def _main() -> None:
    from data_pipeline.cluster import ClusterOptions
    from data_pipeline.pipeline import BuildOptions
    from data_pipeline.stage_binary import build_and_print, options_from_flags
    from tfrecords import options

    def main(argv: list[str]) -> int:
        chosen = options.from_flags(BuildOptions)
        code = build_and_print(chosen, ["partition"], options_from_flags())
        reached = reached_path(Workspace(Path(chosen.workspace)))
        if reached.exists():
            print(format_reached(read_json(reached)))
        return code

    options.run_main(main, BuildOptions, ClusterOptions, PartitionOptions)


if __name__ == "__main__":
    _main()
