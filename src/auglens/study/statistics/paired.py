"""Two conditions compared seed by seed, and what could have been found. Draws nothing."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from auglens.study.statistics.intervals import mean_interval, sample_sd

__all__ = [
    "PairedDifference",
    "paired_difference",
    "power_of_paired_t",
    "probability_of_improvement",
    "sign_flip_p",
]

POWER = 0.8
LARGEST_ENUMERATED = 16
NUM_FLIPS = 100_000
FLIPS_CHUNK = 10_000
# Equal up to rounding: differences that should tie seldom do so to the last bit.
TOLERANCE = 1e-9

Alternative = Literal["two-sided", "greater", "less"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairedDifference:
    """How much larger the first of two paired conditions is.

    Attributes:
        n: Number of pairs.
        mean: Mean difference; NaN without pairs.
        sd: Standard deviation of the differences; NaN with fewer than two pairs, as all below
            except ``improvement``.
        low: Lower end of the 95 % t-interval of the mean difference.
        high: Upper end.
        t: Paired t; 0 if all differences are 0, infinite if they are all equal and not 0.
        p: Its two-sided p; 1 and 0 in these two cases.
        p_sign_flip: Two-sided p of :func:`sign_flip_p`.
        d_z: Cohen's d of paired values, ``mean / sd``; NaN if all differences are 0, infinite if
            they are all equal and not 0.
        improvement: Share of pairs whose first value is the larger, ties counting half; NaN without
            pairs. Not rliable's, which is unpaired: see :func:`probability_of_improvement`.
        smallest: Smallest true difference that the two-sided paired t-test would have found with
            80 % power, were ``sd`` the true one; 0 if ``sd`` is 0.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float
    t: float
    p: float
    p_sign_flip: float
    d_z: float
    improvement: float
    smallest: float


def paired_difference(
    first: ArrayLike, second: ArrayLike, *, rng: np.random.Generator, alpha: float = 0.05
) -> PairedDifference:
    """Compare two paired conditions; pairs with a NaN are left out.

    Args:
        first: One value a seed, shape ``(n,)``.
        second: Of the same seeds, in the same order; it is subtracted from ``first``.
        rng: Used by the sign flips above 16 pairs only.
        alpha: Level that ``smallest`` is for, in (0, 1); smaller than .05 where it is to survive a
            correction.

    Raises:
        ValueError: If the lengths differ.
    """
    differences = _differences(first, second)
    n = len(differences)
    interval = mean_interval(differences)
    sd = sample_sd(differences)
    t = p = flipped = d_z = smallest = math.nan
    improvement = float((1 + np.sign(differences).mean()) / 2) if n else math.nan
    if n > 1:
        d_z = _ratio(interval.mean, sd)
        t = d_z * math.sqrt(n) if interval.mean else 0.0
        p = float(2 * stats.t.sf(abs(t), n - 1))
        flipped = sign_flip_p(differences, rng=rng, alternative="two-sided")
        smallest = sd * _smallest_effect(n, alpha)
    ends = (interval.low, interval.high)
    return PairedDifference(n, interval.mean, sd, *ends, t, p, flipped, d_z, improvement, smallest)


def probability_of_improvement(first: ArrayLike, second: ArrayLike) -> float:
    """Chance that a random value of the first group is larger than one of the second.

    Unpaired: every value is compared with every value, as in rliable; ties count half. NaNs are
    left out, of each group on its own. NaN if a group is empty.

    Reference:
        Agarwal et al., "Deep RL at the edge of the statistical precipice", NeurIPS 2021,
        arXiv:2108.13264.
    """
    sides = (np.asarray(side, np.float64) for side in (first, second))
    larger, smaller = (side[np.isfinite(side)] for side in sides)
    if not larger.size or not smaller.size:
        return math.nan
    return float((1 + np.sign(np.subtract.outer(larger, smaller)).mean()) / 2)


