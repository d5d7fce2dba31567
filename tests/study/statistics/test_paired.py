import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from auglens.study.statistics.paired import (
    Alternative,
    paired_difference,
    power_of_paired_t,
    probability_of_improvement,
    sign_flip_p,
)

A = [78, 79, 77, 80, 78]
B = [80, 81, 78, 83, 79]
# Accuracies of 1,000 images: differences tie, and by decimal fractions not to the last bit.
ACCURACY = st.integers(700, 900).map(lambda correct: correct / 1_000)
PAIRS = st.lists(st.tuples(ACCURACY, ACCURACY), min_size=2, max_size=9)
ALTERNATIVES: list[Alternative] = ["two-sided", "greater", "less"]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_published_vector(rng: np.random.Generator) -> None:
    found = paired_difference(B, A, rng=rng)
    assert (found.t, found.d_z) == pytest.approx((4.8107, 2.1514), abs=5e-5)
    assert found.p == pytest.approx(0.00858, abs=5e-6)
    assert (found.low, found.high) == pytest.approx((0.761, 2.839), abs=5e-4)
    assert (found.n, found.mean, found.improvement) == pytest.approx((5, 1.8, 1))
    assert found.p_sign_flip == 0.0625
    assert probability_of_improvement(B, A) == pytest.approx(0.8)


def test_paired_t_agrees_with_scipy_and_leaves_out_undefined_pairs(
    rng: np.random.Generator,
) -> None:
    first, second = rng.normal(size=(2, 11))
    expected = stats.ttest_rel(first, second)
    found = paired_difference([*first, np.nan, 1], [*second, 1, np.nan], rng=rng)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.sd == pytest.approx(np.std(first - second, ddof=1))
    assert found.n == 11


@given(PAIRS)
def test_swapping_the_sides_changes_signs_and_nothing_else(
    pairs: list[tuple[float, float]],
) -> None:
    first, second = zip(*pairs, strict=True)
    rng = np.random.default_rng(0)
    one, other = (
        paired_difference(*sides, rng=rng) for sides in ((first, second), (second, first))
    )
    assert (one.mean, one.low, one.t) == (-other.mean, -other.high, -other.t)
    assert (one.p, one.p_sign_flip, one.sd) == (other.p, other.p_sign_flip, other.sd)
    assert one.improvement == pytest.approx(1 - other.improvement)
    assert one.smallest == other.smallest


def test_improvement_counts_ties_half_and_pairs_only(rng: np.random.Generator) -> None:
    first, second = [3, 1, 5, 0.3], [3, 2, 4, 0.1 + 0.2]
    assert paired_difference(first, second, rng=rng).improvement == 0.5
    larger = np.mean([(a > b) + (a == b) / 2 for a, b in product(first, second)])
    assert probability_of_improvement([*first, np.nan], second) == pytest.approx(larger)
    assert math.isnan(probability_of_improvement([], second))


def test_differences_of_zero_are_no_difference(rng: np.random.Generator) -> None:
    found = paired_difference([0.3, 0.5, 0.7], [0.1 + 0.2, 0.5, 0.7], rng=rng)
    assert (found.mean, found.t, found.p, found.p_sign_flip) == (0, 0, 1, 1)
    assert (found.sd, found.low, found.high, found.smallest) == (0, 0, 0, 0)
    assert math.isnan(found.d_z)


def test_equal_differences_are_certain_for_t_and_not_for_sign_flips(
    rng: np.random.Generator,
) -> None:
    found = paired_difference([0.1, 0.2, 0.3], [0.2, 0.3, 0.4], rng=rng)
    assert (found.t, found.d_z, found.p) == (-math.inf, -math.inf, 0)
    assert found.low == found.high == found.mean
    assert found.mean == pytest.approx(-0.1)
    assert found.p_sign_flip == 0.25


def test_one_pair_has_a_mean_and_no_test(rng: np.random.Generator) -> None:
    alone, nothing = paired_difference([2], [1], rng=rng), paired_difference([], [], rng=rng)
    assert (alone.n, alone.mean, alone.improvement, nothing.n) == (1, 1, 1, 0)
    undefined = [alone.sd, alone.low, alone.high, alone.t, alone.p, alone.p_sign_flip]
    assert np.isnan([*undefined, alone.d_z, alone.smallest]).all()
    assert np.isnan([nothing.mean, nothing.improvement, nothing.p_sign_flip]).all()


def test_sides_must_be_equally_long(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="same shape"):
        paired_difference([1, 2], [1, 2, 3], rng=rng)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_sign_flips_agree_with_scipy(alternative: Alternative, rng: np.random.Generator) -> None:
    differences = rng.normal(0.4, 1, size=9)
    expected = stats.permutation_test(
        (differences, np.zeros(9)),
        lambda first, second, axis: (first - second).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        alternative=alternative,
    ).pvalue
    assert sign_flip_p(differences, rng=rng, alternative=alternative) == pytest.approx(expected)


@given(PAIRS)
def test_sign_flips_count_ties_that_rounding_parts(pairs: list[tuple[float, float]]) -> None:
    counts = [round(1_000 * first) - round(1_000 * second) for first, second in pairs]
    flips = np.array(list(product([1, -1], repeat=len(pairs)))) @ counts
    found = paired_difference(*zip(*pairs, strict=True), rng=np.random.default_rng(0))
    assert found.p_sign_flip == np.mean(np.abs(flips) >= abs(sum(counts)))


