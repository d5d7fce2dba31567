import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from auglens.metrics.shape import centroid_px, components, moran, own_components, spread_px
from tests.metrics.drawn_maps import KINDS, drawn, half_normal

BLOB = torch.tensor(
    [[[9, 8, 0, 0, 1], [7, 6, 0, 0, 2], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 3, 0, 0, 5]]]
).double()
CHECKERBOARD = (torch.arange(4)[:, None] + torch.arange(4))[None] % 2
HALVES = torch.cat([torch.zeros(1, 2, 4), torch.ones(1, 2, 4)], dim=1)


def test_vectors_of_a_blob_with_three_specks() -> None:
    # The six hottest pixels: the block of four, the 5 and the 3.
    parts = components(BLOB, fraction=6 / 25)
    assert parts.number.tolist() == [3]
    assert parts.largest_share.tolist() == pytest.approx([4 / 6])
    assert centroid_px(BLOB)[0].tolist() == pytest.approx([1.14634, 1.19512], abs=5e-6)
    assert spread_px(BLOB).tolist() == pytest.approx([2.0692934], abs=5e-8)
    assert moran(BLOB).tolist() == pytest.approx([0.4573008], abs=5e-8)


def test_moran_of_a_checkerboard_and_of_two_halves() -> None:
    assert moran(CHECKERBOARD.double()).tolist() == pytest.approx([-1])
    assert moran(HALVES).tolist() == pytest.approx([2 / 3])


def test_spread_of_uniform_maps_and_of_a_pixel() -> None:
    assert spread_px(torch.ones(2, 28, 28)).tolist() == pytest.approx([11.4237] * 2, abs=5e-5)
    expected = math.sqrt((9**2 + 4**2 - 2) / 12)
    assert spread_px(torch.full((1, 9, 4), 3.0)).tolist() == pytest.approx([expected])
    assert spread_px(drawn("single pixel", 5, 6, 7, seed=0)).tolist() == [0] * 5


@pytest.mark.parametrize("kind", ["random", "tied", "single pixel", "huge"])
def test_moran_is_a_double_loop_over_neighbours(kind: str) -> None:
    maps = drawn(kind, 4, 5, 6, seed=1)
    expected = [looped_moran(one / one.max()) for one in maps.numpy()]
    assert moran(maps).tolist() == pytest.approx(expected)


def looped_moran(values: NDArray[np.float64]) -> float:
    centred = values - values.mean()
    places = list(np.ndindex(values.shape))
    total, num_links = 0.0, 0
    for row, column in places:
        for other_row, other_column in places:
            if abs(row - other_row) + abs(column - other_column) == 1:
                total += centred[row, column] * centred[other_row, other_column]
                num_links += 1
    return float(values.size / num_links * total / (centred**2).sum())


@pytest.mark.parametrize("kind", KINDS)
def test_spread_and_centroid_are_numpys_weighted_moments(kind: str) -> None:
    maps = drawn(kind, 4, 5, 6, seed=2)
    places = np.array(list(np.ndindex(5, 6)), dtype=float)
    for one, spread, centre in zip(maps.numpy(), spread_px(maps), centroid_px(maps), strict=True):
        weights = one.ravel() / one.max()
        covariance = np.cov(places.T, aweights=weights, ddof=0)
        assert float(spread) == pytest.approx(math.sqrt(np.trace(covariance)), abs=1e-9)
        np.testing.assert_allclose(centre, np.average(places, axis=0, weights=weights))


@pytest.mark.parametrize("kind", KINDS)
def test_components_are_those_of_each_image_alone(kind: str) -> None:
    maps = drawn(kind, 20, 14, 11, seed=3)
    parts = components(maps, fraction=0.2)
    for values, number, share in zip(maps.numpy(), parts.number, parts.largest_share, strict=True):
        mask = np.zeros(values.size, dtype=bool)
        mask[np.argsort(-values.ravel(), kind="stable")[:31]] = True
        labels, expected = ndimage.label(mask.reshape(values.shape), structure=np.ones((3, 3)))
        assert int(number) == expected
        assert float(share) == pytest.approx(np.bincount(labels.ravel())[1:].max() / 31)


def test_an_images_own_components_are_those_of_its_brightest_tenth() -> None:
    # Two bars of 5 pixels of the 10 brightest of 100, beside a darker speck.
    images = torch.zeros(2, 1, 10, 10)
    images[0, 0, 1, 1:6], images[0, 0, 8, 1:6], images[0, 0, 4, 8] = 0.9, 0.8, 0.1
    images[1, 0, 3] = 0.5
    assert own_components(images).tolist() == [2, 1]
    assert own_components(0 * images).isnan().tolist() == [True, True]
    assert own_components(images.expand(2, 3, 10, 10)).isnan().tolist() == [True, True]


def test_diagonal_neighbours_are_connected() -> None:
    diagonal = torch.eye(10)[None]
    assert components(diagonal).number.tolist() == [1]
    assert components(diagonal).largest_share.tolist() == [1]


def test_a_turned_map_has_the_same_shape() -> None:
    maps = half_normal(6, 8, 11, seed=4)
    for turned in (maps.flip(1), maps.flip(2), maps.transpose(1, 2)):
        for measure in (moran, spread_px, lambda maps: components(maps).number):
            torch.testing.assert_close(measure(turned), measure(maps))


def test_random_maps_lie_where_simulated_ones_lay() -> None:
    maps = half_normal(400, 28, 28, seed=5)
    parts = components(maps)
    number, share = parts.number, parts.largest_share
    assert float(number.mean()) == pytest.approx(51.6, abs=3 * float(number.std()) / math.sqrt(200))
    assert float(share.mean()) == pytest.approx(0.068, abs=3 * float(share.std()) / math.sqrt(200))
    error = float(moran(maps).std()) / math.sqrt(400)
    assert float(moran(maps).mean()) == pytest.approx(-1 / 783, abs=3 * error)


def test_degenerate_maps_are_undefined_and_spoil_only_themselves() -> None:
    maps = half_normal(5, 6, 6, seed=6)
    maps[1], maps[2, 3, 3], maps[3] = 0, math.nan, 0.1
    parts = components(maps)
    for values in (parts.number, parts.largest_share, spread_px(maps), centroid_px(maps)[:, 0]):
        assert values.isnan().tolist() == [False, True, True, False, False]
    assert moran(maps).isnan().tolist() == [False, True, True, True, False]
