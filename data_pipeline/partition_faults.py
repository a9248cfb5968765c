"""Why no partition is as it shall be: which constraint is at fault, and who the people are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from data_pipeline.partition_criteria import Criterion
from data_pipeline.partition_entries import LabelledEntry
from data_pipeline.partition_options import PartitionOptions
from data_pipeline.partition_solver import SLACK, Assignment, assign_groups
from tfrecords.errors import InputError

# Named in messages; a group may have hundreds.
SHOWN_PEOPLE = 8
# From this distance on, a note names the largest group.
FAR = 0.1


def check_fixed(
    path: str, entries: Sequence[LabelledEntry], groups: Sequence[Sequence[int]], fixed: Mapping[str, int]
) -> dict[int, int]:
    """Group -> its part, from entry -> part; raises `InputError` where a group's people are fixed to two parts."""
    parts: dict[int, int] = {}
    for number, group in enumerate(groups):
        found = {fixed[entries[index].entry]: entries[index] for index in group if entries[index].entry in fixed}
        if len(found) > 1:
            first, second = list(found.values())[:2]
            who = f"{first.subject} in {first.entry} and {second.subject} in {second.entry}"
            what = f"it puts {who} into two parts, but they are one person or share a clip"
            raise InputError(path, what, "give them one part, or delete one of the lines")
        if found:
            parts[number] = next(iter(found))
    return parts


def check_feasible(
    entries: Sequence[LabelledEntry],
    groups: Sequence[Sequence[int]],
    criteria: Sequence[Criterion],
    shares: Sequence[float],
    limits: Mapping[str, float],
    fixed: Mapping[int, int],
    found: Assignment,
    options: PartitionOptions,
) -> None:
    """Raises `InputError` saying why the `limits` cannot be kept; `criteria` are of groups."""
    wanted = sum(share > 0 for share in shares)
    if len(groups) < wanted:
        everybody = sorted({entry.subject for entry in entries})
        what = f"{len(groups)} groups of people ({_people(everybody)}) cannot fill {wanted} parts"
        raise InputError("--limits", what, "label clips of more people, or ask for fewer parts with --shares")
    over = [c for c in criteria if c.distance(found.parts) > limits.get(c.name, np.inf) + SLACK]
    for criterion in over:
        if criterion.name not in ("videos", "frames"):
            continue
        sizes, allowed = criterion.values[0], max(shares) + limits[criterion.name]
        largest = int(sizes.argmax())
        if sizes[largest] > allowed + SLACK:
            what = f"{criterion.name}={limits[criterion.name]:g} cannot be kept: {_holds(entries, groups, largest)} "
            what += f"{sizes[largest]:.0%} of all {criterion.name}, and stay together; no part may have more than "
            raise InputError("--limits", what + f"{allowed:.0%}", "raise the limit, or leave some of their clips out")
    for criterion in over:
        only = {criterion.name: limits[criterion.name]}
        if fixed and assign_groups(criteria, shares, {}, only, None, options).within_limits:
            if not assign_groups(criteria, shares, {}, only, fixed, options).within_limits:
                people = sorted({entries[index].subject for group in fixed for index in groups[group]})
                what = f"{criterion.name}={limits[criterion.name]:g} can be kept, but not with the fixed parts of "
                raise InputError("--fixed", what + _people(people), "raise the limit, or fix fewer entries")
        elif not assign_groups(criteria, shares, _only(criteria, criterion), only, fixed, options).within_limits:
            what = f"{criterion.name}={limits[criterion.name]:g} cannot be kept by these {len(groups)} groups of people"
            what += f"; the nearest partition found is {criterion.distance(found.parts):.4f} away"
            raise InputError("--limits", what, "raise this limit")
    told = ", ".join(f"{c.name} is {c.distance(found.parts):.4f} away, allowed {limits[c.name]:g}" for c in over)
    surely = "cannot all be kept" if found.proven_infeasible else "were not all kept by any partition found"
    raise InputError("--limits", f"the limits {surely}, though each alone can: {told}", "raise one of them, or --nodes")


def describe_largest(
    entries: Sequence[LabelledEntry],
    groups: Sequence[Sequence[int]],
    criteria: Sequence[Criterion],
    parts: np.ndarray,
    shares: Sequence[float],
) -> list[str]:
    """Sentences on what keeps a partition far from its targets: too few groups, or one that holds too much."""
    notes = []
    wanted = sum(share > 0 for share in shares)
    if len(groups) < wanted:
        people = _people(sorted({entry.subject for entry in entries}))
        notes.append(f"{len(groups)} groups of people ({people}) cannot fill {wanted} parts")
    for criterion in criteria:
        if criterion.name not in ("videos", "frames") or criterion.distance(parts) < FAR:
            continue
        sizes = criterion.grouped(groups).values[0]
        largest = int(sizes.argmax())
        far = f"{criterion.name}: {criterion.distance(parts):.0%} away from the shares; the largest group, "
        notes.append(f"{far}{_holds(entries, groups, largest)} {sizes[largest]:.0%} of all, and stay together")
    return notes


def _only(criteria: Sequence[Criterion], criterion: Criterion) -> dict[str, float]:
    return {other.name: float(other.name == criterion.name) for other in criteria}


def _holds(entries: Sequence[LabelledEntry], groups: Sequence[Sequence[int]], group: int) -> str:
    people = sorted({entries[index].subject for index in groups[group]})
    return f"{_people(people)} {'holds' if len(people) == 1 else 'hold'}"


def _people(people: Sequence[str]) -> str:
    more = f" and {len(people) - SHOWN_PEOPLE} more" if len(people) > SHOWN_PEOPLE else ""
    return ", ".join(people[:SHOWN_PEOPLE]) + more
