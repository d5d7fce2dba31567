import math
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from auglens.study.statistics.shift import Shift, seed_shift, shift_coverage, shift_trend_test

Array = NDArray[np.float64]


def inner_products(vectors: Array) -> Array:
    """Similarities of runs, one vector an image and run, ``(N, M, D)`` to ``(N, M, M)``."""
    return np.asarray(vectors @ vectors.swapaxes(1, 2))


def simulated(
    num_seeds: int,
    rng: np.random.Generator,
    *,
    squared_distance: float = 0.0,
    num_images: int = 4,
    noise: float = 0.4,
) -> Array:
    """Runs of A, then B, whose means differ and whose seeds have an effect in common."""
    means = np.zeros((2 * num_seeds, 4))
    means[:, 0] = 1
    means[:num_seeds, 1] = math.sqrt(squared_distance)
    shared = np.tile(rng.normal(0, 0.3, (num_seeds, 4)), (2, 1))
    own = rng.normal(0, noise, (2 * num_seeds, 4))
    return inner_products(means + shared + own + rng.normal(0, 0.2, (num_images, *own.shape)))


def shift_of(similarities: Array, *, seed: int = 0, num_resamples: int = 200) -> Shift:
    rng = np.random.default_rng(seed)
    return seed_shift(similarities, rng=rng, num_resamples=num_resamples)


def plain_delta(pairs: Array) -> float:
    n = len(pairs) // 2
    terms = [
        (pairs[i, j] + pairs[n + i, n + j]) / 2 - pairs[i, n + j]
        for i, j in product(range(n), repeat=2)
        if i != j
    ]
    return float(np.mean(terms))


def test_a_condition_does_not_differ_from_itself() -> None:
    own = simulated(6, np.random.default_rng(0))[:, :6, :6]
    shift = shift_of(np.tile(own, (1, 2, 2)))
    assert (shift.delta, shift.rho_star, shift.p) == (0, 1, 1)
    assert (shift.low, shift.high) == (0, 0)


def test_floors_and_shift_are_the_means_over_pairs_of_different_seeds() -> None:
    similarities = simulated(5, np.random.default_rng(1), squared_distance=1)
    similarities[0, 2, 3] = similarities[0, 3, 2] = np.nan
    similarities[1, 1, 8] = similarities[1, 8, 1] = np.nan
    pairs = np.array([[np.nanmean(similarities[:, i, j]) for j in range(10)] for i in range(10)])
    upper = [(i, j) for i in range(5) for j in range(i + 1, 5)]
    shift = shift_of(similarities)
    assert shift.floor_a == pytest.approx(np.mean([pairs[i, j] for i, j in upper]))
    assert shift.floor_b == pytest.approx(np.mean([pairs[5 + i, 5 + j] for i, j in upper]))
    crossed = [pairs[i, 5 + j] for i in range(5) for j in range(5) if i != j]
    assert shift.across == pytest.approx(np.mean(crossed))
    assert shift.delta == pytest.approx(plain_delta(pairs))
    assert (shift.n, shift.num_images, shift.num_exchanges) == (5, 4, 32)


def test_the_noise_corrected_similarity_is_spearman_s_attenuation() -> None:
    similarities = np.ones((1, 6, 6))
    similarities[:, :3, :3], similarities[:, 3:, 3:] = 0.6, 0.7
    similarities[:, :3, 3:] = similarities[:, 3:, :3] = 0.42
    assert shift_of(similarities).rho_star == pytest.approx(0.648, abs=5e-4)
    similarities[:, 3:, 3:] = 0.05
    assert math.isnan(shift_of(similarities).rho_star)