def sign_flip_p(
    differences: ArrayLike, *, rng: np.random.Generator, alternative: Alternative
) -> float:
    """P-value of a mean difference of 0, by flipping the signs of the differences.

    The null is that each difference is as likely to have the other sign. Exact up to 16
    differences, by all ``2**n`` flips; above by 100,000 random ones, of which one is the data's
    own, so that p is never 0. NaNs are left out.

    Args:
        differences: One a pair, shape ``(n,)``.
        rng: Used above 16 differences only.
        alternative: What speaks against the null: a mean that is not 0, above 0 or below 0.

    Returns:
        A value in (0, 1], 1 if all differences are 0; NaN without differences.
    """
    given = np.asarray(differences, np.float64)
    given = given[np.isfinite(given)]
    if not given.size:
        return math.nan
    if alternative == "less":
        given = -given
    exact = len(given) <= LARGEST_ENUMERATED
    sums = _all_flipped_sums(given) if exact else _random_flipped_sums(given, rng)
    observed = given.sum()
    if alternative == "two-sided":
        sums, observed = np.abs(sums), abs(observed)
    extreme = np.count_nonzero(sums >= observed - TOLERANCE * np.abs(given).sum())
    return float(extreme / len(sums)) if exact else float((extreme + 1) / (len(sums) + 1))


def power_of_paired_t(difference: float, sd: float, n: int, alpha: float) -> float:
    """Chance that a two-sided paired t-test finds a true difference.

    >>> round(power_of_paired_t(1, 2, 34, 0.05), 3)
    0.808

    Args:
        difference: True mean of the differences.
        sd: True standard deviation of the differences, positive. Of conditions that each have
            standard deviation ``s`` and correlate by ``r`` over seeds: ``s * sqrt(2 * (1 - r))``.
        n: Number of pairs, at least 2.
        alpha: Level of the test, in (0, 1).

    Returns:
        A chance in [alpha, 1].

    Raises:
        ValueError: If ``sd`` or ``n`` is too small.
    """
    if not sd > 0:
        raise ValueError(f"`sd` must be positive, got {sd}.")
    if n < 2:
        raise ValueError(f"`n` must be at least 2, got {n}.")
    # SciPy's noncentral t is NaN far from 0, its noncentral F (of t squared) wrong at 0.
    noncentrality = n * (difference / sd) ** 2
    if noncentrality == 0:
        return alpha
    critical = stats.t.isf(alpha / 2, n - 1) ** 2
    return float(stats.ncf.sf(critical, 1, n - 1, noncentrality))


@lru_cache
def _smallest_effect(n: int, alpha: float) -> float:
    """The true mean, in standard deviations, that is found with 80 % power."""
    highest = 1.0
    while power_of_paired_t(highest, 1, n, alpha) < POWER:
        highest *= 2
    return float(
        optimize.brentq(lambda effect: power_of_paired_t(effect, 1, n, alpha) - POWER, 0, highest)
    )


def _differences(first: ArrayLike, second: ArrayLike) -> Floats:
    """First minus second, where differences that are 0 or all equal but for rounding are so."""
    pairs = np.stack([np.asarray(first, np.float64), np.asarray(second, np.float64)])
    pairs = pairs[:, np.isfinite(pairs).all(axis=0)]
    differences: Floats = pairs[0] - pairs[1]
    if not differences.size:
        return differences
    rounding = 4 * np.finfo(np.float64).eps * np.abs(pairs).max()
    if np.ptp(differences) <= rounding:
        differences = np.full_like(differences, np.median(differences))
    differences[np.abs(differences) <= rounding] = 0
    return differences


def _ratio(mean: float, sd: float) -> float:
    if sd == 0:
        return math.copysign(math.inf, mean) if mean else math.nan
    return mean / sd


def _all_flipped_sums(differences: Floats) -> Floats:
    sums = np.zeros(1)
    for difference in differences:
        sums = np.concatenate([sums + difference, sums - difference])
    return sums


def _random_flipped_sums(differences: Floats, rng: np.random.Generator) -> Floats:
    shape = (FLIPS_CHUNK, len(differences))
    chunks = [
        (2.0 * rng.integers(0, 2, size=shape, dtype=np.int8) - 1) @ differences
        for _ in range(NUM_FLIPS // FLIPS_CHUNK)
    ]
    return np.concatenate(chunks)
