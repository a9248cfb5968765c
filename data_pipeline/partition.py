"""Entries -> training, validation and test, no person in two of them: ``python -m data_pipeline.partition``."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse
import scipy.sparse.csgraph

from data_pipeline.manifest import ManifestRow
from tfrecords.convert import read_labels
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_csv, write_csv

PARTITIONS = ("train", "validation", "test")
COLUMNS = ("entry", "clip", "subject", "partition", "frames", "valence", "arousal")


@dataclasses.dataclass(frozen=True)
class PartitionOptions:
    """How large the parts shall be."""

    shares: tuple[str, ...] = option(
        ("0.64", "0.16", "0.20"), "shares of train, validation and test (thesis: 64/16/20)"
    )


def partition_database(workspace: Workspace, rows: Sequence[ManifestRow], options: PartitionOptions) -> dict[str, int]:
    """Writes ``partition.csv`` for all entries that have labels; returns the entries in each part.

    Raises:
      InputError: a labelled entry has no subject (naming the manifest's line), nothing is labelled, or bad shares.
    """
    shares = _read_shares(options.shares)
    entries: list[dict[str, Any]] = []
    for row in rows:
        for person, entry in enumerate(row.entries()):
            if not workspace.labels(entry).exists():
                continue
            if not row.subjects:
                what = f"column 'subjects' is empty for the labelled clip {row.clip}"
                raise InputError(workspace.manifest, what, "name the person, so that nobody enters two parts", row.line)
            labels = list(read_labels(workspace.labels(entry)).values())
            values = {name: np.mean([label[name] for label in labels]) / 1000 for name in ("valence", "arousal")}
            identity = {"entry": entry, "clip": row.clip, "subject": row.subjects[person], "frames": len(labels)}
            entries.append(identity | {name: round(float(value), 4) for name, value in values.items()})
    if not entries:
        raise InputError(workspace.root / "labels", "no frame is labelled", "annotate clips and run the stage match")
    subjects = [{row.subjects[person] for person in range(len(row.subjects))} for row in rows]
    groups = _groups_of_people([entry["subject"] for entry in entries], subjects)
    totals = np.array([[1, e["frames"], e["frames"] * e["valence"], e["frames"] * e["arousal"]] for e in entries])
    parts = assign_groups(np.array([totals[group].sum(axis=0) for group in groups]), shares)
    for group, part in zip(groups, parts, strict=True):
        for index in group:
            entries[index]["partition"] = PARTITIONS[part]
    write_csv(workspace.partition, COLUMNS, entries)
    return {name: sum(entry["partition"] == name for entry in entries) for name in PARTITIONS}


def leave_out(workspace: Workspace, clips: Collection[str]) -> None:
    """Takes clips out of ``partition.csv``, so that nobody asks for records that are not there."""
    if clips and workspace.partition.exists():
        rows = read_csv(workspace.partition, COLUMNS)
        write_csv(workspace.partition, COLUMNS, [row for row in rows if row["clip"] not in clips])


def assign_groups(totals: np.ndarray, shares: Sequence[float]) -> list[int]:
    """The part (0 to P-1) of each group, so that every total comes as near to its shares as can be.

    A mixed-integer program solved by HiGHS: the sum over parts and totals of the distance to the share, each total in
    units of its own sum, is least. The same input gives the same answer.

    Args:
      totals: (G, K) non-negative or signed totals of each group; the first counts entries.
      shares: P shares that sum to 1.
    """
    groups, kinds = totals.shape
    parts = len(shares)
    scale = np.maximum(np.abs(totals).sum(axis=0), 1e-9)
    unit = totals / scale
    assigned, distances = groups * parts, parts * kinds
    one_part_each = scipy.sparse.kron(scipy.sparse.eye(groups), np.ones((1, parts)))
    none = scipy.sparse.csr_matrix((groups, distances))
    constraints = [scipy.optimize.LinearConstraint(scipy.sparse.hstack([one_part_each, none]), 1, 1)]
    # unit'x - share <= d and share - unit'x <= d, for each part and total.
    reached = scipy.sparse.kron(unit.T, scipy.sparse.eye(parts))  # rows: total by total, part by part
    wanted = np.outer(unit.sum(axis=0), shares).ravel()
    distance = scipy.sparse.eye(distances)
    constraints.append(scipy.optimize.LinearConstraint(scipy.sparse.hstack([reached, -distance]), -np.inf, wanted))
    constraints.append(scipy.optimize.LinearConstraint(scipy.sparse.hstack([reached, distance]), wanted, np.inf))
    if groups >= parts:
        some = scipy.sparse.kron(np.ones((1, groups)), scipy.sparse.eye(parts))
        none = scipy.sparse.csr_matrix((parts, distances))
        least = (np.array(shares) > 0).astype(float)
        constraints.append(scipy.optimize.LinearConstraint(scipy.sparse.hstack([some, none]), least, np.inf))
    solution = scipy.optimize.milp(
        np.concatenate([np.zeros(assigned), np.ones(distances)]),
        constraints=constraints,
        integrality=np.concatenate([np.ones(assigned), np.zeros(distances)]),
        bounds=scipy.optimize.Bounds(0, np.concatenate([np.ones(assigned), np.full(distances, np.inf)])),
        # A limit of nodes, not of seconds: the answer must not depend on how busy the machine is.
        options={"node_limit": 2000, "mip_rel_gap": 0.05},
    )
    if solution.x is None:
        raise RuntimeError(f"HiGHS found no partition of {groups} groups: {solution.message}")
    return solution.x[:assigned].reshape(groups, parts).argmax(axis=1).tolist()


def _groups_of_people(subjects: Sequence[str], together: Sequence[set[str]]) -> list[list[int]]:
    """Indices of `subjects` (one an entry) that must stay in one part: the same person, or two people of one clip."""
    names = sorted(set(subjects).union(*together))
    number = {name: index for index, name in enumerate(names)}
    pairs = [(number[min(both)], number[max(both)]) for both in together if both]
    ones = np.ones(len(pairs))
    graph = scipy.sparse.csr_matrix((ones, tuple(np.array(pairs, int).T)), shape=(len(names), len(names)))
    _, component = scipy.sparse.csgraph.connected_components(graph, directed=False)
    groups: dict[int, list[int]] = {}
    for index, subject in enumerate(subjects):
        groups.setdefault(component[number[subject]], []).append(index)
    return list(groups.values())


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


if __name__ == "__main__":
    from data_pipeline.stage_binary import run_one_stage  # it imports this file as a module

    run_one_stage("partition")
