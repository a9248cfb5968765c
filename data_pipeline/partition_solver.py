"""Groups of entries -> parts, as near to all criteria as can be: a mixed-integer program, and a local search.

Up to `PartitionOptions.exact_groups` groups HiGHS solves the program

    minimise Σ_c weight_c · distance_c   subject to   distance_c <= limit_c, a part for each group, no part empty

and the local search starts from its answer; above that number the program has no answer in a useful time, and the
local search starts from a random split by shares: with so many groups, sums are near their shares by themselves.
Limits are on nodes and steps, never on seconds: the answer must not depend on how busy the machine is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.optimize
import scipy.sparse

from data_pipeline.partition_criteria import Criterion
from data_pipeline.partition_options import PartitionOptions
from data_pipeline.partition_search import improve, split_by_shares

SLACK = 1e-9


@dataclasses.dataclass(frozen=True)
class Assignment:
    """Each group's part int (G,), how it was found, the weighted distance and a proven bound below it (0 if none)."""

    parts: np.ndarray
    method: str
    objective: float
    bound: float
    within_limits: bool
    proven_infeasible: bool = False


def assign_groups(
    criteria: Sequence[Criterion],
    shares: Sequence[float],
    weights: Mapping[str, float] | None = None,
    limits: Mapping[str, float] | None = None,
    fixed: Mapping[int, int] | None = None,
    options: PartitionOptions | None = None,
) -> Assignment:
    """The best part (0 to P-1) of each group; the same input gives the same answer.

    Args:
      criteria: with `values` (K, G), see `Criterion.grouped`.
      shares: P shares that sum to 1; a part of share 0 gets only what is `fixed` there.
      weights: by criterion, 1 where absent.
      limits: the largest distance wanted by criterion. Where no partition was found that keeps them all,
        `within_limits` is false and the nearest one is given.
      fixed: group -> part.
    """
    options, limits = options or PartitionOptions(), limits or {}
    groups = criteria[0].values.shape[1]
    allowed = np.tile(np.array(shares) > 0, (groups, 1))
    for group, part in (fixed or {}).items():
        allowed[group] = np.arange(len(shares)) == part
    weight = np.array([(weights or {}).get(criterion.name, 1.0) for criterion in criteria])
    limit = np.array([limits.get(criterion.name, np.inf) for criterion in criteria])
    rng = np.random.default_rng(options.partition_seed)
    exact, bound, infeasible = None, 0.0, False
    if groups <= options.exact_groups:
        exact, bound, infeasible = _solve(criteria, weight, limit, allowed, np.array(shares) > 0, options.nodes)
    start = exact if exact is not None else split_by_shares(criteria[0].values[0], shares, allowed, rng)
    parts = improve(
        criteria, weight, limit, allowed, start, options.kicks if groups <= options.exact_groups else 0, rng
    )
    distances = np.array([criterion.distance(parts) for criterion in criteria])
    method = "local search" if exact is None else "mixed-integer program and local search"
    within = bool((distances <= limit + SLACK).all())
    return Assignment(parts, method, float(weight @ distances), bound, within, infeasible)


def _solve(
    criteria: Sequence[Criterion],
    weight: np.ndarray,
    limit: np.ndarray,
    allowed: np.ndarray,
    wanted: np.ndarray,
    nodes: int,
) -> tuple[np.ndarray | None, float, bool]:
    """The program's best answer (None if none was found), a bound below it, and whether none can exist."""
    groups, parts = allowed.shape
    kinds = [len(criterion.categories) for criterion in criteria]
    assigned, deviations = groups * parts, sum(kinds) * parts
    values = np.vstack([criterion.values for criterion in criteria])
    target = np.vstack([criterion.target for criterion in criteria]).ravel()
    of_criterion = np.repeat(np.eye(len(criteria)), [kind * parts for kind in kinds], axis=1) / 2
    # Variables: group by group its parts (0 or 1), then each sum's deviation in each part.
    one_each = scipy.sparse.kron(scipy.sparse.eye(groups), np.ones((1, parts)))
    reached = scipy.sparse.kron(values, scipy.sparse.eye(parts))
    deviation = scipy.sparse.eye(deviations)
    no_deviation = scipy.sparse.csr_matrix((groups, deviations))
    constraints = [
        scipy.optimize.LinearConstraint(scipy.sparse.hstack([one_each, no_deviation]), 1, 1),
        scipy.optimize.LinearConstraint(scipy.sparse.hstack([reached, -deviation]), -np.inf, target),
        scipy.optimize.LinearConstraint(scipy.sparse.hstack([reached, deviation]), target, np.inf),
    ]
    if np.isfinite(limit).any():
        rows = scipy.sparse.hstack([scipy.sparse.csr_matrix((len(criteria), assigned)), of_criterion])
        constraints.append(scipy.optimize.LinearConstraint(rows, -np.inf, limit))
    if groups >= wanted.sum():
        some = scipy.sparse.kron(np.ones((1, groups)), scipy.sparse.eye(parts))
        rows = scipy.sparse.hstack([some, scipy.sparse.csr_matrix((parts, deviations))])
        least = (wanted & allowed.any(axis=0)).astype(float)
        constraints.append(scipy.optimize.LinearConstraint(rows, least, np.inf))
    solution = scipy.optimize.milp(
        np.concatenate([np.zeros(assigned), weight @ of_criterion]),
        constraints=constraints,
        integrality=np.concatenate([np.ones(assigned), np.zeros(deviations)]),
        bounds=scipy.optimize.Bounds(0, np.concatenate([allowed.ravel().astype(float), np.full(deviations, np.inf)])),
        options={"node_limit": nodes, "mip_rel_gap": 0.01},
    )
    bound = float(solution.mip_dual_bound) if getattr(solution, "mip_dual_bound", None) is not None else 0.0
    if solution.x is None:
        return None, 0.0, solution.status == 2
    return solution.x[:assigned].reshape(groups, parts).argmax(axis=1), max(bound, 0.0), False
