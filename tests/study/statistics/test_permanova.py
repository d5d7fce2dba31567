import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from auglens.study.statistics.permanova import permanova, permanova_within

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
GROUPS, SEEDS = np.repeat(np.arange(6), 10), np.tile(np.arange(10), 6)


def between(points: Array) -> Array:
    return np.asarray(np.linalg.norm(points[:, None] - points[None], axis=2))


def plain_one_way(distances: Array, groups: Labels) -> tuple[float, float]:
    """F and R^2 from sums over pairs, as Anderson (2001) writes them."""
    num_runs = len(groups)
    total = (
        sum(distances[i, j] ** 2 for i in range(num_runs) for j in range(i + 1, num_runs))
        / num_runs
    )
    within = 0.0
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        pairs = [(i, j) for i in members for j in members if i < j]
        within += sum(distances[i, j] ** 2 for i, j in pairs) / len(members)
    num_groups = len(np.unique(groups))
    f = ((total - within) / (num_groups - 1)) / (within / (num_runs - num_groups))
    return float(f), float((total - within) / total)


def residual_squares(values: Array, *factors: Labels) -> float:
    columns = np.hstack([np.eye(int(factor.max()) + 1)[factor] for factor in factors])
    fitted = columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
    return float(((values - fitted) ** 2).sum())


def test_vector() -> None:
    distances = np.array([[0, 1, 4, 4], [1, 0, 4, 4], [4, 4, 0, 1], [4, 4, 1, 0.0]])
    found = permanova(distances, [0, 0, 1, 1])
    assert found.f == pytest.approx(31, rel=1e-12)
    assert found.r2 == pytest.approx(0.9393939, abs=5e-8)
    assert math.isnan(found.p)
    assert found.num_permutations == 0


def test_one_way_is_the_sum_over_pairs_unbalanced_and_not_euclidean() -> None:
    rng = np.random.default_rng(0)
    groups = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 1])
    drawn = np.triu(rng.random((12, 12)), 1)
    found = permanova(drawn + drawn.T, groups)
    assert (found.f, found.r2) == pytest.approx(plain_one_way(drawn + drawn.T, groups))


def test_one_way_of_distances_on_a_line_is_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(1)
    groups = np.array([0] * 5 + [1] * 7 + [2] * 3)
    values = rng.normal(size=15) + 0.5 * groups
    expected = stats.f_oneway(*(values[groups == group] for group in range(3)))
    found = permanova(between(values[:, None]), groups)
    assert found.f == pytest.approx(expected.statistic)


@pytest.mark.parametrize("missing", [0, 9], ids=["balanced", "unbalanced"])
def test_two_way_of_distances_on_a_line_is_the_analysis_of_variance(missing: int) -> None:
    rng = np.random.default_rng(2)
    kept = np.sort(rng.permutation(60)[missing:])
    groups, seeds = GROUPS[kept], SEEDS[kept]
    values: Array = rng.normal(size=len(kept)) + 0.3 * groups + seeds
    blocks_only, both = residual_squares(values, seeds), residual_squares(values, seeds, groups)
    dof_left = len(kept) - 10 - 5
    found = permanova_within(between(values[:, None]), groups, seeds, rng=rng, num_permutations=99)
    assert found.f == pytest.approx((blocks_only - both) / 5 / (both / dof_left))
    assert found.r2 == pytest.approx((blocks_only - both) / blocks_only)


def test_the_permutations_are_those_within_blocks() -> None:
    rng = np.random.default_rng(3)
    groups, seeds = (
        np.array([0, 1, 2, 0, 1, 1, 2, 0, 2, 1]),
        np.array([4, 4, 4, 7, 7, 7, 7, 1, 1, 1]),
    )
    codes = np.unique(seeds, return_inverse=True)[1]
    values = rng.normal(size=10) + 0.7 * groups

    def statistic(labels: Labels) -> float:
        return -residual_squares(values, codes, labels)

    shuffled = []
    for _ in range(1000):
        labels = groups.copy()
        for block in range(3):
            labels[codes == block] = rng.permutation(labels[codes == block])
        shuffled.append(statistic(labels) >= statistic(groups) - 1e-9)
    expected = float(np.mean(shuffled))
    found = permanova_within(
        between(values[:, None]), groups, seeds, rng=rng, num_permutations=1000
    )
    assert 0.01 < expected < 0.9
    error = math.sqrt(2 * expected * (1 - expected) / 1000)
    assert found.p == pytest.approx(expected, abs=4 * error)


def test_unlike_groups_are_found_whatever_the_seeds_do() -> None:
    rng = np.random.default_rng(4)
    points = rng.normal(size=(60, 4)) + 5 * rng.normal(size=(10, 4))[SEEDS]
    points[:, 0] += 3 * (GROUPS == 2)
    found = permanova_within(between(points), GROUPS, SEEDS, rng=rng, num_permutations=199)
    assert found.p == 1 / 200


