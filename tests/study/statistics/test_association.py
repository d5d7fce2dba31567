import math
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from auglens.study.statistics.association import (
    Association,
    curve_association,
    incremental_r2,
    repeated_measures_correlation,
    simulate_unrelated,
)
from auglens.study.statistics.equivalence import equivalence

Array = NDArray[np.float64]
STRENGTH = np.linspace(0.2, 2, 6)


def smooth_curves(rng: np.random.Generator, num_augments: int = 5) -> Array:
    """Curves over strength with slopes of their own, bent a little, and hardly any noise."""
    slopes, bends = rng.normal(size=(2, num_augments, 1))
    return np.asarray(
        slopes * STRENGTH
        + 0.2 * bends * STRENGTH**2
        + rng.normal(0, 0.05, (num_augments, len(STRENGTH)))
    )


def associated(similarity: Array, accuracy: Array, *, greater: bool = False) -> Association:
    return curve_association(
        similarity,
        accuracy,
        alternative="greater" if greater else "two-sided",
        bound=0.5,
        rng=np.random.default_rng(0),
    )


def plain_correlations(first: Array, second: Array) -> Array:
    left = []
    for table in (first, second):
        without_rows = table - table.mean(axis=1)[:, None]
        left.append(without_rows - without_rows.mean(axis=0))
    return np.array([np.corrcoef(*rows)[0, 1] for rows in zip(*left, strict=True)])


def test_independent_smooth_curves_fool_the_naive_correlation_and_not_this_one() -> None:
    rng = np.random.default_rng(0)
    naive, found = [], []
    for _ in range(1000):
        similarity, accuracy = smooth_curves(rng), smooth_curves(rng)
        naive.append(stats.spearmanr(similarity.ravel(), accuracy.ravel()).pvalue <= 0.05)
        found.append(associated(similarity, accuracy).p <= 0.05)
    assert 0.21 <= np.mean(naive) <= 0.46
    assert np.mean(found) <= 0.064


def test_the_estimate_is_the_mean_correlation_of_what_means_leave() -> None:
    rng = np.random.default_rng(1)
    similarity, accuracy = rng.normal(size=(2, 6, 5))
    found = associated(similarity, accuracy)
    expected = plain_correlations(similarity, accuracy)
    np.testing.assert_allclose(found.by_augment, expected, atol=1e-12)
    interval = stats.ttest_1samp(expected, 0).confidence_interval(0.95)
    assert found.estimate == pytest.approx(expected.mean())
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.equivalence.p == pytest.approx(equivalence(expected, bound=0.5).p)
    assert (found.num_augments, found.num_strengths) == (6, 5)


@pytest.mark.parametrize("greater", [False, True], ids=["two-sided", "greater"])
def test_p_is_the_share_of_the_orders_of_whole_curves(greater: bool) -> None:
    rng = np.random.default_rng(2)
    similarity, accuracy = rng.normal(size=(2, 5, 6))
    accuracy += 0.2 * similarity
    drawn = [
        plain_correlations(similarity, accuracy[list(order)]).mean()
        for order in permutations(range(5))
    ]
    sizes = np.array(drawn) if greater else np.abs(drawn)
    found = associated(similarity, accuracy, greater=greater)
    assert found.num_permutations == 120
    assert found.p == np.mean(sizes >= sizes[0] - 1e-12)


def test_a_planted_association_is_found_and_its_opposite_only_by_the_two_sided_test() -> None:
    rng = np.random.default_rng(3)
    similarity = rng.normal(size=(5, 6))
    accuracy = 0.1 * similarity + rng.normal(0, 0.02, (5, 6))
    assert associated(similarity, accuracy, greater=True).p == 1 / 120
    assert associated(similarity, accuracy).p <= 2 / 120
    assert associated(similarity, -accuracy).p <= 2 / 120
    assert associated(similarity, -accuracy, greater=True).p == 1


def test_more_than_seven_augmentations_are_permuted_by_drawing() -> None:
    rng = np.random.default_rng(4)
    similarity = rng.normal(size=(9, 6))
    found = associated(similarity, similarity + 0.3 * rng.normal(size=(9, 6)))
    assert (found.num_permutations, found.p) == (5000, 1 / 5001)


def test_constants_of_an_augmentation_or_a_strength_and_units_change_nothing() -> None:
    rng = np.random.default_rng(5)
    similarity, accuracy = rng.normal(size=(2, 5, 6))
    before = associated(similarity, accuracy)
    rows, columns = 9 * rng.normal(size=(5, 1)), 9 * rng.normal(size=6)
    for first, second in (
        (similarity + rows + columns, accuracy),
        (similarity, accuracy + rows + columns),
        (3 * similarity, 100 * accuracy),
        (accuracy, similarity),
    ):
        after = associated(first, second)
        np.testing.assert_allclose(after.by_augment, before.by_augment, atol=1e-12)
        assert after.p == before.p