def test_p_is_the_share_of_exchanges_within_seeds_with_as_large_a_shift() -> None:
    similarities = simulated(5, np.random.default_rng(2), squared_distance=0.3)
    pairs = similarities.mean(axis=0)
    deltas = []
    for swapped in product([False, True], repeat=5):
        first = [i + 5 * swap for i, swap in enumerate(swapped)]
        runs = first + [(run + 5) % 10 for run in first]
        deltas.append(plain_delta(pairs[np.ix_(runs, runs)]))
    expected = np.mean(np.array(deltas) >= deltas[0] - 1e-12)
    assert 2 / 32 < expected < 1
    assert shift_of(similarities).p == expected


def test_relabelling_the_seeds_of_both_conditions_changes_nothing() -> None:
    similarities = simulated(6, np.random.default_rng(3), squared_distance=0.5)
    order = np.random.default_rng(4).permutation(6)
    runs = np.r_[order, order + 6]
    before, after = shift_of(similarities), shift_of(similarities[:, runs][:, :, runs])
    assert after.delta == pytest.approx(before.delta)
    assert after.p == before.p
    assert (after.low, after.high) == pytest.approx((before.low, before.high), abs=0.15)


def test_the_shift_is_unbiased_where_the_truth_is_known() -> None:
    rng = np.random.default_rng(5)
    deltas = [
        shift_of(simulated(4, rng, squared_distance=0.6), num_resamples=1).delta
        for _ in range(1500)
    ]
    assert np.mean(deltas) == pytest.approx(0.3, abs=4 * stats.sem(deltas))


def test_a_planted_shift_is_found_with_the_smallest_p_there_is() -> None:
    shift = shift_of(simulated(8, np.random.default_rng(6), squared_distance=4))
    assert shift.p == 2 / 2**8
    assert 0 < shift.low < shift.delta < shift.high
    assert shift.rho_star < 0.8


def test_exchangeable_seeds_are_seldom_called_shifted() -> None:
    rng = np.random.default_rng(7)
    found = [shift_of(simulated(8, rng), num_resamples=1).p <= 0.05 for _ in range(300)]
    assert np.mean(found) <= 0.08


def test_many_seeds_are_tested_by_drawing_and_agree_with_going_through_all() -> None:
    rng = np.random.default_rng(8)
    # More seeds than are enumerated; signs of a quadratic form, worked out here without them.
    similarities = simulated(15, rng, squared_distance=0.08)
    pairs = similarities.mean(axis=0)
    own, cross, base = pairs[:15, :15], pairs[:15, 15:], pairs[15:, 15:]
    contrasts = own + base - cross - cross.T
    np.fill_diagonal(contrasts, 0)
    signs = 1 - 2.0 * (np.arange(2**15)[:, None] >> np.arange(15) & 1)
    sums = np.einsum("ei,ij,ej->e", signs, contrasts, signs, optimize=True)
    exact = float((sums >= contrasts.sum() - 1e-9).mean())
    shift = shift_of(similarities)
    assert shift.num_exchanges == 10_000
    assert 0.005 < exact < 0.5
    assert shift.p == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 10_000))


def test_the_interval_is_that_of_resampled_seeds_and_images_without_equal_pairs() -> None:
    similarities = simulated(6, np.random.default_rng(9), squared_distance=1, num_images=5)
    rng = np.random.default_rng(10)
    deltas = []
    for _ in range(1500):
        pairs = similarities[rng.integers(0, 5, 5)].mean(axis=0)
        seeds = rng.integers(0, 6, 6)
        different = seeds[:, None] != seeds
        own, base = pairs[np.ix_(seeds, seeds)], pairs[np.ix_(seeds + 6, seeds + 6)]
        across = pairs[np.ix_(seeds, seeds + 6)]
        if different.any():
            deltas.append(((own + base) / 2 - across)[different].mean())
    shift = shift_of(similarities, num_resamples=4000)
    spread = np.std(deltas)
    expected = np.percentile(deltas, [2.5, 97.5])
    assert (shift.low, shift.high) == pytest.approx(tuple(expected), abs=0.2 * spread)


