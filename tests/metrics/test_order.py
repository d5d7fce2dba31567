import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from auglens.metrics.order import average_ranks, hottest, top_count, top_mask
from tests.metrics.drawn_maps import KINDS, drawn, half_normal


@pytest.mark.parametrize("kind", KINDS)
def test_average_ranks_are_scipys(kind: str) -> None:
    maps = drawn(kind, 10, 6, 7, seed=0)
    expected = rankdata(maps.flatten(1).numpy(), axis=1)
    np.testing.assert_array_equal(average_ranks(maps).numpy(), expected)


def test_ranks_of_degenerate_maps_are_undefined() -> None:
    maps = half_normal(4, 3, 3, seed=0)
    maps[1] = 0
    maps[2, 0, 0] = torch.inf
    assert average_ranks(maps).isnan().all(dim=1).tolist() == [False, True, True, False]


@pytest.mark.parametrize("kind", KINDS)
def test_hottest_pixels_are_the_first_of_a_stable_sort(kind: str) -> None:
    maps = drawn(kind, 8, 5, 4, seed=1)
    counts = torch.tensor([0, 1, 2, 5, 10, 19, 20, 7])
    chosen = hottest(maps, counts).flatten(1).numpy()
    for values, count, mask in zip(maps.flatten(1).numpy(), counts, chosen, strict=True):
        expected = np.sort(np.argsort(-values, kind="stable")[:count])
        np.testing.assert_array_equal(np.flatnonzero(mask), expected)


def test_a_tenth_of_the_pixels_is_rounded_and_never_none() -> None:
    sizes = {(28, 28): 78, (5, 3): 2, (2, 2): 1}
    for size, count in sizes.items():
        maps = half_normal(3, *size, seed=2)
        assert top_mask(maps).sum(dim=(1, 2)).tolist() == [count] * 3
        assert top_count(maps) == count
