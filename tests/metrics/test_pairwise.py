import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor

from auglens.metrics.pairwise import Maps, mean_over_images, pairwise_cc, pairwise_spearman
from auglens.metrics.similarity import cc, spearman

Pairwise = Callable[[Maps, Maps], NDArray[np.float64]]
Measure = Callable[[Tensor, Tensor], Tensor]
BOTH = [
    pytest.param(pairwise_cc, cc, id="cc"),
    pytest.param(pairwise_spearman, spearman, id="spearman"),
]


def random_maps(runs: int, *, images: int = 5, seed: int = 0) -> Tensor:
    drawn = torch.randn(runs, images, 9, 7, generator=torch.Generator().manual_seed(seed)).abs()
    # Ties, as maps of images with empty borders have them.
    return torch.where(drawn < 0.5, torch.zeros(()), drawn)


def with_undefined_maps(maps: Tensor) -> Tensor:
    changed = maps.clone()
    changed[0, 1] = 0
    changed[1, 2] = 0.3
    changed[2, 3, 4, 4] = torch.nan
    changed[2, 4, 4, 4] = torch.inf
    return changed


@pytest.mark.parametrize(("pairwise", "single"), BOTH)
def test_agrees_with_the_measure_of_two_maps_undefined_ones_too(
    pairwise: Pairwise, single: Measure
) -> None:
    first = with_undefined_maps(random_maps(4))
    second = random_maps(3, seed=1)
    found = pairwise(first, second)
    assert found.shape == (5, 4, 3)
    for row in range(4):
        for column in range(3):
            expected = single(first[row], second[column]).numpy()
            np.testing.assert_allclose(found[:, row, column], expected, rtol=0, atol=1e-12)
    assert np.isnan(found).any(axis=2).sum() == 4


def test_agrees_with_numpy_and_scipy() -> None:
    maps = random_maps(3, images=1).flatten(2).numpy()[:, 0]
    given = maps.reshape(3, 1, 9, 7)
    np.testing.assert_allclose(pairwise_cc(given, given)[0], np.corrcoef(maps), atol=1e-6)
    ranks = spearmanr(maps, axis=1).statistic
    np.testing.assert_allclose(pairwise_spearman(given, given)[0], ranks, atol=1e-12)


@pytest.mark.parametrize(("pairwise", "single"), BOTH)
def test_equal_maps_are_exactly_as_alike_wherever_they_stand(
    pairwise: Pairwise, single: Measure
) -> None:
    maps = random_maps(7)
    twice = torch.cat([maps, maps])
    found = pairwise(twice, twice)
    own = found[:, :7, :7]
    assert (np.diagonal(found, axis1=1, axis2=2) == 1).all()
    for block in (found[:, :7, 7:], found[:, 7:, :7], found[:, 7:, 7:], pairwise(maps, maps)):
        assert (block == own).all()
    assert (own == own.swapaxes(1, 2)).all()
    assert (single(maps[0], maps[0]) == 1).all()


def test_a_positive_affine_change_of_a_map_changes_nothing_and_a_negation_the_sign() -> None:
    first, second = random_maps(2).double(), random_maps(3, seed=1).double()
    expected = pairwise_cc(first, second)
    np.testing.assert_allclose(pairwise_cc(3e30 * first + 1e30, second), expected, atol=1e-12)
    np.testing.assert_allclose(pairwise_cc(first, -second), -expected, atol=1e-12)


def test_means_leave_out_undefined_images_and_never_warn() -> None:
    similarities = np.array([[[1.0, math.nan]], [[0.5, math.nan]], [[math.nan, math.nan]]])
    np.testing.assert_array_equal(mean_over_images(similarities), [[0.75, math.nan]])


@pytest.mark.parametrize("shape", [(2, 5, 9, 8), (2, 4, 9, 7), (5, 9, 7)], ids=str)
def test_maps_of_other_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(R, N, H, W\) and \(S, N, H, W\), got \(2, 5, 9, 7\)"):
        pairwise_cc(random_maps(2), torch.rand(shape))


def test_the_caller_s_maps_are_left_alone() -> None:
    maps = random_maps(3)
    before = maps.clone()
    pairwise_cc(maps, maps)
    pairwise_spearman(maps, maps)
    assert torch.equal(maps, before)
