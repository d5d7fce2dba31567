"""Means with their intervals. Reads and draws nothing."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["MeanInterval", "mean_interval"]

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class MeanInterval:
    """A mean with its 95 % t-interval.

    Attributes:
        mean: NaN without values.
        low: Lower end; NaN with fewer than two values.
        high: Upper end, likewise.
        n: Number of values.
    """

    mean: float
    low: float
    high: float
    n: int


def mean_interval(values: ArrayLike) -> MeanInterval:
    """The mean of independent values and its 95 % t-interval; NaNs are left out.

    >>> interval = mean_interval([2, 2, 1, 3, 1])
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.761, 2.839)
    """
    given = np.asarray(values, np.float64)
    given = given[np.isfinite(given)]
    n = len(given)
    mean = float(given.mean()) if n else math.nan
    if n < 2:
        return MeanInterval(mean, math.nan, math.nan, n)
    half = float(stats.t.ppf(1 - SIGNIFICANCE / 2, n - 1) * given.std(ddof=1) / math.sqrt(n))
    return MeanInterval(mean, mean - half, mean + half, n)