def test_curves_that_differ_by_constants_only_leave_nothing_to_correlate() -> None:
    similarity = STRENGTH + 0.1 * np.arange(4)[:, None]
    found = associated(similarity, np.random.default_rng(6).normal(size=(4, 6)))
    assert np.isnan([*found.by_augment, found.estimate, found.p, found.equivalence.p]).all()


@pytest.mark.parametrize("shape", [(2, 6), (5, 2), (0, 6)], ids=str)
def test_too_few_augmentations_or_strengths_say_nothing(shape: tuple[int, int]) -> None:
    found = associated(np.ones(shape), np.ones(shape))
    values = (found.estimate, found.low, found.high, found.p, found.equivalence.p)
    assert np.isnan([*values, *found.by_augment]).all()
    assert found.num_permutations == 0


def test_missing_values_and_unlike_tables_are_refused() -> None:
    table = np.ones((4, 5))
    with pytest.raises(ValueError, match=r"one shape \(A, K\)"):
        associated(table, table[1:])
    missing = table.copy()
    missing[1, 1] = np.nan
    with pytest.raises(ValueError, match="finite value at every strength"):
        associated(table, missing)
    with pytest.raises(ValueError, match="finite value"):
        incremental_r2(missing, np.ones((4, 5, 1)), table, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"\(A, K, F\)"):
        incremental_r2(table, np.ones((5, 5, 1)), table, rng=np.random.default_rng(0))


def plain_left_out_r2(target: Array, features: Array) -> float:
    """By scikit-learn, R^2 around the mean of each training part."""
    errors, spread = 0.0, 0.0
    for held in range(len(target)):
        kept = np.arange(len(target)) != held
        train = features[kept].reshape(-1, features.shape[2])
        model = LinearRegression().fit(train, target[kept].ravel())
        errors += float(((target[held] - model.predict(features[held])) ** 2).sum())
        spread += float(((target[held] - target[kept].mean()) ** 2).sum())
    return 1 - errors / spread


def test_r2_and_p_of_augmentations_left_out_by_scikit_learn() -> None:
    rng = np.random.default_rng(7)
    known, added = rng.normal(size=(4, 6, 2)), rng.normal(size=(4, 6))
    target = known @ [0.7, -0.4] + 0.3 * added + 0.5 * rng.normal(size=(4, 6))
    gains = []
    without = plain_left_out_r2(target, known)
    for order in permutations(range(4)):
        both = np.concatenate([known, added[list(order)][..., None]], axis=2)
        gains.append(plain_left_out_r2(target, both) - without)
    found = incremental_r2(target, known, added, rng=rng)
    assert found.without == pytest.approx(without)
    assert found.gain == pytest.approx(gains[0])
    assert found.with_added == pytest.approx(without + gains[0])
    assert found.p == np.mean(np.array(gains) >= gains[0] - 1e-12)
    assert found.num_permutations == 24


def test_a_variable_that_explains_the_rest_is_found() -> None:
    rng = np.random.default_rng(8)
    known, added = rng.normal(size=(5, 6, 2)), rng.normal(size=(5, 6))
    target = known.sum(axis=2) + 2 * added + 0.1 * rng.normal(size=(5, 6))
    found = incremental_r2(target, known, added, rng=rng)
    assert found.without < 0.7
    assert 0.98 < found.with_added <= 1
    assert found.p == 1 / 120


def test_a_variable_of_no_use_is_seldom_found() -> None:
    rng = np.random.default_rng(9)
    ps = []
    for _ in range(500):
        known = smooth_curves(rng)[..., None]
        target = known[..., 0] + smooth_curves(rng)
        ps.append(incremental_r2(target, known, smooth_curves(rng), rng=rng).p)
    assert np.mean(np.array(ps) <= 0.05) <= 0.05 + 3 * 0.01


def test_a_copy_of_a_known_variable_adds_nothing() -> None:
    rng = np.random.default_rng(10)
    known = rng.normal(size=(4, 6, 2))
    target = known[..., 0] + 0.3 * rng.normal(size=(4, 6))
    found = incremental_r2(target, known, 5 * known[..., 1] - 2, rng=rng)
    assert found.gain == pytest.approx(0, abs=1e-12)


