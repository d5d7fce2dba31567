"""Rank correlation, and when it could be told from none. Reads and draws nothing."""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

__all__ = ["RankCorrelation", "critical_rho", "spearman"]

SIGNIFICANCE = 0.05
LARGEST_ENUMERATED = 8


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation.

    Attributes:
        rho: In [-1, 1]; NaN with fewer than two points or where either side is constant.
        n: Number of points.
        critical: As of :func:`critical_rho`.
    """

    rho: float
    n: int
    critical: float | None


def spearman(first: ArrayLike, second: ArrayLike) -> RankCorrelation:
    """Spearman's rho of two equally long lists; pairs with a NaN are left out.

    Raises:
        ValueError: If the lengths differ.
    """
    pairs = np.stack([np.asarray(first, np.float64), np.asarray(second, np.float64)])
    pairs = pairs[:, np.isfinite(pairs).all(axis=0)]
    n = pairs.shape[1]
    rho = math.nan
    if n > 1:
        ranks = pd.DataFrame(pairs.T).rank().to_numpy().T
        ranks = ranks - ranks.mean(axis=1, keepdims=True)
        norms = np.sqrt((ranks**2).sum(axis=1)).prod()
        rho = float(ranks[0] @ ranks[1] / norms) if norms > 0 else math.nan
    return RankCorrelation(rho, n, critical_rho(n))


@lru_cache
def critical_rho(n: int) -> float | None:
    """The smallest |rho| of ``n`` untied points that 5 % two-sided could call significant.

    Exact, by going through all permutations.

    >>> critical_rho(5), round(critical_rho(6), 3)
    (1.0, 0.886)

    Returns:
        A value in (0, 1]; infinity where not even a perfect order is enough; None above 8 points,
        where it is not worked out.
    """
    if n > LARGEST_ENUMERATED:
        return None
    orders = np.array(list(permutations(range(n))))
    squares = ((orders - np.arange(n)) ** 2).sum(axis=1)
    sizes = np.abs(1 - 6 * squares / max(n * (n**2 - 1), 1))
    values, counts = np.unique(np.round(sizes, 12), return_counts=True)
    # Share of all orders that are at least as extreme as each value.
    tails = counts[::-1].cumsum()[::-1] / len(orders)
    significant = values[tails <= SIGNIFICANCE]
    return float(significant[0]) if significant.size else math.inf
