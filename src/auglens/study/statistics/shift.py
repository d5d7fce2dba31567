"""Whether an augmentation moves maps further than another seed does. Knows no runs or files.

Legend: N images, S seeds, K strengths; A and B the runs of two conditions, paired by seed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from auglens.metrics.pairwise import mean_over_images

__all__ = ["Shift", "ShiftTrend", "seed_shift", "shift_coverage", "shift_trend_test"]

PERCENTILES = (2.5, 97.5)
LARGEST_ENUMERATED = 14
NUM_DRAWN_EXCHANGES = 10_000
SMALLEST_FLOOR = 0.05
# Sums in another order differ by rounding; what differs by less than this share is a tie.
TIE = 1e-12

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Shift:
    """How far the maps of condition A lie from those of B, beyond seed noise.

    Attributes:
        n: Number of seeds.
        num_images: Images on which at least one pair of runs is defined.
        delta: ``(floor_a + floor_b) / 2 - across``; above 0 where the augmentation moves maps
            further than another seed does. All values are NaN with fewer than two seeds.
        low: Lower end of the 95 % bootstrap interval of ``delta``, which tells its size and is no
            test; NaN with fewer than three seeds, where every resample has the same one pair.
        high: Upper end, likewise.
        p: One-sided, of ``delta > 0``; the smallest possible is ``2 / 2**n``.
        num_exchanges: Exchanges gone through (all ``2**n``) or drawn.
        rho_star: ``across / sqrt(floor_a * floor_b)``, about 1 where maps are equal up to seed
            noise; for correlations only. NaN where a floor is at most 0.05.
        floor_a: Mean similarity of A's runs of different seeds.
        floor_b: Same of B's.
        across: Mean similarity of A's and B's runs of different seeds.

    Reference:
        Spearman, "The proof and measurement of association between two things", 1904, for
        ``rho_star``.
    """

    n: int
    num_images: int
    delta: float
    low: float
    high: float
    p: float
    num_exchanges: int
    rho_star: float
    floor_a: float
    floor_b: float
    across: float


@dataclass(frozen=True)
class ShiftTrend:
    """Whether the shift grows with the strength of the augmentation.

    Attributes:
        n: Number of seeds.
        k: Number of strengths.
        rho: Mean over the augmentations of ``by_augment``; NaN if one of them is, or ``n < 2``.
        low: Lower end of the 95 % bootstrap interval over seeds; NaN with fewer than three.
        high: Upper end, likewise.
        p: One-sided, of ``rho > 0``.
        by_augment: Spearman's correlation of strength and shift, shape ``(A,)``; NaN where all
            shifts are equal.
        deltas: The shift at each strength, shape ``(A, K)``.
    """

    n: int
    k: int
    rho: float
    low: float
    high: float
    p: float
    by_augment: Array
    deltas: Array


def seed_shift(similarities: Array, *, rng: np.random.Generator, num_resamples: int) -> Shift:
    """The shift of A against B, its test and its interval.

    Each pair is averaged over the images where it is defined, then pairs of different seeds are
    averaged. A seed with a run whose maps are undefined on every image is left out; any other
    pair without an image makes everything NaN.

    The test exchanges A and B within seeds: all ``2**S`` ways up to 14 seeds, else 10,000 draws,
    the given one counted with them. Ties count as at least as large.

    The interval is a percentile bootstrap of two crossed levels: seeds are drawn with replacement
    and so, independently, are images. Pairs of one original seed are dropped; a resample without
    any other pair is too. An undefined image of a pair counts as the pair's mean.
    :func:`shift_coverage` measures how often it holds the truth.

    Args:
        similarities: Shape ``(N, 2S, 2S)`` over the runs ``[A_0..A_{S-1}, B_0..B_{S-1}]``, higher
            is closer; symmetric, the diagonal a run with itself. NaN where undefined.
        rng: Draws resamples, and exchanges where there are too many.
        num_resamples: Of the bootstrap.

    Raises:
        ValueError: If the shape is another.

    Reference:
        Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007.
    """
    given = _defined_seeds(_checked(similarities))
    n = given.shape[1] // 2
    num_images = int(np.isfinite(given).any(axis=(1, 2)).sum())
    if n < 2:
        nan = math.nan
        return Shift(n, num_images, nan, nan, nan, nan, 0, nan, nan, nan, nan)
    pairs = mean_over_images(given)
    own, base, cross = pairs[:n, :n], pairs[n:, n:], pairs[:n, n:]
    floor_a, floor_b, across = (_off_diagonal_mean(part) for part in (own, base, cross))
    delta = (floor_a + floor_b) / 2 - across
    p, num_exchanges = _exchange_test(_contrasts(pairs[None])[0], rng)
    # An image at a time: the contrasts of all take a quarter of the similarities' memory.
    filled = (np.where(np.isnan(one), pairs, one)[None] for one in given)
    contrasts = np.concatenate([_contrasts(one) for one in filled])
    low, high = _interval(contrasts, rng, num_resamples)
    rho_star = _noise_corrected(across, floor_a, floor_b)
    return Shift(
        n, num_images, delta, low, high, p, num_exchanges, rho_star, floor_a, floor_b, across
    )


@lru_cache
def shift_coverage(num_seeds: int) -> float:
    """How often the 95 % interval of :func:`seed_shift` holds the true shift, by simulation.

    300 sets of runs whose similarity is an inner product of vectors in three dimensions, on five
    images: mean of the condition, plus an effect of the seed that A and B share, plus one of the
    run, plus one of the run on the image. The true shift is half the squared distance of the two
    means, here 0.5, at floors of 1 and a standard deviation of the run's noise of 0.5.

    Returns:
        A share in [0, 1]; NaN with fewer than three seeds, which have no interval.
    """
    if num_seeds < 3:
        return math.nan
    rng = np.random.default_rng(num_seeds)
    num_simulations, held = 300, 0
    for _ in range(num_simulations):
        low, high = _interval(_contrasts(_simulated(num_seeds, rng)), rng, 300)
        held += low <= 0.5 <= high
    return held / num_simulations


def shift_trend_test(
    similarity: Array,
    layouts: Sequence[Indices],
    *,
    rng: np.random.Generator,
    num_permutations: int,
    num_resamples: int,
) -> ShiftTrend:
    """Whether the shift against the baseline grows with strength, over augmentations.

    The statistic is Spearman's correlation of the strengths' order with the shifts, averaged over
    the augmentations. The test permutes the strengths among the runs of one seed, for each seed
    and augmentation by itself; the given order counts with the draws. The interval draws seeds
    with replacement, the same ones for every augmentation, as :func:`seed_shift` does.

    Args:
        similarity: Mean over images of every pair of runs, shape ``(M, M)``, higher is closer;
            the diagonal a run with itself. NaN where undefined.
        layouts: One ``(S, K + 1)`` an augmentation: places in ``similarity`` of the runs of each
            seed, the baseline first, then by ascending strength. A seed with a run that is NaN
            with itself is left out of all.
        rng: Draws permutations and resamples.
        num_permutations: Of the test.
        num_resamples: Of the bootstrap.

    Raises:
        ValueError: If the layouts differ in shape or hold fewer than two strengths.
    """
    places = _defined_rows(similarity, _stacked(layouts))
    a, n, k = places.shape[0], places.shape[1], places.shape[2] - 1
    if n < 2:
        nan, nothing = math.nan, np.full((a, k), math.nan)
        return ShiftTrend(n, k, nan, nan, nan, nan, nothing[:, 0], nothing)
    given = np.broadcast_to(np.arange(k), (1, n, k))
    deltas = np.stack([_ordered_deltas(similarity, one, given)[0] for one in places])
    by_augment = _trends(deltas)
    rho = float(by_augment.mean())
    drawn = _permuted_trends(similarity, places, rng, num_permutations)
    p = math.nan if math.isnan(rho) else _share_at_least(drawn, rho - TIE, num_given=1)
    low, high = _percentiles(_resampled_trends(similarity, places, rng, num_resamples), n)
    return ShiftTrend(n, k, rho, low, high, p, by_augment, deltas)


def _checked(similarities: Array) -> Array:
    given = np.asarray(similarities, np.float64)
    if given.ndim != 3 or given.shape[1] != given.shape[2] or given.shape[1] % 2:
        raise ValueError(f"Similarities have shape (N, 2S, 2S), got {given.shape}.")
    return given


def _defined_seeds(similarities: Array) -> Array:
    alone = np.isfinite(np.diagonal(similarities, axis1=1, axis2=2)).any(axis=0)
    seeds = np.tile(alone.reshape(2, -1).all(axis=0), 2)
    return similarities[:, seeds][:, :, seeds]


def _off_diagonal_mean(pairs: Array) -> float:
    return float(pairs[~np.eye(len(pairs), dtype=bool)].mean())


def _noise_corrected(across: float, floor_a: float, floor_b: float) -> float:
    if not min(floor_a, floor_b) > SMALLEST_FLOOR:
        return math.nan
    return across / math.sqrt(floor_a * floor_b)


def _contrasts(similarities: Array) -> Array:
    """What two seeds add to the shift, ``(N, 2S, 2S)`` to ``(N, S, S)``, 0 on the diagonal.

    Exchanging A and B in one of the two seeds only turns its sign.
    """
    n = similarities.shape[1] // 2
    cross = similarities[:, :n, n:]
    within = similarities[:, :n, :n] + similarities[:, n:, n:]
    contrasts: Array = (within - cross - cross.swapaxes(1, 2)) / 2
    contrasts[:, np.arange(n), np.arange(n)] = 0
    return contrasts


def _exchange_test(contrasts: Array, rng: np.random.Generator) -> tuple[float, int]:
    n = len(contrasts)
    exact = n <= LARGEST_ENUMERATED
    if exact:
        bits = np.arange(2**n)[:, None] >> np.arange(n) & 1
    else:
        bits = rng.integers(0, 2, (NUM_DRAWN_EXCHANGES, n))
    if np.isnan(contrasts).any():
        return math.nan, len(bits)
    signs = 1.0 - 2.0 * bits
    sums = ((signs @ contrasts) * signs).sum(axis=1)
    least = float(contrasts.sum() - TIE * np.abs(contrasts).sum())
    return _share_at_least(sums, least, num_given=0 if exact else 1), len(bits)


def _share_at_least(drawn: Array, least: float, *, num_given: int) -> float:
    return (int((drawn >= least).sum()) + num_given) / (len(drawn) + num_given)


def _interval(
    contrasts: Array, rng: np.random.Generator, num_resamples: int
) -> tuple[float, float]:
    num_images, n, _ = contrasts.shape
    seeds = _resampled_counts(n, rng, num_resamples)
    images = _resampled_counts(num_images, rng, num_resamples)
    sums = np.zeros(num_resamples)
    for counts, contrast in zip(images.T, contrasts, strict=True):
        sums += counts * ((seeds @ contrast) * seeds).sum(axis=1)
    return _percentiles(_over_pairs(sums / num_images, seeds), n)


def _resampled_counts(n: int, rng: np.random.Generator, num_resamples: int) -> Array:
    return rng.multinomial(n, np.full(n, 1 / n), num_resamples).astype(np.float64)


def _over_pairs(sums: Array, seeds: Array) -> Array:
    """Sums over all pairs of resampled seeds, divided by the number of pairs of different ones."""
    num_pairs = seeds.sum(axis=1) ** 2 - (seeds**2).sum(axis=1)
    return np.where(num_pairs > 0, sums / np.maximum(num_pairs, 1), np.nan)


def _percentiles(resampled: Array, num_seeds: int) -> tuple[float, float]:
    defined = resampled[np.isfinite(resampled)]
    if num_seeds < 3 or not len(defined):
        return math.nan, math.nan
    low, high = np.percentile(defined, PERCENTILES)
    return float(low), float(high)


def _simulated(n: int, rng: np.random.Generator) -> Array:
    num_images, dimensions = 5, 3
    means = np.repeat([[1, 0, 0], [0.5, math.sqrt(0.75), 0]], n, axis=0)
    shared = np.tile(rng.normal(0, 0.3, (n, dimensions)), (2, 1))
    own = rng.normal(0, 0.3, (2 * n, dimensions))
    vectors = means + shared + own + rng.normal(0, 0.3, (num_images, 2 * n, dimensions))
    similarities: Array = vectors @ vectors.swapaxes(1, 2)
    return similarities


def _stacked(layouts: Sequence[Indices]) -> Indices:
    shapes = {one.shape for one in layouts}
    if len(shapes) != 1 or any(len(shape) != 2 or shape[1] < 3 for shape in shapes):
        raise ValueError(
            f"Layouts have one shape (S, K + 1) with at least two strengths, got {sorted(shapes)}."
        )
    return np.stack(list(layouts))


def _defined_rows(similarity: Array, places: Indices) -> Indices:
    alone = np.isfinite(np.diagonal(similarity))
    return places[:, alone[places].all(axis=(0, 2))]


def _trends(deltas: Array) -> Array:
    """Spearman's correlation of each row with the order of its columns."""
    k = deltas.shape[-1]
    # Shifts that are equal differ by the rounding of their sums.
    ranks = stats.rankdata(deltas.round(12), axis=-1) - (k + 1) / 2
    order = np.arange(k) - (k - 1) / 2
    norms = np.sqrt((ranks**2).sum(axis=-1) * (order**2).sum())
    return np.where(norms > 0, ranks @ order / np.where(norms > 0, norms, 1), np.nan)


