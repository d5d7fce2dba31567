import math
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import spearmanr

from auglens.study.statistics import critical_rho, spearman


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
    expected = spearmanr(first, second).statistic
    assert spearman(first, second).rho == pytest.approx(expected, abs=1e-12)


def test_spearman_leaves_out_undefined_pairs() -> None:
    found = spearman([1, 2, math.nan, 3], [30, 20, 5, 10])
    assert found.n == 3
    assert found.rho == pytest.approx(-1)


def test_spearman_of_a_constant_is_undefined_both_ways_round() -> None:
    assert math.isnan(spearman([1, 1, 1], [1, 2, 3]).rho)
    assert math.isnan(spearman([1, 2, 3], [1, 1, 1]).rho)
    assert math.isnan(spearman([1], [1]).rho)
