import math
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from auglens.study.statistics.intervals import mean_interval
from auglens.study.statistics.ranks import critical_rho, spearman


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


def test_the_interval_of_a_mean_is_that_of_a_one_sample_t_test() -> None:
    values = np.random.default_rng(3).normal(size=12)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = mean_interval([*values, np.nan])
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert (found.mean, found.n) == pytest.approx((values.mean(), 12))


def test_one_value_has_a_mean_and_no_interval_and_none_has_neither() -> None:
    alone, nothing = mean_interval([2.0, np.nan]), mean_interval([])
    assert (alone.mean, alone.n, nothing.n) == (2, 1, 0)
    assert np.isnan([alone.low, alone.high, nothing.mean, nothing.low]).all()