def _ordered_deltas(similarity: Array, places: Indices, orders: Indices) -> Array:
    """Shifts at each strength after the strengths' runs are put in other orders.

    Args:
        similarity: Shape ``(M, M)``.
        places: Shape ``(S, K + 1)``, the baseline first.
        orders: For each seed an order of its K runs, shape ``(P, S, K)``.

    Returns:
        Shape ``(P, K)``.
    """
    n = len(places)
    seeds = np.arange(n)[:, None]
    apart = ~np.eye(n, dtype=bool)
    base = similarity[np.ix_(places[:, 0], places[:, 0])][apart].mean()
    runs = places[:, 1:]
    # To the other seeds' baselines, each run by itself: orders only regroup these.
    to_base = similarity[runs[:, :, None], places[:, 0]]
    across = (to_base * apart[:, None]).sum(axis=2)[seeds, orders].sum(axis=1)
    chosen = runs[seeds, orders]
    firsts, seconds = np.nonzero(apart)
    within = similarity[chosen[:, firsts], chosen[:, seconds]].mean(axis=1)
    deltas: Array = (within + base) / 2 - across / (n * (n - 1))
    return deltas


def _permuted_trends(
    similarity: Array, places: Indices, rng: np.random.Generator, num_permutations: int
) -> Array:
    n, k = places.shape[1], places.shape[2] - 1
    means = []
    # In parts, so that memory stays at a few million numbers.
    for size in _parts(num_permutations, max(1, 2_000_000 // (n * n * k))):
        given = np.broadcast_to(np.arange(k), (size, n, k))
        drawn = [_ordered_deltas(similarity, one, rng.permuted(given, axis=2)) for one in places]
        means.append(_trends(np.stack(drawn)).mean(axis=0))
    return np.concatenate(means)


def _parts(total: int, largest: int) -> list[int]:
    return [min(largest, total - start) for start in range(0, total, largest)]


def _resampled_trends(
    similarity: Array, places: Indices, rng: np.random.Generator, num_resamples: int
) -> Array:
    seeds = _resampled_counts(places.shape[1], rng, num_resamples)
    trends = []
    for one in places:
        pairs = [np.r_[runs, one[:, 0]] for runs in one[:, 1:].T]
        contrasts = _contrasts(np.stack([similarity[np.ix_(both, both)] for both in pairs]))
        sums = ((seeds @ contrasts) * seeds).sum(axis=2)
        trends.append(_trends(np.stack([_over_pairs(one_sum, seeds) for one_sum in sums], axis=1)))
    means: Array = np.stack(trends).mean(axis=0)
    return means
