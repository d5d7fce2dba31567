import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from auglens.study.statistics.classifier import ClassifierTest, classifier_two_sample

Maps = NDArray[np.float32]
NUM_GROUPS, NUM_SEEDS, NUM_IMAGES, NUM_PIXELS = 3, 6, 12, 30
GROUPS = np.repeat(np.arange(NUM_GROUPS), NUM_SEEDS)
SEEDS = np.tile(np.arange(NUM_SEEDS), NUM_GROUPS)


def drawn(rng: np.random.Generator, *, effect: float, seed_effect: float = 0.2) -> Maps:
    groups = effect * rng.normal(size=(NUM_GROUPS, NUM_PIXELS))[GROUPS]
    models = seed_effect * rng.normal(size=(len(GROUPS), NUM_PIXELS))
    noise = rng.normal(size=(len(GROUPS), NUM_IMAGES, NUM_PIXELS))
    return np.exp(0.5 * (noise + (groups + models)[:, None])).astype(np.float32)


def classified(
    maps: Maps,
    groups: NDArray[np.int64] = GROUPS,
    seeds: NDArray[np.int64] = SEEDS,
    *,
    num_components: int = 8,
    num_permutations: int = 99,
) -> ClassifierTest:
    return classifier_two_sample(
        maps,
        groups,
        seeds,
        num_components=num_components,
        rng=np.random.default_rng(0),
        num_permutations=num_permutations,
    )


def test_groups_that_leave_their_mark_on_maps_are_told_apart() -> None:
    found = classified(drawn(np.random.default_rng(0), effect=1))
    assert (found.accuracy, found.n, found.p) == (1, 9, 1 / 100)
    assert found.chance == pytest.approx(1 / 3)
    np.testing.assert_array_equal(found.confusion, 3 * np.eye(3))


def test_groups_without_a_mark_are_seldom_told_apart() -> None:
    rng = np.random.default_rng(1)
    found = [classified(drawn(rng, effect=0)) for _ in range(120)]
    assert np.mean([one.accuracy for one in found]) == pytest.approx(1 / 3, abs=0.06)
    # Binomial error of 120 draws at 5 %, three times.
    assert np.mean([one.p <= 0.05 for one in found]) <= 0.05 + 3 * 0.02


def test_predictions_are_the_majority_of_a_plain_regression_on_the_lower_seeds() -> None:
    maps = drawn(np.random.default_rng(2), effect=0.1)
    trains = SEEDS < 3
    shares = maps.astype(np.float64) / maps.sum(axis=2, keepdims=True, dtype=np.float64)
    components = PCA(8, svd_solver="full", whiten=True)
    train = components.fit_transform(shares[trains].reshape(-1, NUM_PIXELS))
    model = LogisticRegression(tol=1e-8, max_iter=5000)
    model.fit(train, np.repeat(GROUPS[trains], NUM_IMAGES))
    test = components.transform(shares[~trains].reshape(-1, NUM_PIXELS))
    votes = np.eye(3)[model.predict(test)].reshape(-1, NUM_IMAGES, 3).sum(axis=1)
    certainty = model.predict_log_proba(test).reshape(-1, NUM_IMAGES, 3).sum(axis=1)
    predicted = [
        max(range(3), key=lambda group: pair[:, group].tolist())
        for pair in np.stack([votes, certainty], axis=1)
    ]
    expected = np.zeros((3, 3))
    np.add.at(expected, (GROUPS[~trains], np.array(predicted)), 1)
    assert 3 < np.trace(expected) < 9
    np.testing.assert_array_equal(classified(maps).confusion, expected)


def test_labels_of_seeds_and_groups_may_be_anything_that_has_an_order() -> None:
    maps = drawn(np.random.default_rng(3), effect=0.3)
    order = np.random.default_rng(4).permutation(len(GROUPS))
    named = np.array(["blur", "crop", "none"])[GROUPS]
    found = classified(maps[order], named[order], 7 * SEEDS[order])
    np.testing.assert_array_equal(found.confusion, classified(maps).confusion)


def test_the_size_of_a_map_says_nothing() -> None:
    rng = np.random.default_rng(5)
    maps = drawn(rng, effect=0)
    loud = maps * (1 + 9 * GROUPS[:, None, None]).astype(np.float32)
    assert classified(loud).accuracy == pytest.approx(classified(maps).accuracy, abs=0.12)


def test_of_tied_groups_the_more_certain_one_wins() -> None:
    # Two pixels: the hotter one is the group's.
    shares = np.array([0.9, 0.8, 0.8, 0.7])
    maps = np.stack([np.stack([one, 1 - one], axis=1) for one in (shares, 1 - shares)])
    both = np.repeat(maps, 4, axis=0).astype(np.float32)
    tied = np.array([0.6, 0.6, 0.1, 0.1])
    both[[2, 3]] = np.stack([tied, 1 - tied], axis=1)
    groups, seeds = np.repeat([0, 1], 4), np.tile(np.arange(4), 2)
    found = classified(both, groups, seeds, num_components=2)
    np.testing.assert_array_equal(found.confusion, [[0, 2], [0, 2]])


def test_undefined_maps_are_left_out_and_so_is_a_model_without_another() -> None:
    maps = drawn(np.random.default_rng(6), effect=1)
    maps[0, :5] = 0
    maps[4, 3, 2] = np.nan
    maps[NUM_SEEDS + 5, :-1] = np.inf
    assert (classified(maps).accuracy, classified(maps).n) == (1, 9)
    maps[5] = np.nan
    found = classified(maps)
    assert (found.accuracy, found.n) == (1, 8)
    np.testing.assert_array_equal(found.confusion, np.diag([2, 3, 3]))


def test_p_permutes_within_seeds() -> None:
    # One held-out seed has all groups right, the others one group each: little to permute.
    maps = drawn(np.random.default_rng(7), effect=1)
    kept = (SEEDS <= 3) | ((SEEDS == 4) & (GROUPS == 0)) | ((SEEDS == 5) & (GROUPS == 1))
    found = classified(maps[kept], GROUPS[kept], SEEDS[kept], num_permutations=1200)
    assert (found.accuracy, found.n) == (1, 5)
    # Models (group, seed): (0, 3), (1, 3), (2, 3), (0, 4), (1, 5): 3! orders of the first three.
    assert found.p == pytest.approx(1 / 6, abs=4 * np.sqrt(1 / 6 * 5 / 6 / 1200))


def test_the_caller_s_maps_are_left_alone_and_the_generator_decides() -> None:
    maps = drawn(np.random.default_rng(8), effect=0.2)
    before = maps.copy()
    first, second = classified(maps), classified(maps)
    np.testing.assert_array_equal(maps, before)
    assert (first.accuracy, first.p) == (second.accuracy, second.p)


def test_three_seeds_a_group_that_never_trains_or_other_shapes_are_refused() -> None:
    maps = drawn(np.random.default_rng(9), effect=0)
    few = SEEDS < 3
    with pytest.raises(ValueError, match="at least 4 are needed, got 3"):
        classified(maps[few], GROUPS[few], SEEDS[few])
    late = (SEEDS >= 3) | (GROUPS != 1)
    with pytest.raises(ValueError, match=r"without one: \[1\]"):
        classified(maps[late], GROUPS[late], SEEDS[late])
    with pytest.raises(ValueError, match="At least two groups"):
        classified(maps, np.zeros_like(GROUPS))
    with pytest.raises(ValueError, match=r"Maps \(M, N, P\)"):
        classified(maps, GROUPS[1:])
