"""Statistics that look at order alone: correlation, differences, trend. Reads and draws nothing."""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from auglens.study.statistics.intervals import mean_interval

__all__ = [
    "Friedman",
    "RankCorrelation",
    "Trend",
    "critical_rho",
    "friedman",
    "spearman",
    "trend",
]

SIGNIFICANCE = 0.05
LARGEST_ENUMERATED = 8

Floats = NDArray[np.float64]


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


@dataclass(frozen=True)
class Friedman:
    """Friedman's test that no column tends to be larger than another within blocks.

    Attributes:
        n: Number of blocks.
        k: Number of columns.
        chi2: Friedman's statistic, corrected for ties; NaN, as all below except ``mean_ranks``,
            with fewer than two blocks or where every block is constant.
        p: Its p by the chi-squared distribution, too large with few blocks.
        f: Iman and Davenport's statistic, infinite where all blocks agree.
        p_f: Its p by the F distribution; where all blocks agree, the exact chance of that.
        mean_ranks: One a column, in [1, k]; rank 1 is the block's largest value, ties share their
            mean. NaN without blocks.
        kendall_w: Agreement of the blocks, 0 to 1.
    """

    n: int
    k: int
    chi2: float
    p: float
    f: float
    p_f: float
    mean_ranks: tuple[float, ...]
    kendall_w: float


@dataclass(frozen=True)
class Trend:
    """Whether values rise along ordered columns.

    Attributes:
        n: Number of blocks.
        k: Number of columns.
        rho: Mean over blocks of Spearman's rho with the order of the columns, in [-1, 1]; NaN where
            no block has one.
        low: Lower end of its 95 % t-interval over blocks; NaN with fewer than two that have one.
        high: Upper end, likewise.
        by_block: Rho of each block; NaN where it is constant.
        p: One-sided p of an increase; NaN with fewer than two blocks.
    """

    n: int
    k: int
    rho: float
    low: float
    high: float
    by_block: tuple[float, ...]
    p: float


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


def friedman(blocks: ArrayLike) -> Friedman:
    """Friedman's test with Iman and Davenport's correction; blocks with a NaN are left out.

    >>> friedman([[71, 88, 85], [70, 87, 84], [69, 86, 87]]).mean_ranks
    (3.0, 1.3333333333333333, 1.6666666666666667)

    Args:
        blocks: Values of the same columns in every block, shape ``(n, k)`` with at least three
            columns. What is told holds for blocks like these: seeds on one dataset speak of it
            alone.

    Raises:
        ValueError: If the shape is another.

    Reference:
        Iman and Davenport, "Approximations of the critical region of the Friedman statistic",
        Commun. Stat. 1980.
    """
    given = _complete(blocks)
    n, k = given.shape
    ranks = stats.rankdata(-given, axis=1)
    mean_ranks = tuple(ranks.mean(axis=0).tolist()) if n else (math.nan,) * k
    chi2 = p = f = p_f = concordance = math.nan
    if n > 1 and np.ptp(ranks, axis=1).any():
        chi2, p = map(float, stats.friedmanchisquare(*given.T))
        concordance = min(chi2 / (n * (k - 1)), 1.0)
        f, p_f = _iman_davenport(ranks, concordance)
    return Friedman(n, k, chi2, p, f, p_f, mean_ranks, concordance)


def trend(blocks: ArrayLike) -> Trend:
    """Whether values rise along columns in a hypothesised order; blocks with a NaN are left out.

    The p is of Page's test, exact for up to 12 blocks of up to 8 columns and 20 blocks of 3, from
    the normal approximation above; ties make it approximate.

    Args:
        blocks: Values of the same columns in every block, shape ``(n, k)`` with at least three
            columns, that of the smallest expected value first.

    Raises:
        ValueError: If the shape is another.

    Reference:
        Page, "Ordered hypotheses for multiple treatments", JASA 1963.
    """
    given = _complete(blocks)
    n, k = given.shape
    by_block = tuple(spearman(np.arange(k), block).rho for block in given)
    interval = mean_interval(by_block)
    p = float(stats.page_trend_test(given).pvalue) if n > 1 else math.nan
    return Trend(n, k, interval.mean, interval.low, interval.high, by_block, p)


def _complete(blocks: ArrayLike) -> Floats:
    given = np.asarray(blocks, np.float64)
    if given.ndim != 2 or given.shape[1] < 3:
        raise ValueError(f"`blocks` must be (n, k) with k of at least 3, got {given.shape}.")
    return given[np.isfinite(given).all(axis=1)]


def _iman_davenport(ranks: Floats, concordance: float) -> tuple[float, float]:
    n, k = ranks.shape
    if (ranks == ranks[0]).all():
        ties = np.unique(ranks[0], return_counts=True)[1]
        orders = math.factorial(k) / math.prod(math.factorial(count) for count in ties)
        return math.inf, orders ** (1 - n)
    f = (n - 1) * concordance / (1 - concordance)
    return f, float(stats.f.sf(f, k - 1, (k - 1) * (n - 1)))
