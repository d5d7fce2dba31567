"""Whether similarity goes with accuracy, where strengths of one augmentation are one curve.

Legend: A augmentations, K strengths, F features. Knows no runs or files.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from auglens.study.statistics.equivalence import Equivalence, equivalence
from auglens.study.statistics.intervals import mean_interval

__all__ = [
    "Association",
    "IncrementalR2",
    "RepeatedCorrelation",
    "Simulation",
    "curve_association",
    "incremental_r2",
    "repeated_measures_correlation",
    "simulate_unrelated",
]

LARGEST_ENUMERATED = 7
NUM_DRAWN = 5_000
# Differences below this share of the values are rounding.
TIE = 1e-10

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Association:
    """Correlation of two kinds of curves within augmentations, adjusted for strength.

    Attributes:
        num_augments: A.
        num_strengths: K.
        estimate: Mean of ``by_augment``, in [-1, 1]. All values are NaN with fewer than three
            augmentations or strengths.
        low: Lower end of the 95 % t-interval over augmentations.
        high: Upper end.
        p: Share of the permutations at least as extreme. Among five augmentations at least 1/120.
        num_permutations: Of whole curves, all of them or drawn.
        by_augment: Correlation of each augmentation's residuals, shape ``(A,)``; NaN where one of
            its curves has none, which the mean leaves out.
        equivalence: Whether the mean of ``by_augment`` lies within the bound.
    """

    num_augments: int
    num_strengths: int
    estimate: float
    low: float
    high: float
    p: float
    num_permutations: int
    by_augment: Array
    equivalence: Equivalence


@dataclass(frozen=True)
class IncrementalR2:
    """What one more variable adds to the prediction of augmentations that were left out.

    Attributes:
        without: R^2 of the known variables, at most 1; below 0 where the mean predicts better.
        with_added: R^2 with the added one.
        gain: ``with_added - without``. All values are NaN with fewer than three augmentations,
            or with no more training points than coefficients.
        p: One-sided, of a positive gain.
        num_permutations: Of whole curves of the added variable, all of them or drawn.
    """

    without: float
    with_added: float
    gain: float
    p: float
    num_permutations: int


@dataclass(frozen=True)
class RepeatedCorrelation:
    """Correlation within groups, and within blocks if there are some, with one slope for all.

    Attributes:
        r: In [-1, 1]; NaN where groups and blocks leave nothing of either variable.
        p: Two-sided; NaN without degrees of freedom.
        df: ``n - 1`` minus the rank of what tells groups and blocks apart.
        n: Number of points.
    """

    r: float
    p: float
    df: int
    n: int


@dataclass(frozen=True)
class Simulation:
    """What the intervals over augmentations are worth where curves are unrelated.

    Attributes:
        coverage: Share of the 95 % intervals that hold 0.
        equivalence: Share of the 90 % intervals within the bound: the power to tell equivalence.
    """

    coverage: float
    equivalence: float


def curve_association(
    similarity: Array,
    accuracy: Array,
    *,
    alternative: Literal["two-sided", "greater"],
    bound: float,
    rng: np.random.Generator,
) -> Association:
    """Whether augmentations whose similarity curve bends one way have accuracy bend with it.

    From both tables the mean of each augmentation and the mean of each strength are removed; what
    is left is correlated within each augmentation. The test permutes whole accuracy curves among
    augmentations: all ``A!`` ways up to seven, else 5,000 draws, the given one counted with them.
    It needs no independence of strengths, only of augmentations.

    The residuals of the augmentations sum to 0 at each strength, so their correlations are not
    quite independent and the intervals are too short: :func:`simulate_unrelated` measures by
    how much. They are a description; the permutation is the test.

    Args:
        similarity: Seed-averaged, shape ``(A, K)``; strengths in one order for all.
        accuracy: Same shape.
        alternative: ``greater`` asks for a positive association only.
        bound: Of the equivalence test: the largest absolute correlation that counts as none.
        rng: Draws the permutations where there are too many.

    Raises:
        ValueError: If the shapes differ, a value is not finite or ``bound`` is not positive.
    """
    first, second = _tables(similarity, accuracy)
    a, k = first.shape
    if a < 3 or k < 3:
        nan, tost = math.nan, equivalence([], bound=bound)
        return Association(a, k, nan, nan, nan, nan, 0, np.full(a, nan), tost)
    correlations = _correlations(_adjusted(first), _adjusted(second))
    by_augment = np.diagonal(correlations).copy()
    orders = _orders(a, rng)
    drawn = _defined_mean(correlations[np.arange(a), orders])
    interval = mean_interval(by_augment)
    size = np.abs if alternative == "two-sided" else np.positive
    p = _p(size(drawn), float(size(interval.mean)), a)
    tost = equivalence(by_augment, bound=bound)
    ends = (interval.mean, interval.low, interval.high)
    return Association(a, k, *ends, p, len(orders), by_augment, tost)


@lru_cache
def simulate_unrelated(num_augments: int, num_strengths: int, bound: float) -> Simulation:
    """How :func:`curve_association` fares where there is no association, by simulation.

    1,000 pairs of tables whose rows are unrelated smooth curves: a line and a parabola with random
    weights, and a little noise.

    Returns:
        NaN in both with fewer than three augmentations or strengths.
    """
    if num_augments < 3 or num_strengths < 3:
        return Simulation(math.nan, math.nan)
    rng = np.random.default_rng([num_augments, num_strengths])
    place = np.linspace(-1, 1, num_strengths)
    shapes = np.stack([place, place**2])
    held, alike, num_simulations = 0, 0, 1000
    for _ in range(num_simulations):
        curves = rng.normal(size=(2, num_augments, 2)) @ shapes
        first, second = curves + rng.normal(0, 0.1, curves.shape)
        own = np.diagonal(_correlations(_adjusted(first), _adjusted(second)))
        wide, narrow = mean_interval(own), mean_interval(own, confidence=0.9)
        held += wide.low <= 0 <= wide.high
        alike += -bound < narrow.low and narrow.high < bound
    return Simulation(held / num_simulations, alike / num_simulations)


def incremental_r2(
    accuracy: Array, known: Array, added: Array, *, rng: np.random.Generator
) -> IncrementalR2:
    """What a variable adds to known ones in predicting augmentations left out of the fit.

    Ordinary least squares with an intercept, fitted on all augmentations but one and asked about
    that one: R^2 is 1 minus the squared errors of all, over the squared distances from the
    training means. The test permutes whole curves of the added variable among augmentations, as
    :func:`curve_association` does; its hypothesis is an added variable unrelated to accuracy
    and to the known ones.

    Args:
        accuracy: Shape ``(A, K)``.
        known: Shape ``(A, K, F)``; F may be 0.
        added: Shape ``(A, K)``.
        rng: Draws the permutations where there are too many.

    Raises:
        ValueError: If the shapes do not match or a value is not finite.
    """
    target, extra = _tables(accuracy, added)
    features = np.asarray(known, np.float64)
    if features.ndim != 3 or features.shape[:2] != target.shape or not np.isfinite(features).all():
        raise ValueError(
            f"Known variables are finite and have shape (A, K, F) with (A, K) = {target.shape}, "
            f"got {features.shape}."
        )
    a, k = target.shape
    if a < 3 or (a - 1) * k <= features.shape[2] + 2:
        return IncrementalR2(math.nan, math.nan, math.nan, math.nan, 0)
    design = np.concatenate([np.ones((a, k, 1)), features], axis=2)
    orders = _orders(a, rng)
    candidates = np.concatenate([extra[None], extra[orders]])
    without, r2 = _left_out_r2(target, design, candidates)
    gain = float(r2[0]) - without
    p = _p(r2[1:] - without, gain, a)
    return IncrementalR2(without, float(r2[0]), gain, p, len(orders))


def repeated_measures_correlation(
    x: ArrayLike, y: ArrayLike, groups: ArrayLike, blocks: ArrayLike | None = None
) -> RepeatedCorrelation:
    """Correlation of what groups and blocks leave: analysis of covariance with common slope.

    Points of one block in several groups are not independent, unless the block's intercept is
    taken out too. Pairs with a NaN are left out.

    Args:
        x: Shape ``(n,)``.
        y: Same.
        groups: One label a point, same; each group has an intercept of its own.
        blocks: Same, as the seed; without them there are groups only.

    Raises:
        ValueError: If the lengths differ.

    Reference:
        Bakdash & Marusich, "Repeated measures correlation", Frontiers in Psychology 2017.
    """
    pairs = np.stack([np.asarray(x, np.float64), np.asarray(y, np.float64)])
    factors = [np.asarray(one) for one in (groups, blocks) if one is not None]
    for labels in factors:
        if labels.shape != pairs.shape[1:]:
            raise ValueError(
                "One group a point is needed, and one block if any, got "
                f"{labels.shape} for {pairs.shape[1:]}."
            )
    defined = np.isfinite(pairs).all(axis=0)
    pairs, n = pairs[:, defined], int(defined.sum())
    dummies = np.hstack([_dummies(labels[defined]) for labels in factors])
    fitted, _, rank, _ = np.linalg.lstsq(dummies, pairs.T)
    residuals = _without_rounding(pairs - (dummies @ fitted).T, pairs)
    r = float(_correlations(residuals[:1], residuals[1:])[0, 0]) if n else math.nan
    df = n - int(rank) - 1
    return RepeatedCorrelation(r, _correlation_p(r, df), df, n)


def _dummies(labels: NDArray[Any]) -> Array:
    different, codes = np.unique(labels, return_inverse=True)
    return np.eye(len(different))[codes]


def _correlation_p(r: float, df: int) -> float:
    if math.isnan(r) or df < 1:
        return math.nan
    if abs(r) >= 1:
        return 0.0
    return float(2 * stats.t.sf(abs(r) * math.sqrt(df / (1 - r * r)), df))


def _tables(first: Array, second: Array) -> tuple[Array, Array]:
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.ndim != 2 or one.shape != other.shape:
        raise ValueError(f"Both tables need one shape (A, K), got {one.shape} and {other.shape}.")
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise ValueError(
            "Every augmentation needs a finite value at every strength; leave out the others."
        )
    return one, other


def _adjusted(table: Array) -> Array:
    rows, columns = table.mean(axis=1, keepdims=True), table.mean(axis=0)
    return _without_rounding(table - rows - columns + table.mean(), table)


def _without_rounding(residuals: Array, values: Array) -> Array:
    """Rows of residuals that only rounding left are set to 0."""
    sizes = np.abs(residuals).max(axis=1, keepdims=True, initial=0)
    largest = np.abs(values).max(initial=0)
    return np.where(sizes <= TIE * largest, 0, residuals)


def _correlations(first: Array, second: Array) -> Array:
    """Cosines of centred rows, each of one table with each of the other; NaN of a row of 0."""
    norms = np.outer(np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1))
    cosines: Array = np.where(norms > 0, first @ second.T / np.where(norms > 0, norms, 1), math.nan)
    return cosines.clip(-1, 1)


def _defined_mean(values: Array) -> Array:
    defined = np.isfinite(values)
    counts = defined.sum(axis=1)
    sums = np.where(defined, values, 0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), math.nan)


def _orders(a: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if a <= LARGEST_ENUMERATED:
        return np.array(list(permutations(range(a))))
    return rng.permuted(np.broadcast_to(np.arange(a), (NUM_DRAWN, a)), axis=1)


def _p(drawn: Array, given: float, a: int) -> float:
    if math.isnan(given):
        return math.nan
    num_given = 0 if a <= LARGEST_ENUMERATED else 1
    count = int((drawn >= given - TIE * max(1, abs(given))).sum())
    return (count + num_given) / (len(drawn) + num_given)


def _left_out_r2(target: Array, design: Array, candidates: Array) -> tuple[float, Array]:
    """R^2 without and with each candidate for the added variable, ``(B, A, K)``."""
    base_errors, spread = 0.0, 0.0
    errors = np.zeros(len(candidates))
    for held in range(len(target)):
        kept = np.arange(len(target)) != held
        train, test = design[kept].reshape(-1, design.shape[2]), design[held]
        inverse = np.linalg.pinv(train)
        residuals = target[kept].ravel() - train @ (inverse @ target[kept].ravel())
        missed = target[held] - test @ (inverse @ target[kept].ravel())
        spread += float(((target[held] - target[kept].mean()) ** 2).sum())
        base_errors += float((missed**2).sum())
        new = candidates[:, kept].reshape(len(candidates), -1)
        fitted = new @ inverse.T
        slopes = _slopes(new - fitted @ train.T, residuals, new)
        unexplained = candidates[:, held] - fitted @ test.T
        errors += ((missed - slopes[:, None] * unexplained) ** 2).sum(axis=1)
    if spread == 0:
        return math.nan, np.full(len(candidates), math.nan)
    return 1 - base_errors / spread, 1 - errors / spread


def _slopes(own: Array, residuals: Array, values: Array) -> Array:
    """Coefficients of the added variable by its part that the known ones do not predict."""
    squares = (own**2).sum(axis=1)
    defined = squares > TIE**2 * (values**2).sum(axis=1)
    return np.where(defined, own @ residuals / np.where(defined, squares, 1), 0)
