"""Corrections of p-values for testing several hypotheses at once. Tests nothing itself."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = ["benjamini_hochberg", "holm"]

Floats = NDArray[np.float64]


def holm(p: ArrayLike) -> Floats:
    """Holm's corrected p-values: each below .05 bounds the chance of any false finding by 5 %.

    Holds however the tests depend on each other.

    >>> [round(float(value), 4) for value in holm([0.001, 0.01, 0.02, 0.04, 0.2])]
    [0.005, 0.04, 0.06, 0.08, 0.2]

    Args:
        p: Values in [0, 1], shape ``(m,)``; a NaN stays NaN and does not count as a test.

    Returns:
        Values in [0, 1], shape ``(m,)``, in the order given.

    Raises:
        ValueError: If a value lies outside [0, 1].

    Reference:
        Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 1979.
    """
    corrected, tested = _checked(p)
    given = corrected[tested]
    order = np.argsort(given, kind="stable")
    steps = given[order] * np.arange(len(given), 0, -1)
    stepped = np.empty_like(given)
    stepped[order] = np.minimum(np.maximum.accumulate(steps), 1)
    corrected[tested] = stepped
    return corrected


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Benjamini and Hochberg's corrected p-values: those below .05 hold some 5 % false findings.

    Holds for tests that are independent or positively dependent.

    >>> [round(float(value), 4) for value in benjamini_hochberg([0.001, 0.01, 0.02, 0.04, 0.2])]
    [0.005, 0.025, 0.0333, 0.05, 0.2]

    Args:
        p: Values in [0, 1], shape ``(m,)``; a NaN stays NaN and does not count as a test.

    Returns:
        Values in [0, 1], shape ``(m,)``, in the order given.

    Raises:
        ValueError: If a value lies outside [0, 1].

    Reference:
        Benjamini and Hochberg, "Controlling the false discovery rate", JRSS B 1995.
    """
    corrected, tested = _checked(p)
    if tested.any():
        corrected[tested] = stats.false_discovery_control(corrected[tested], method="bh")
    return corrected


def _checked(p: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    """A copy of the values, and which of them are tests."""
    values = np.array(p, np.float64)
    tested = ~np.isnan(values)
    if np.any((values[tested] < 0) | (values[tested] > 1)):
        raise ValueError(f"`p` must lie in [0, 1], got {values.tolist()}.")
    return values, tested
