"""Local search over partitions: groups change their part, or two groups change places, while that brings it nearer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_pipeline.partition_criteria import Criterion

# What a distance over its limit costs, against 1 for a distance within it.
OVER_LIMIT = 1000.0
BATCH = 2048
# Below this many moves and exchanges all are tried; above, random batches of them.
ALL_OF = 40_000
PATIENCE = 12
MOST_STEPS = 4000
GAIN = 1e-12


def split_by_shares(
    sizes: np.ndarray, shares: Sequence[float], allowed: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Groups in random order, each to the allowed part that lacks most of its share of the summed `sizes` (G,)."""
    missing = np.array(shares) * sizes.sum()
    parts = np.full(len(sizes), -1)
    # Those without a choice first, then the large ones, which would not fit later.
    free = allowed.sum(axis=1) > 1
    for group in np.lexsort((rng.permutation(len(sizes)), -sizes, free)):
        part = int(np.where(allowed[group], missing, -np.inf).argmax())
        parts[group] = part
        missing[part] -= sizes[group]
    return parts


def improve(
    criteria: Sequence[Criterion],
    weight: np.ndarray,
    limit: np.ndarray,
    allowed: np.ndarray,
    start: np.ndarray,
    kicks: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """The best partition met: from `start` down to a local optimum, then from the best one, disturbed, `kicks` times.

    Args:
      weight, limit: float64 (criteria,); a distance over its limit counts a thousandfold.
      allowed: bool (G, P), the parts that each group may be in.
      start: int (G,).
    """
    search = _Search(criteria, weight, limit, allowed)
    best = search.descend(start, rng)
    least = search.cost(best)
    free = np.flatnonzero(allowed.sum(axis=1) > 1)
    for _ in range(kicks if len(free) > 3 else 0):
        disturbed = best.copy()
        chosen = rng.choice(free, min(6, len(free)), replace=False)
        disturbed[chosen] = np.roll(disturbed[chosen], 1)
        if not allowed[chosen, disturbed[chosen]].all():
            continue
        found = search.descend(disturbed, rng)
        cost = search.cost(found)
        if cost < least - GAIN:
            best, least = found, cost
    return best


class _Search:
    """The problem as arrays: `values` (G, K) of all criteria's sums, `of_criterion` (criteria, K)."""

    def __init__(
        self, criteria: Sequence[Criterion], weight: np.ndarray, limit: np.ndarray, allowed: np.ndarray
    ) -> None:
        self.weight, self.limit, self.allowed = weight, limit, allowed
        # A group of nothing at the end, so that a move is an exchange with it.
        values = np.vstack([criterion.values for criterion in criteria]).T
        self.values = np.vstack([values, np.zeros((1, values.shape[1]))])
        self.target = np.vstack([criterion.target for criterion in criteria])
        self.of_criterion = np.repeat(np.eye(len(criteria)), [len(c.categories) for c in criteria], axis=1) / 2

    def _deviations(self, parts: np.ndarray) -> np.ndarray:
        return self.values[:-1].T @ np.eye(self.target.shape[1])[parts] - self.target

    def _costs(self, distances: np.ndarray) -> np.ndarray:
        """Distances (criteria, …) -> (…)."""
        over = np.maximum(distances.T - self.limit, 0)
        return distances.T @ self.weight + OVER_LIMIT * over.sum(axis=-1)

    def cost(self, parts: np.ndarray) -> float:
        return float(self._costs(self.of_criterion @ np.abs(self._deviations(parts)).sum(axis=1)))

    def descend(self, start: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Takes the best change of each batch until a whole round of batches brings nothing."""
        parts = start.copy()
        deviations = self._deviations(parts)
        cost, idle = self.cost(parts), 0
        candidates = self._all_changes()
        rounds = PATIENCE if candidates is None else -(-len(candidates[0]) // BATCH)
        at = 0
        for _ in range(MOST_STEPS):
            if idle >= rounds:
                break
            if candidates is None:
                first, second, part = self._random_changes(parts, rng)
            else:
                first, second, part = (column[at : at + BATCH] for column in candidates)
                at = at + BATCH if at + BATCH < len(candidates[0]) else 0
            first, second, part = self._possible(parts, first, second, part)
            if len(first):
                costs = self._after(parts, deviations, first, second, part)
                chosen = int(costs.argmin())
            if not len(first) or costs[chosen] >= cost - GAIN:
                idle += 1
                continue
            one, other, to = int(first[chosen]), int(second[chosen]), int(part[chosen])
            if other < len(parts):
                parts[other] = parts[one]
            parts[one] = to
            deviations = self._deviations(parts)
            cost, idle = float(costs[chosen]), 0
        return parts

    def _all_changes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Every move (`second` is the group of nothing) and every exchange (`part` is -1: that of `second`)."""
        groups, parts = self.allowed.shape
        if groups * parts + groups * (groups - 1) // 2 > ALL_OF:
            return None
        group, part = np.meshgrid(np.arange(groups), np.arange(parts), indexing="ij")
        one, other = np.triu_indices(groups, 1)
        first = np.concatenate([group.ravel(), one])
        second = np.concatenate([np.full(groups * parts, groups), other])
        return first, second, np.concatenate([part.ravel(), np.full(len(one), -1)])

    def _random_changes(self, parts: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        groups, number = self.allowed.shape
        first = rng.integers(0, groups, BATCH)
        moves = rng.random(BATCH) < 0.3
        second = np.where(moves, groups, rng.integers(0, groups, BATCH))
        return first, second, np.where(moves, rng.integers(0, number, BATCH), -1)

    def _possible(
        self, parts: np.ndarray, first: np.ndarray, second: np.ndarray, part: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The changes that change something, obey `allowed` and leave no part empty; `part` filled in."""
        groups = len(parts)
        moves = second == groups
        where = np.append(parts, 0)
        to = np.where(moves, part, where[second])
        counts = np.bincount(parts, minlength=self.allowed.shape[1])
        good = (to != parts[first]) & self.allowed[first, to]
        back = np.vstack([self.allowed, np.ones((1, self.allowed.shape[1]), bool)])
        good &= back[second, parts[first]] & ~(moves & (counts[parts[first]] == 1))
        return first[good], second[good], to[good]

    def _after(
        self, parts: np.ndarray, deviations: np.ndarray, first: np.ndarray, second: np.ndarray, part: np.ndarray
    ) -> np.ndarray:
        """The cost after each change alone, (M,)."""
        size = np.abs(deviations)
        difference = (self.values[second] - self.values[first]).T
        of, to = parts[first], part
        change = np.abs(deviations[:, of] + difference) + np.abs(deviations[:, to] - difference)
        change -= size[:, of] + size[:, to]
        return self._costs(self.of_criterion @ (change + size.sum(axis=1)[:, None]))
