"""With the augmentations' labels shuffled within seeds, corrected tests hardly ever reject."""

import numpy as np
from numpy.typing import NDArray

from auglens.study.statistics.correction import holm
from auglens.study.statistics.shift import seed_shift

NUM_SEEDS, NUM_AUGMENTS, NUM_SHUFFLES = 10, 5, 1000
# 5 % and two standard errors of a share of 5 % in 1,000.
MOST = 0.064


def map_similarities(rng: np.random.Generator) -> NDArray[np.float64]:
    """CC between the maps of six networks of each of ten seeds; real effects of both."""
    pattern = rng.normal(size=60)
    seeds, kinds = rng.normal(0, 0.5, (NUM_SEEDS, 1, 60)), rng.normal(0, 0.5, (6, 60))
    maps = pattern + seeds + kinds + rng.normal(0, 0.7, (NUM_SEEDS, 6, 60))
    return np.corrcoef(maps.reshape(-1, 60))


def test_delta_of_five_augmentations_after_holm() -> None:
    rng = np.random.default_rng(11)
    similarities = map_similarities(rng)
    first = 6 * np.arange(NUM_SEEDS)
    rejected = 0
    for _ in range(NUM_SHUFFLES):
        columns = rng.permuted(np.tile(np.arange(6), (NUM_SEEDS, 1)), axis=1)
        runs = first[:, None] + columns
        p = []
        for augment in range(NUM_AUGMENTS):
            at = np.concatenate([runs[:, augment], runs[:, -1]])
            pairs = similarities[np.ix_(at, at)][None]
            p.append(seed_shift(pairs, rng=rng, num_resamples=1).p)
        rejected += bool((holm(p) < 0.05).any())
    assert rejected / NUM_SHUFFLES <= MOST


def test_the_same_labels_unshuffled_are_told_apart() -> None:
    rng = np.random.default_rng(11)
    similarities = map_similarities(rng)
    p = []
    for augment in range(NUM_AUGMENTS):
        at = np.concatenate([6 * np.arange(NUM_SEEDS) + augment, 6 * np.arange(NUM_SEEDS) + 5])
        p.append(seed_shift(similarities[np.ix_(at, at)][None], rng=rng, num_resamples=1).p)
    assert (holm(p) < 0.05).all()
