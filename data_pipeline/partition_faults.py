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
        what = _too_large(entries, groups, criterion, limits[criterion.name])
        if what:
            raise InputError("--limits", what, "raise the limit, or leave some of their clips out")

    def kept(names: Sequence[str], fixed: Mapping[int, int]) -> bool:
        weights = {criterion.name: float(criterion.name in names) for criterion in criteria}
        only = {name: limits[name] for name in names}
        return assign_groups(criteria, shares, weights, only, fixed, options).within_limits

    everybody_fixed = sorted({entries[index].subject for group in fixed for index in groups[group]})
    remedy = "raise the limit, or fix fewer entries"
    for criterion in over:
        told = f"{criterion.name}={limits[criterion.name]:g}"
        if kept([criterion.name], fixed):
            continue
        if fixed and kept([criterion.name], {}):
            what = f"{told} can be kept, but not with the fixed parts of {_people(everybody_fixed)}"
            raise InputError("--fixed", what, remedy)
        what = f"{told} cannot be kept by these {len(groups)} groups of people; the nearest partition found is "
        what += f"{criterion.distance(found.parts):.4f} away; {_weighs_most(entries, groups, criterion)}"
        raise InputError("--limits", what, "raise this limit")
    if fixed and kept(list(limits), {}):
        what = f"the limits can all be kept, but not with the fixed parts of {_people(everybody_fixed)}"
        raise InputError("--fixed", what, remedy)
    told = "; ".join(
        f"{c.name} is {c.distance(found.parts):.4f} away, allowed {limits[c.name]:g}: "
        f"{_weighs_most(entries, groups, c)}"
        for c in over
    )
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


def _too_large(
    entries: Sequence[LabelledEntry], groups: Sequence[Sequence[int]], criterion: Criterion, limit: float
) -> str:
    """A sentence on the group that no part can take within `limit`; '' where there is none.

    Only of sums to which every group adds: what a group brings to a part beyond its target, nothing takes away again.
    """
    for category, values, target in zip(criterion.categories, criterion.values, criterion.target, strict=True):
        group, allowed = int(values.argmax()), float(target.max()) + limit
        if values.min() >= 0 and values[group] > allowed + SLACK:
            counted = criterion.name if len(criterion.categories) == 1 else f"{criterion.name} ({category})"
            what = f"{criterion.name}={limit:g} cannot be kept: {_holds(entries, groups, group)} {values[group]:.0%}"
            return f"{what} of all {counted}, and stay together; no part may have more than {allowed:.0%}"
    return ""


def _weighs_most(entries: Sequence[LabelledEntry], groups: Sequence[Sequence[int]], criterion: Criterion) -> str:
    """Who moves a criterion most, if they change their part."""
    weight = np.abs(criterion.values).sum(axis=0)
    group = int(weight.argmax())
    people = _people(sorted({entries[index].subject for index in groups[group]}))
    return f"most weighs the group of {people}, {weight[group] / max(weight.sum(), SLACK):.0%} of it"


def _holds(entries: Sequence[LabelledEntry], groups: Sequence[Sequence[int]], group: int) -> str:
    people = sorted({entries[index].subject for index in groups[group]})
    return f"{_people(people)} {'holds' if len(people) == 1 else 'hold'}"


def _people(people: Sequence[str]) -> str:
    more = f" and {len(people) - SHOWN_PEOPLE} more" if len(people) > SHOWN_PEOPLE else ""
    return ", ".join(people[:SHOWN_PEOPLE]) + more
