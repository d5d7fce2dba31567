"""Tests of "no difference that matters", and whether they could succeed. Draws nothing."""

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike
from scipy import integrate, special, stats

from auglens.study.statistics.intervals import mean_interval, sample_sd

__all__ = ["Equivalence", "correlation_equivalence_power", "equivalence"]

SIGNIFICANCE = 0.05
# Variance of Fisher's z of a rank correlation, times n - 3: Fieller et al., Biometrika 1957.
RANK_VARIANCE = 1.06


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided t-tests of a mean between ``-bound`` and ``bound``, each at 5 %.

    Attributes:
        n: Number of values.
        mean: NaN without values.
        low: Lower end of the 90 % t-interval; NaN with fewer than two values. The test succeeds if
            and only if the interval lies between ``-bound`` and ``bound``.
        high: Upper end, likewise.
        bound: Half-width of the range that counts as no difference.
        p: The larger of the two one-sided p-values; NaN with fewer than two values.
        power: Chance that the test succeeds if the true mean is 0 and the true standard deviation
            is the one found, in [0, 1]; NaN with fewer than two values.
    """

    n: int
    mean: float
    low: float
    high: float
    bound: float
    p: float
    power: float


def equivalence(values: ArrayLike, *, bound: float) -> Equivalence:
    """Test whether the mean of independent values lies within a bound of 0; NaNs are left out.

    Where all values are equal, p is 0 inside the bound and 1 elsewhere, and the power is 1.

    Args:
        values: Any number of them, such as differences of pairs.
        bound: Largest absolute mean that counts as none, positive, in the unit of the values.

    Raises:
        ValueError: If ``bound`` is not positive.

    Reference:
        Schuirmann, "A comparison of the two one-sided tests procedure and the power approach",
        J. Pharmacokinet. Biopharm. 1987.
    """
    if not bound > 0:
        raise ValueError(f"`bound` must be positive, got {bound}.")
    interval = mean_interval(values, confidence=1 - 2 * SIGNIFICANCE)
    n, mean, p, power = interval.n, interval.mean, math.nan, math.nan
    if n > 1:
        sd = sample_sd(values)
        p = _larger_p(mean, sd / math.sqrt(n), n, bound)
        power = _power_at_zero(sd, n, bound)
    return Equivalence(n, mean, interval.low, interval.high, bound, p, power)


def correlation_equivalence_power(n: int, bound: float) -> float:
    """Chance that two one-sided tests at 5 % find a rank correlation of 0 to lie within a bound.

    Approximate: Fisher's z of Spearman's rho, taken as normal with variance 1.06 / (n - 3).

    >>> round(correlation_equivalence_power(30, 0.4), 2)
    0.38

    Args:
        n: Number of independent points.
        bound: Largest absolute correlation that counts as none, in (0, 1).

    Returns:
        A chance in [0, 1]; 0 for fewer than four points.

    Raises:
        ValueError: If ``bound`` is not in (0, 1).

    Reference:
        Fieller et al., "Tests for rank correlation coefficients", Biometrika 1957.
    """
    if not 0 < bound < 1:
        raise ValueError(f"`bound` must be in (0, 1), got {bound}.")
    if n < 4:
        return 0.0
    room = math.atanh(bound) * math.sqrt((n - 3) / RANK_VARIANCE)
    return max(0.0, float(2 * stats.norm.cdf(room - stats.norm.isf(SIGNIFICANCE)) - 1))


def _larger_p(mean: float, standard_error: float, n: int, bound: float) -> float:
    nearest = bound - abs(mean)
    if standard_error == 0:
        return 0.0 if nearest > 0 else 1.0
    return float(stats.t.sf(nearest / standard_error, n - 1))


def _power_at_zero(sd: float, n: int, bound: float) -> float:
    """The exact power, integrated over the distribution of the sample's standard deviation.

    Given that, the test succeeds if the mean, which is independent of it, is near enough to 0.
    """
    if sd == 0:
        return 1.0
    half_df = (n - 1) / 2
    quantile = float(stats.t.isf(SIGNIFICANCE, n - 1))
    room = bound * math.sqrt(n) / sd

    def success(probability: float) -> float:
        sd_ratio = math.sqrt(special.gammaincinv(half_df, probability) / half_df)
        return float(2 * special.ndtr(room - quantile * sd_ratio) - 1)

    # A larger sample deviation leaves no mean that would succeed.
    largest = float(special.gammainc(half_df, half_df * (room / quantile) ** 2))
    return float(integrate.quad(success, 0, largest)[0])