def test_shuffled_groups_are_called_unlike_one_time_in_twenty() -> None:
    rng = np.random.default_rng(5)
    groups, seeds = np.tile(np.arange(4), 5), np.repeat(np.arange(5), 4)
    ps = []
    for _ in range(600):
        points = rng.normal(size=(20, 3)) + 2 * rng.normal(size=(5, 3))[seeds]
        table = permanova_within(between(points), groups, seeds, rng=rng, num_permutations=99)
        ps.append(table.p)
    assert np.mean(np.array(ps) <= 0.05) == pytest.approx(0.05, abs=4 * 0.0089)


def test_r2_of_equal_groups_is_what_chance_gives_and_one_way_hides_it_behind_seeds() -> None:
    rng = np.random.default_rng(6)
    alone, shared, after = [], [], []
    for _ in range(100):
        noise = rng.normal(size=(60, 3))
        with_seeds = between(noise + 3 * rng.normal(size=(10, 3))[SEEDS])
        alone.append(permanova(between(noise), GROUPS).r2)
        shared.append(permanova(with_seeds, GROUPS).r2)
        within = permanova_within(with_seeds, GROUPS, SEEDS, rng=rng, num_permutations=1)
        after.append(within.r2)
    assert np.mean(alone) == pytest.approx(5 / 59, abs=0.008)
    assert np.mean(shared) == pytest.approx(0.010, abs=0.004)
    assert np.mean(after) == pytest.approx(5 / 50, abs=0.008)


def test_degenerate_designs() -> None:
    rng = np.random.default_rng(7)
    one_group = permanova(1 - np.eye(4), [1, 1, 1, 1])
    assert (one_group.r2, math.isnan(one_group.f)) == (0, True)
    assert math.isnan(permanova(1 - np.eye(3), [0, 1, 2]).f)
    nothing = permanova_within(
        np.zeros((4, 4)), [0, 1, 0, 1], [0, 0, 1, 1], rng=rng, num_permutations=9
    )
    assert np.isnan([nothing.f, nothing.r2, nothing.p]).all()
    apart = between(np.array([0.0, 0, 1, 1])[:, None])
    assert permanova(apart, [0, 0, 1, 1]).f == math.inf


def test_undefined_distances_and_other_shapes_are_refused() -> None:
    distances = 1 - np.eye(3)
    distances[0, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        permanova(distances, [0, 0, 1])
    with pytest.raises(ValueError, match=r"\(M,\), got \(3, 3\), \(2,\)"):
        permanova(1 - np.eye(3), [0, 1])


def test_the_root_of_1_minus_cc_partitions_the_variance_of_the_maps() -> None:
    rng = np.random.default_rng(8)
    maps = 0.4 * rng.normal(size=(6, 40))[GROUPS] + 0.8 * rng.normal(size=(10, 40))[SEEDS]
    maps = maps + rng.normal(size=(60, 40))
    maps -= maps.mean(axis=1, keepdims=True)
    maps /= np.linalg.norm(maps, axis=1, keepdims=True)
    distances = np.sqrt((1 - np.corrcoef(maps)).clip(min=0))
    found = permanova_within(distances, GROUPS, SEEDS, rng=rng, num_permutations=99)
    total = residual_squares(maps, np.zeros(60, np.int64))
    blocks_only, both = residual_squares(maps, SEEDS), residual_squares(maps, SEEDS, GROUPS)
    assert found.r2_blocks == pytest.approx(1 - blocks_only / total)
    assert found.r2_total == pytest.approx((blocks_only - both) / total)
    assert found.r2 == pytest.approx((blocks_only - both) / blocks_only)
    assert found.f == pytest.approx((blocks_only - both) / 5 / (both / 45))


def plain_f(squares: Array, groups: Labels, blocks: Labels) -> float:
    """F from projections written out, whatever its sign."""
    columns = np.hstack([np.eye(int(one.max()) + 1)[one] for one in (blocks, groups)])
    num_blocks = int(blocks.max()) + 1
    left, residual = (
        float(np.trace((np.eye(len(squares)) - own @ np.linalg.pinv(own)) @ (-squares / 2)))
        for own in (columns[:, :num_blocks], columns)
    )
    dof = np.linalg.matrix_rank(columns) - num_blocks
    return float((left - residual) / dof / (residual / (len(squares) - num_blocks - dof)))


def test_groups_that_explain_more_than_all_have_no_value_and_do_not_count_in_p() -> None:
    rng = np.random.default_rng(10)
    groups, blocks = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 1])
    drawn = np.triu(rng.random((6, 6)) ** 3, 1)
    distances = drawn + drawn.T
    orders = list(itertools.permutations(range(3)))
    labels = [np.array([*one, *other]) for one in orders for other in orders]
    values = np.array([plain_f(distances**2, one, blocks) for one in labels])
    given = plain_f(distances**2, groups, blocks)
    # 2 and 2 degrees of freedom: F is below -1 where the residual is negative.
    assert (given, values.min()) == pytest.approx((2.203, -4.748), abs=0.001)
    found = permanova_within(distances, groups, blocks, rng=rng, num_permutations=4000)
    expected = float(np.mean(values >= given - 1e-9))
    assert found.f == pytest.approx(given)
    assert found.p == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 4000))
    worst = labels[int(values.argmin())]
    none = permanova_within(distances, worst, blocks, rng=rng, num_permutations=99)
    assert np.isnan([none.f, none.r2, none.r2_total, none.p]).all()
    assert none.r2_blocks == found.r2_blocks