@pytest.mark.parametrize("num_seeds", [0, 1])
def test_fewer_than_two_seeds_have_no_floor(num_seeds: int) -> None:
    shift = shift_of(np.ones((3, 2 * num_seeds, 2 * num_seeds)))
    assert shift.n == num_seeds
    values = (shift.delta, shift.low, shift.high, shift.p, shift.rho_star, shift.floor_a)
    assert np.isnan([*values, shift.floor_b, shift.across]).all()


def test_two_seeds_have_a_shift_and_no_interval() -> None:
    shift = shift_of(simulated(2, np.random.default_rng(11), squared_distance=4))
    assert shift.delta > 0
    assert shift.p in {0.5, 1.0}
    assert math.isnan(shift.low)
    assert math.isnan(shift.high)


def test_a_seed_without_a_defined_map_is_left_out() -> None:
    similarities = simulated(5, np.random.default_rng(12), squared_distance=0.5)
    kept = np.array([0, 1, 3, 4, 5, 6, 8, 9])
    expected = shift_of(similarities[:, kept][:, :, kept])
    similarities[:, 7] = similarities[:, :, 7] = np.nan
    assert shift_of(similarities) == expected


def test_two_runs_that_share_no_image_make_the_shift_undefined() -> None:
    similarities = simulated(4, np.random.default_rng(13))
    similarities[:, 0, 1] = similarities[:, 1, 0] = np.nan
    shift = shift_of(similarities)
    assert np.isnan([shift.delta, shift.p, shift.low, shift.floor_a, shift.rho_star]).all()


@pytest.mark.parametrize("shape", [(4, 4), (2, 4, 6), (2, 5, 5)], ids=str)
def test_similarities_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(N, 2S, 2S\)"):
        shift_of(np.ones(shape))


def test_the_interval_covers_less_with_few_seeds_and_nearly_as_named_with_many() -> None:
    few, some, many = (shift_coverage(num_seeds) for num_seeds in (3, 5, 30))
    assert 0.6 < few < some < many
    assert many == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 300))
    assert math.isnan(shift_coverage(2))


STRENGTHS = 5


def drawn_sweep(
    num_seeds: int, rng: np.random.Generator, distances: Array, *, augments: int = 2
) -> tuple[Array, list[NDArray[np.int64]]]:
    """Similarity of all runs of a sweep over strengths, and where each run stands in it."""
    num_runs = num_seeds * (1 + augments * STRENGTHS)
    layouts = [np.arange(num_runs)[:num_seeds, None]] * augments
    places = rng.permutation(np.arange(num_seeds, num_runs)).reshape(augments, num_seeds, -1)
    layouts = [np.hstack([base, own]) for base, own in zip(layouts, places, strict=True)]
    vectors = rng.normal(0, 0.4, (num_runs, 6))
    vectors[:, 0] += 1
    for augment, layout in enumerate(layouts):
        for strength, runs in enumerate(layout[:, 1:].T):
            vectors[runs, 1 + augment] += distances[strength]
    for runs in np.vstack([layouts[0].T, *(layout[:, 1:].T for layout in layouts[1:])]):
        vectors[runs] += np.linspace(-0.2, 0.2, num_seeds)[:, None]
    return inner_products(vectors[None])[0], layouts


def test_a_shift_that_grows_with_strength_is_found() -> None:
    rng = np.random.default_rng(20)
    similarity, layouts = drawn_sweep(6, rng, np.linspace(0.5, 4, STRENGTHS))
    trend = shift_trend_test(similarity, layouts, rng=rng, num_permutations=500, num_resamples=200)
    assert (trend.rho, trend.p, trend.n, trend.k) == (1, 1 / 501, 6, STRENGTHS)
    assert (trend.by_augment == 1).all()
    assert trend.low > 0.5


def test_a_shift_that_falls_with_strength_is_none_that_grows() -> None:
    rng = np.random.default_rng(21)
    similarity, layouts = drawn_sweep(6, rng, np.linspace(4, 0.5, STRENGTHS))
    trend = shift_trend_test(similarity, layouts, rng=rng, num_permutations=200, num_resamples=50)
    assert (trend.rho, trend.p) == (-1, 1)