def test_eight_seeds_are_the_fewest_whose_sign_flips_pass_holm_over_five(
    rng: np.random.Generator,
) -> None:
    smallest = {
        n: sign_flip_p(np.arange(1, n + 1), rng=rng, alternative="two-sided") for n in (5, 7, 8)
    }
    assert smallest == {5: 0.0625, 7: 2 / 2**7, 8: 2 / 2**8}
    assert 5 * smallest[8] < 0.05 < 5 * smallest[7]


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_random_flips_come_near_the_exact_share(
    alternative: Alternative, rng: np.random.Generator
) -> None:
    differences = rng.normal(0.3, 1, size=17)
    flips = np.array([1.0])
    for difference in differences:
        flips = np.concatenate([flips + difference, flips - difference])
    flips, observed = flips - 1, differences.sum()
    tails = {
        "two-sided": np.abs(flips) >= abs(observed) - 1e-9,
        "greater": flips >= observed - 1e-9,
        "less": flips <= observed + 1e-9,
    }
    exact = tails[alternative].mean()
    found = sign_flip_p(differences, rng=rng, alternative=alternative)
    assert found == pytest.approx(exact, abs=4 * math.sqrt(exact / 100_000))


def test_random_flips_repeat_with_their_generator_and_are_never_zero() -> None:
    differences = np.full(40, 1.0)
    first, again = (
        sign_flip_p(differences, rng=np.random.default_rng(3), alternative="greater")
        for _ in range(2)
    )
    assert first == again == 1 / 100_001


def test_sign_flips_leave_out_nan(rng: np.random.Generator) -> None:
    assert sign_flip_p([1, 2, np.nan, 3], rng=rng, alternative="greater") == 1 / 8
    assert math.isnan(sign_flip_p([np.nan], rng=rng, alternative="greater"))


# Per row: sd of a seed, correlation over seeds, and for differences of 1, 2, 3 and 5 points the
# seeds that find them with 80 % power at .05, .05 / 5 and .05 / 15.
SEEDS_NEEDED = [
    (1, 0, [(18, 27, 33), (7, 10, 12), (5, 6, 8), (3, 5, 5)]),
    (1.5, 0.5, [(20, 30, 37), (7, 10, 13), (5, 7, 8), (3, 5, 6)]),
    (2, 0, [(65, 97, 119), (18, 27, 33), (10, 14, 17), (5, 8, 9)]),
    (2, 0.5, [(34, 51, 62), (10, 16, 19), (6, 9, 11), (4, 6, 7)]),
    (3, 0.5, [(73, 109, 133), (20, 30, 37), (10, 16, 19), (6, 8, 10)]),
]


@pytest.mark.parametrize(("seed_sd", "correlation", "expected"), SEEDS_NEEDED)
def test_seeds_that_a_difference_needs(
    seed_sd: float, correlation: float, expected: list[tuple[int, int, int]]
) -> None:
    sd = seed_sd * math.sqrt(2 * (1 - correlation))
    for points, row in zip((1, 2, 3, 5), expected, strict=True):
        for tests, seeds in zip((1, 5, 15), row, strict=True):
            assert power_of_paired_t(points, sd, seeds - 1, 0.05 / tests) < 0.8
            assert power_of_paired_t(points, sd, seeds, 0.05 / tests) >= 0.8


@pytest.mark.parametrize(
    ("points", "sd", "n", "alpha"),
    [(5, 1.5, 3, 0.05), (5, 1.5, 5, 0.01), (5, 2, 7, 0.05 / 15), (1, 2, 34, 0.05), (0, 1, 6, 0.05)],
)
def test_power_is_how_often_a_difference_is_found(
    points: float, sd: float, n: int, alpha: float, rng: np.random.Generator
) -> None:
    t = simulated_t(points, sd, n, rng)
    found = np.mean(np.abs(t) > stats.t.isf(alpha / 2, n - 1))
    error = 3 * math.sqrt(found * (1 - found) / len(t))
    assert power_of_paired_t(points, sd, n, alpha) == pytest.approx(found, abs=error)


def simulated_t(mean: float, sd: float, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    samples = rng.normal(mean, sd, size=(40_000, n))
    standard_errors = samples.std(axis=1, ddof=1) / math.sqrt(n)
    t: NDArray[np.float64] = samples.mean(axis=1) / standard_errors
    return t


def test_power_is_even_in_the_difference_and_starts_at_alpha() -> None:
    assert power_of_paired_t(-1, 2, 8, 0.05) == power_of_paired_t(1, 2, 8, 0.05)
    assert power_of_paired_t(0, 2, 8, 0.01) == 0.01
    assert power_of_paired_t(1e-5, 2, 8, 0.01) == pytest.approx(0.01)


@pytest.mark.parametrize(("sd", "n"), [(0, 5), (math.nan, 5), (1, 1)])
def test_power_needs_a_spread_and_two_pairs(sd: float, n: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        power_of_paired_t(1, sd, n, 0.05)


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.05 / 15])
@pytest.mark.parametrize("n", [2, 5, 30])
def test_the_smallest_difference_is_that_of_80_percent_power(
    n: int, alpha: float, rng: np.random.Generator
) -> None:
    first, second = rng.normal(size=(2, n))
    found = paired_difference(first, second, rng=rng, alpha=alpha)
    power = power_of_paired_t(found.smallest, found.sd, n, alpha)
    assert power == pytest.approx(0.8, abs=1e-6)
