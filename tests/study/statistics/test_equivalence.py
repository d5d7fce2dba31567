import math

import numpy as np
import pytest
from scipy import stats

from auglens.study.statistics.equivalence import correlation_equivalence_power, equivalence


@pytest.mark.parametrize("shift", [-0.6, 0.0, 0.1])
def test_p_is_the_larger_of_two_one_sided_t_tests(shift: float) -> None:
    values = np.random.default_rng(0).normal(shift, 1, size=15)
    found = equivalence([*values, np.nan], bound=0.8)
    above = stats.ttest_1samp(values, -0.8, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 0.8, alternative="less").pvalue
    assert found.p == pytest.approx(max(above, below))
    assert (found.n, found.bound) == (15, 0.8)


def test_it_succeeds_exactly_if_the_90_percent_interval_lies_within_the_bound() -> None:
    samples = np.random.default_rng(1).normal(0.2, 1, size=(200, 12))
    found = [equivalence(sample, bound=0.7) for sample in samples]
    within = [each.low > -0.7 and each.high < 0.7 for each in found]
    assert within == [each.p < 0.05 for each in found]
    assert 20 < sum(within) < 180


@pytest.mark.parametrize(("n", "bound"), [(3, 2.0), (8, 0.8), (30, 0.4), (30, 0.6)])
def test_power_is_how_often_it_succeeds_at_a_mean_of_0(n: int, bound: float) -> None:
    values = np.random.default_rng(2).normal(size=n)
    values = values / values.std(ddof=1)
    samples = np.random.default_rng(3).normal(size=(20_000, n))
    half = stats.t.ppf(0.95, n - 1) * samples.std(axis=1, ddof=1) / math.sqrt(n)
    successes = np.mean(np.abs(samples.mean(axis=1)) + half < bound)
    error = 3 * math.sqrt(successes * (1 - successes) / 20_000) + 1e-9
    assert equivalence(values, bound=bound).power == pytest.approx(successes, abs=error)


def test_power_does_not_depend_on_the_unit_and_reaches_its_ends() -> None:
    values = np.random.default_rng(4).normal(size=10)
    powers = [equivalence(scale * values, bound=scale * 0.9).power for scale in (1, 100)]
    assert powers[0] == pytest.approx(powers[1])
    assert equivalence(values, bound=1e-3).power == pytest.approx(0, abs=1e-3)
    assert equivalence(values, bound=1e3).power == pytest.approx(1)


def test_a_wider_bound_is_easier() -> None:
    values = np.random.default_rng(5).normal(size=10)
    found = [equivalence(values, bound=bound) for bound in (0.4, 0.8, 1.2)]
    assert found[0].p > found[1].p > found[2].p
    assert found[0].power < found[1].power < found[2].power


def test_equal_values_lie_within_the_bound_or_do_not() -> None:
    inside, outside = (equivalence([value] * 4, bound=0.5) for value in (0.25, -0.5))
    assert (inside.low, inside.high, inside.p, inside.power) == (0.25, 0.25, 0, 1)
    assert (outside.mean, outside.p) == (-0.5, 1)


def test_too_few_values_tell_nothing() -> None:
    alone, nothing = equivalence([1.0, np.nan], bound=2), equivalence([], bound=2)
    assert (alone.n, alone.mean, nothing.n) == (1, 1, 0)
    for found in (alone, nothing):
        assert np.isnan([found.low, found.high, found.p, found.power]).all()


@pytest.mark.parametrize("bound", [0.0, -1.0, math.nan])
def test_a_bound_must_be_positive(bound: float) -> None:
    with pytest.raises(ValueError, match="`bound` must be"):
        equivalence([1, 2, 3], bound=bound)
    with pytest.raises(ValueError, match="`bound` must be"):
        correlation_equivalence_power(30, bound)


def test_a_correlation_needs_54_points_for_80_percent_at_a_bound_of_04() -> None:
    assert correlation_equivalence_power(30, 0.4) == pytest.approx(0.38, abs=0.005)
    assert correlation_equivalence_power(53, 0.4) < 0.8 <= correlation_equivalence_power(54, 0.4)
    assert correlation_equivalence_power(3, 0.9) == correlation_equivalence_power(9, 0.1) == 0


def test_power_of_a_correlation_is_about_what_simulation_finds() -> None:
    rng = np.random.default_rng(6)
    order = np.arange(30.0) - 14.5
    ranks = rng.permuted(np.tile(order, (5_000, 1)), axis=1)
    z = np.arctanh(ranks @ order / (order @ order))
    half = stats.norm.ppf(0.95) * math.sqrt(1.06 / 27)
    successes = np.mean(np.abs(z) + half < math.atanh(0.4))
    assert correlation_equivalence_power(30, 0.4) == pytest.approx(successes, abs=0.03)