def test_the_shifts_of_a_trend_are_those_of_seed_shift_and_rho_is_scipy_s() -> None:
    rng = np.random.default_rng(22)
    similarity, layouts = drawn_sweep(5, rng, np.full(STRENGTHS, 0.7))
    trend = shift_trend_test(similarity, layouts, rng=rng, num_permutations=9, num_resamples=9)
    for augment, layout in enumerate(layouts):
        for strength in range(STRENGTHS):
            runs = np.r_[layout[:, strength + 1], layout[:, 0]]
            expected = shift_of(similarity[np.ix_(runs, runs)][None]).delta
            assert trend.deltas[augment, strength] == pytest.approx(expected, abs=1e-12)
        rho = stats.spearmanr(np.arange(STRENGTHS), trend.deltas[augment]).statistic
        assert trend.by_augment[augment] == pytest.approx(rho)
    assert trend.rho == pytest.approx(trend.by_augment.mean())
    assert trend.low <= trend.high


def test_strengths_that_do_not_matter_seldom_show_a_trend() -> None:
    rng = np.random.default_rng(23)
    ps = []
    for _ in range(300):
        similarity, layouts = drawn_sweep(5, rng, np.full(STRENGTHS, 0.7))
        trend = shift_trend_test(similarity, layouts, rng=rng, num_permutations=99, num_resamples=1)
        ps.append(trend.p)
    assert np.mean(np.array(ps) <= 0.05) <= 0.08
    assert np.mean(ps) == pytest.approx(0.5, abs=0.08)


def test_a_trend_leaves_out_a_seed_with_an_undefined_run() -> None:
    rng = np.random.default_rng(24)
    similarity, layouts = drawn_sweep(5, rng, np.linspace(0, 2, STRENGTHS))
    expected = shift_trend_test(
        similarity,
        [layout[1:] for layout in layouts],
        rng=np.random.default_rng(0),
        num_permutations=50,
        num_resamples=50,
    )
    undefined = layouts[1][0, 3]
    similarity[undefined] = similarity[:, undefined] = np.nan
    found = shift_trend_test(
        similarity, layouts, rng=np.random.default_rng(0), num_permutations=50, num_resamples=50
    )
    np.testing.assert_array_equal(found.deltas, expected.deltas)
    assert (found.n, found.rho, found.p) == (4, expected.rho, expected.p)
    assert (found.low, found.high) == (expected.low, expected.high)


def test_a_trend_of_one_seed_or_of_equal_runs_is_undefined() -> None:
    layouts = [np.arange(4).reshape(1, 4)]
    rng = np.random.default_rng(25)
    alone = shift_trend_test(np.eye(4), layouts, rng=rng, num_permutations=9, num_resamples=9)
    assert np.isnan([alone.rho, alone.low, alone.p, *alone.by_augment, *alone.deltas[0]]).all()
    equal = shift_trend_test(
        np.full((12, 12), 0.3),
        [np.arange(12).reshape(3, 4)],
        rng=rng,
        num_permutations=9,
        num_resamples=9,
    )
    np.testing.assert_allclose(equal.deltas, 0, atol=1e-12)
    assert np.isnan([equal.rho, equal.p, *equal.by_augment]).all()


@pytest.mark.parametrize(
    "shapes", [[], [(3, 4), (3, 5)], [(3, 2)], [(12,)]], ids=["none", "unequal", "one", "flat"]
)
def test_layouts_of_other_shapes_are_refused(shapes: list[tuple[int, ...]]) -> None:
    layouts = [np.zeros(shape, np.int64) for shape in shapes]
    with pytest.raises(ValueError, match=r"\(S, K \+ 1\)"):
        shift_trend_test(
            np.eye(12),
            layouts,
            rng=np.random.default_rng(0),
            num_permutations=1,
            num_resamples=1,
        )
