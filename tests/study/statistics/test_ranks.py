import math
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from auglens.study.statistics.ranks import critical_rho, friedman, spearman, trend

BLOCKS = [
    [71, 88, 85, 74, 79, 81],
    [70, 87, 84, 75, 80, 79],
    [69, 86, 83, 73, 78, 80],
    [72, 89, 84, 76, 77, 82],
]


@pytest.mark.parametrize(("n", "expected"), [(5, 1.0), (6, 0.886), (7, 0.786), (8, 0.738)])
def test_critical_values_are_those_of_the_published_tables(n: int, expected: float) -> None:
    # Zar, "Significance testing of the Spearman rank correlation coefficient", 1972, Table 1.
    assert critical_rho(n) == pytest.approx(expected, abs=5e-4)


def test_critical_value_of_six_by_plain_enumeration() -> None:
    rhos = [
        1 - 6 * sum((a - b) ** 2 for a, b in enumerate(order)) / 210
        for order in permutations(range(6))
    ]
    critical = critical_rho(6)
    assert critical is not None
    below = max(abs(rho) for rho in rhos if abs(rho) < critical - 1e-9)
    assert sum(abs(rho) > critical - 1e-9 for rho in rhos) / 720 <= 0.05
    assert sum(abs(rho) > below - 1e-9 for rho in rhos) / 720 > 0.05


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
def test_too_few_points_can_never_be_significant(n: int) -> None:
    assert critical_rho(n) == math.inf


def test_more_than_eight_points_are_not_enumerated() -> None:
    assert critical_rho(9) is None


def test_spearman_agrees_with_scipy_with_ties() -> None:
    random = np.random.default_rng(0)
    first, second = random.integers(0, 5, 12), random.integers(0, 5, 12)
    expected = stats.spearmanr(first, second).statistic
    assert spearman(first, second).rho == pytest.approx(expected, abs=1e-12)


def test_spearman_leaves_out_undefined_pairs() -> None:
    found = spearman([1, 2, math.nan, 3], [30, 20, 5, 10])
    assert found.n == 3
    assert found.rho == pytest.approx(-1)


def test_spearman_of_a_constant_is_undefined_both_ways_round() -> None:
    assert math.isnan(spearman([1, 1, 1], [1, 2, 3]).rho)
    assert math.isnan(spearman([1, 2, 3], [1, 1, 1]).rho)
    assert math.isnan(spearman([1], [1]).rho)


def test_friedman_of_the_published_vector() -> None:
    found = friedman(BLOCKS)
    assert (found.n, found.k) == (4, 6)
    assert found.chi2 == pytest.approx(19.571429, abs=5e-7)
    assert found.p == pytest.approx(0.0015035, abs=5e-8)
    assert found.mean_ranks == (6, 1, 2, 5, 3.75, 3.25)
    assert found.kendall_w == pytest.approx(0.97857, abs=5e-6)
    assert found.f == pytest.approx(3 * 19.571429 / (20 - 19.571429), rel=1e-5)
    assert found.p_f == pytest.approx(stats.f.sf(found.f, 5, 15))


def test_friedmans_f_is_that_of_the_ranks_analysis_of_variance() -> None:
    blocks = np.random.default_rng(0).integers(0, 4, size=(9, 5))
    ranks = stats.rankdata(-blocks, axis=1)
    centred = ranks - ranks.mean()
    columns = 9 * (centred.mean(axis=0) ** 2).sum()
    rest = (centred**2).sum() - columns
    found = friedman(blocks)
    assert found.f == pytest.approx((columns / 4) / (rest / 32))


def test_blocks_that_all_agree_have_the_chance_of_that() -> None:
    found = friedman([[1, 2, 3], [4, 5, 6], [0, 7, 9]])
    tied = friedman([[1, 1, 3], [4, 4, 6]])
    assert (found.f, found.kendall_w, tied.kendall_w) == pytest.approx((math.inf, 1, 1))
    assert (found.p_f, tied.p_f) == pytest.approx((1 / 36, 1 / 3))


def test_friedman_rejects_5_percent_of_equal_columns() -> None:
    sets = np.random.default_rng(1).normal(size=(1_000, 8, 4))
    rejected = np.mean([friedman(blocks).p_f < 0.05 for blocks in sets])
    assert rejected == pytest.approx(0.05, abs=0.02)


def test_friedman_leaves_out_incomplete_blocks() -> None:
    assert friedman(np.vstack([BLOCKS, [1, 2, 3, 4, 5, math.nan]])) == friedman(BLOCKS)


def test_friedman_of_constant_or_too_few_blocks_is_undefined() -> None:
    constant, alone = friedman([[1, 1, 1], [2, 2, 2]]), friedman([[3, 2, 1]])
    nothing = friedman(np.empty((0, 3)))
    assert (constant.mean_ranks, alone.mean_ranks) == ((2, 2, 2), (1, 2, 3))
    assert np.isnan(nothing.mean_ranks).all()
    for found in (constant, alone, nothing):
        assert np.isnan([found.chi2, found.p, found.f, found.p_f, found.kendall_w]).all()


def test_trend_of_two_small_blocks_by_enumeration() -> None:
    blocks = np.array([[1, 2, 3, 4], [2, 1, 3, 4]])
    orders = list(permutations(range(1, 5)))
    ordered = np.array(orders) @ np.arange(1, 5)
    sums = np.add.outer(ordered, ordered)
    observed = (blocks @ np.arange(1, 5)).sum()
    found = trend(blocks)
    assert found.p == pytest.approx(np.mean(sums >= observed))
    assert found.by_block == pytest.approx((1, 0.8))
    assert (found.n, found.k, found.rho) == pytest.approx((2, 4, 0.9))
    half = stats.t.ppf(0.975, 1) * 0.1
    assert (found.low, found.high) == pytest.approx((0.9 - half, 0.9 + half))


def test_trend_looks_at_ranks_and_at_one_direction() -> None:
    blocks = np.random.default_rng(2).normal(size=(10, 5)) + 0.5 * np.arange(5)
    up, down = trend(blocks), trend(blocks[:, ::-1])
    assert up == trend(np.exp(blocks))
    assert up.rho == pytest.approx(-down.rho)
    assert up.p < 0.01
    assert down.p > 0.9


def test_trend_leaves_out_incomplete_blocks_and_says_which_are_constant() -> None:
    found = trend(np.array([[1, 2, 3], [2, 2, 2], [1, math.nan, 3], [3, 2, 1]]))
    assert (found.n, found.rho) == (3, 0)
    assert found.by_block == pytest.approx((1, math.nan, -1), nan_ok=True)
    alone = trend([[1, 2, 3]])
    assert alone.rho == pytest.approx(1)
    assert np.isnan([alone.low, alone.high, alone.p]).all()
    assert np.isnan([trend(np.empty((0, 4))).rho, trend([[1, 1, 1]]).rho]).all()


@pytest.mark.parametrize("test", [friedman, trend])
@pytest.mark.parametrize("shape", [(4,), (4, 2), (4, 3, 3)])
def test_blocks_need_three_columns(
    test: Callable[[NDArray[np.float64]], object], shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="at least 3"):
        test(np.zeros(shape))