def test_without_known_variables_r2_is_that_of_the_training_means() -> None:
    rng = np.random.default_rng(11)
    added = rng.normal(size=(5, 6))
    target = added + 0.2 * rng.normal(size=(5, 6))
    found = incremental_r2(target, np.empty((5, 6, 0)), added, rng=rng)
    assert found.without == pytest.approx(0, abs=1e-12)
    assert found.with_added == pytest.approx(plain_left_out_r2(target, added[..., None]))
    assert found.with_added == pytest.approx(r2_score(target.ravel(), added.ravel()), abs=0.1)


@pytest.mark.parametrize(("a", "k", "f"), [(2, 6, 1), (3, 2, 2)], ids=["augments", "points"])
def test_too_little_data_has_no_r2(a: int, k: int, f: int) -> None:
    rng = np.random.default_rng(12)
    found = incremental_r2(
        rng.normal(size=(a, k)), rng.normal(size=(a, k, f)), np.ones((a, k)), rng=rng
    )
    assert np.isnan([found.without, found.with_added, found.gain, found.p]).all()
    constant = incremental_r2(np.ones((4, 6)), rng.normal(size=(4, 6, 1)), np.ones((4, 6)), rng=rng)
    assert np.isnan([constant.without, constant.gain, constant.p]).all()


def ancova(x: Array, y: Array, groups: NDArray[np.int64]) -> tuple[float, float]:
    """The signed root of the slope's share of squares, and the p of its F test."""
    intercepts = np.eye(int(groups.max()) + 1)[groups]
    both = np.column_stack([intercepts, x])
    squares = []
    for columns in (intercepts, both):
        solution = np.linalg.lstsq(columns, y, rcond=None)[0]
        squares.append(float(((y - columns @ solution) ** 2).sum()))
    slope = np.linalg.lstsq(both, y, rcond=None)[0][-1]
    df = len(y) - both.shape[1]
    f = (squares[0] - squares[1]) / (squares[1] / df)
    r = math.copysign(math.sqrt(1 - squares[1] / squares[0]), slope)
    return r, float(stats.f.sf(f, 1, df))


def test_repeated_measures_correlation_is_the_analysis_of_covariance() -> None:
    rng = np.random.default_rng(13)
    groups = np.array([0] * 4 + [1] * 9 + [2] * 6 + [3])
    x = rng.normal(size=20) + 3 * groups
    y = -0.5 * x + 5 * groups + rng.normal(size=20)
    found = repeated_measures_correlation(x, y, groups)
    assert (found.r, found.p) == pytest.approx(ancova(x, y, groups))
    assert (found.df, found.n) == (15, 20)
    assert found.r < 0 < np.corrcoef(x, y)[0, 1]


def test_repeated_measures_of_one_group_are_a_pearson_correlation() -> None:
    x, y = np.random.default_rng(14).normal(size=(2, 12))
    expected = stats.pearsonr(x, y)
    found = repeated_measures_correlation([*x, math.nan], [*y, 1], ["a"] * 12 + ["b"])
    assert (found.r, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert (found.df, found.n) == (10, 12)


def test_repeated_measures_without_anything_to_correlate_are_undefined() -> None:
    constant = repeated_measures_correlation([1, 1, 2.1, 2.1], [1, 2, 3, 4], [0, 0, 1, 1])
    singles = repeated_measures_correlation([1, 2], [3, 4], [0, 1])
    nothing = repeated_measures_correlation([], [], [])
    assert np.isnan([constant.r, constant.p, singles.r, nothing.r, nothing.p]).all()
    straight = repeated_measures_correlation([1, 2, 3, 5, 6], [2, 4, 6, 0, 2], [0, 0, 0, 1, 1])
    assert (straight.r, straight.p) == pytest.approx((1, 0))
    assert straight.df == 2
    with pytest.raises(ValueError, match="One group a point"):
        repeated_measures_correlation([1, 2], [1, 2], [0])


def test_measured_coverage_falls_short_with_few_augmentations() -> None:
    few, many = simulate_unrelated(5, 6, 0.5), simulate_unrelated(12, 6, 0.5)
    # 1,000 simulations: a standard error of .009 at .91.
    assert 0.86 < few.coverage < 0.94
    assert few.coverage < many.coverage < 0.97
    assert np.isnan(simulate_unrelated(2, 6, 0.5).coverage)


def test_equivalence_is_hard_to_tell_with_few_augmentations() -> None:
    assert simulate_unrelated(5, 6, 0.5).equivalence < 0.1
    assert simulate_unrelated(5, 6, 0.5).equivalence < simulate_unrelated(5, 6, 1.0).equivalence
    assert simulate_unrelated(60, 6, 0.5).equivalence > 0.8
