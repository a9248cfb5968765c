"""How well raters agree: intraclass correlations, Cronbach's alpha, pairwise CCC and Pearson correlation.

All take ``ratings`` float (N, K): N things rated (here moments of a clip) by K raters, no value missing. The intraclass
correlations are those of Shrout & Fleiss, "Intraclass correlations: uses in assessing rater reliability",
Psychological Bulletin 86 (1979).
"""

from __future__ import annotations

import numpy as np

# In the order of agreement.csv.
INTRACLASS = ("icc_2_1", "icc_2_k", "icc_3_1", "icc_3_k")
MEASURES = (*INTRACLASS, "alpha", "ccc", "pearson")


def measure_agreement(ratings: np.ndarray) -> dict[str, float]:
    """All of `MEASURES` for ratings (N, K); ``ccc`` and ``pearson`` are means over the pairs of annotators."""
    pairs = np.triu_indices(ratings.shape[1], 1)
    found = intraclass_correlations(ratings) | {"alpha": cronbach_alpha(ratings)}
    if len(ratings) < 2:
        return found | {"ccc": float("nan"), "pearson": float("nan")}
    means = {"ccc": pairwise_ccc(ratings)[pairs].mean(), "pearson": pairwise_pearson(ratings)[pairs].mean()}
    return found | {name: float(value) for name, value in means.items()}


def intraclass_correlations(ratings: np.ndarray) -> dict[str, float]:
    """ICC(2,1) and ICC(2,k), absolute agreement of one rater and of their mean, and ICC(3,1) and ICC(3,k), consistency.

    Two-way analysis of variance without replication. NaN where nothing varies, or with fewer than two raters or things.
    """
    things, raters = ratings.shape
    if things < 2 or raters < 2:
        return dict.fromkeys(INTRACLASS, float("nan"))
    grand, by_thing, by_rater = ratings.mean(), ratings.mean(axis=1), ratings.mean(axis=0)
    rows = raters * np.sum((by_thing - grand) ** 2) / (things - 1)
    columns = things * np.sum((by_rater - grand) ** 2) / (raters - 1)
    rest = np.sum((ratings - by_thing[:, None] - by_rater + grand) ** 2) / ((things - 1) * (raters - 1))
    between = (columns - rest) / things
    return {
        "icc_2_1": _ratio(rows - rest, rows + (raters - 1) * rest + raters * between),
        "icc_2_k": _ratio(rows - rest, rows + between),
        "icc_3_1": _ratio(rows - rest, rows + (raters - 1) * rest),
        "icc_3_k": _ratio(rows - rest, rows),
    }


def cronbach_alpha(ratings: np.ndarray) -> float:
    """``K / (K - 1) * (1 - sum of the raters' variances / variance of their sum)``; it equals ICC(3,k)."""
    things, raters = ratings.shape
    if things < 2 or raters < 2:
        return float("nan")
    together = ratings.sum(axis=1).var(ddof=1)
    return raters / (raters - 1) * _ratio(together - ratings.var(axis=0, ddof=1).sum(), together)


def pairwise_ccc(ratings: np.ndarray) -> np.ndarray:
    """Concordance correlation of each pair of raters (K, K), 1 on the diagonal; 0 where only one of them moves."""
    means, covariance = ratings.mean(axis=0), np.atleast_2d(np.cov(ratings, rowvar=False, bias=True))
    variances = np.diag(covariance)
    below = variances[:, None] + variances + (means[:, None] - means) ** 2
    # Two raters who both say the same one thing throughout agree.
    return np.where(below > 1e-12, 2 * covariance / np.maximum(below, 1e-12), 1.0)


def pairwise_pearson(ratings: np.ndarray) -> np.ndarray:
    """Pearson correlation of each pair of raters (K, K), 1 on the diagonal.

    It is undefined where a rater never moves, and taken as 0, or as 1 where neither of the two does.
    """
    covariance = np.atleast_2d(np.cov(ratings, rowvar=False, bias=True))
    spread = np.sqrt(np.diag(covariance))
    still = spread < 1e-9
    below = np.outer(np.where(still, 1.0, spread), np.where(still, 1.0, spread))
    found = np.where(still[:, None] | still, 0.0, covariance / below)
    return np.where(still[:, None] & still, 1.0, np.clip(found, -1, 1))


def mean_with_others(pairwise: np.ndarray) -> np.ndarray:
    """The mean of each rater's row of a pairwise measure (K, K) without the diagonal; (K,), NaN for a lone rater."""
    raters = len(pairwise)
    if raters < 2:
        return np.full(raters, np.nan)
    return (pairwise.sum(axis=1) - np.diag(pairwise)) / (raters - 1)


def _ratio(above: float, below: float) -> float:
    return float(above / below) if abs(below) > 1e-12 else float("nan")
