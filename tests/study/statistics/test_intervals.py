import math

import numpy as np
import pytest
from scipy import stats

from auglens.study.statistics.intervals import (
    bca_coverage,
    bca_interval,
    interquartile_mean,
    mean_interval,
    sample_sd,
)


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_interval_of_a_mean_is_that_of_a_one_sample_t_test(confidence: float) -> None:
    values = np.random.default_rng(3).normal(size=12)
    expected = stats.ttest_1samp(values, 0).confidence_interval(confidence)
    found = mean_interval([*values, np.nan], confidence=confidence)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert (found.mean, found.n) == pytest.approx((values.mean(), 12))


def test_one_value_has_a_mean_and_no_interval_and_none_has_neither() -> None:
    alone, nothing = mean_interval([2.0, np.nan]), mean_interval([])
    assert (alone.mean, alone.n, nothing.n) == (2, 1, 0)
    assert np.isnan([alone.low, alone.high, nothing.mean, nothing.low]).all()


def test_equal_values_have_no_spread_despite_rounding() -> None:
    values = [0.1] * 3
    found = mean_interval(values)
    assert np.std(values) > 0
    assert (sample_sd(values), found.low, found.high) == (0, found.mean, found.mean)
    assert sample_sd([1, np.nan, 3]) == pytest.approx(math.sqrt(2))
    assert math.isnan(sample_sd([1]))


@pytest.mark.parametrize("n", [3, 10])
def test_the_interval_of_a_mean_covers_it_as_often_as_it_says(n: int) -> None:
    samples = np.random.default_rng(5).normal(7, 3, size=(5_000, n))
    intervals = [mean_interval(sample) for sample in samples]
    covered = np.mean([interval.low <= 7 <= interval.high for interval in intervals])
    assert 0.93 <= covered <= 0.97


def test_the_interquartile_mean_drops_two_of_eight_at_each_end() -> None:
    values = [78, 70, 72, 95, 75, 76, 77, 74]
    assert interquartile_mean([*values, np.nan]) == pytest.approx((74 + 75 + 76 + 77) / 4)
    assert np.mean(values) == pytest.approx(77.125)
    assert math.isnan(interquartile_mean([np.nan]))


def test_the_bootstrap_interval_is_bias_corrected_and_accelerated() -> None:
    values = np.random.default_rng(1).exponential(size=12)
    num_resamples = 40_000
    found = bca_interval(
        [*values, np.nan], rng=np.random.default_rng(2), num_resamples=num_resamples
    )
    resamples = np.random.default_rng(3).choice(values, (num_resamples, 12)).mean(axis=1)
    without = (values.sum() - values) / 11
    bent = without.mean() - without
    acceleration = (bent**3).sum() / (6 * (bent**2).sum() ** 1.5)
    bias = stats.norm.ppf((resamples < values.mean()).mean())
    moved = bias + stats.norm.ppf([0.025, 0.975])
    levels = stats.norm.cdf(bias + moved / (1 - acceleration * moved))
    # Two independent sets of resamples: their quantiles differ by about 0.01.
    assert (found.low, found.high) == pytest.approx(np.quantile(resamples, levels), abs=0.03)
    assert found.n == 12


def test_the_bootstrap_interval_depends_on_its_generator_alone() -> None:
    values = [1.0, 2, 4, 8, 16]
    first, again, other = (
        bca_interval(values, rng=np.random.default_rng(seed), num_resamples=99)
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_the_bootstrap_interval_of_few_or_equal_values() -> None:
    rng = np.random.default_rng(0)
    alone = bca_interval([3.0], rng=rng, num_resamples=99)
    equal = bca_interval([0.1, 0.1, 0.1], rng=rng, num_resamples=99)
    assert alone.mean == 3
    assert np.isnan([alone.low, alone.high]).all()
    assert equal.low == equal.mean == equal.high == pytest.approx(0.1)
    assert math.isnan(bca_interval([], rng=rng, num_resamples=99).mean)


@pytest.mark.parametrize(("n", "expected"), [(5, 0.83), (10, 0.90), (20, 0.93)])
def test_the_bootstrap_interval_covers_less_than_it_says(n: int, expected: float) -> None:
    # Three standard errors of a share of 4,000 simulations, and the rounding of what is expected.
    error = 3 * math.sqrt(expected * (1 - expected) / 4_000) + 0.005
    assert bca_coverage(n) == pytest.approx(expected, abs=error)


def test_the_coverage_is_that_of_the_interval_itself() -> None:
    rng = np.random.default_rng(9)
    intervals = [bca_interval(rng.normal(size=4), rng=rng, num_resamples=199) for _ in range(400)]
    covered = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
    error = 3 * math.sqrt(0.8 * 0.2 * (1 / 400 + 1 / 4_000))
    assert bca_coverage(4) == pytest.approx(covered, abs=error)
    assert math.isnan(bca_coverage(1))
