import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from auglens.metrics.catalogue import MEASURES, of_family
from auglens.metrics.entropy import gini
from auglens.metrics.focus import lift, mass_share, pointing_game, rank_accuracy, roc_auc
from auglens.metrics.table import map_columns, similarity_columns
from tests.metrics.drawn_maps import KIND, drawn, half_normal

OF_ONE_MAP = (*of_family("complexity"), *of_family("focus"))
# What a shuffle of the pixels changes, because places count.
PLACED = {name for name in OF_ONE_MAP if name.startswith("dilated") or name.endswith("inner")} | {
    "far_background_mass",
    "num_components",
    "image_num_components",
    "largest_component_share",
    "spread_px",
    "moran",
}


def discs(count: int, height: int, width: int) -> Tensor:
    """One bright disc an image, at a place of its own, ``(count, 1, height, width)``."""
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    offsets = torch.arange(count).view(-1, 1, 1) % 3
    distance = (rows - height // 2 - offsets + 1) ** 2 + (columns - width // 2) ** 2
    return (distance < 5).double()[:, None]


def columns_of(maps: Tensor, images: Tensor) -> dict[str, NDArray[np.float64]]:
    return map_columns(maps, images, foreground_threshold=0.5)


def test_the_tables_hold_the_catalogues_families_in_order() -> None:
    maps, others = half_normal(4, 12, 11, seed=0), half_normal(4, 12, 11, seed=1)
    similarity = similarity_columns(maps, others, kl_eps=1e-12)
    assert tuple(similarity) == of_family("similarity")
    single = columns_of(maps, discs(4, 12, 11))
    assert tuple(single) == OF_ONE_MAP
    for column in (*similarity.values(), *single.values()):
        assert column.dtype == np.float64
        assert column.shape == (4,)
        assert np.isfinite(column).all()


def test_columns_of_a_region_are_the_measures_on_that_region() -> None:
    maps, images = half_normal(4, 12, 11, seed=2), discs(4, 12, 11)
    masks = images[:, 0] > 0.5
    columns = columns_of(maps, images)
    kept = (slice(None), slice(2, -2), slice(2, -2))
    for suffix, part, on in (("", maps, masks), ("_inner", maps[kept], masks[kept])):
        for name, measure in (("mass", mass_share), ("lift", lift), ("auc", roc_auc)):
            expected = measure(part, on)
            assert columns[f"foreground_{name}{suffix}"].tolist() == pytest.approx(
                expected.tolist()
            )
    near = torch.from_numpy(ndimage.binary_dilation(masks.numpy(), np.ones((1, 5, 5), dtype=bool)))
    expected = 1 - mass_share(maps, near)
    assert columns["far_background_mass"].tolist() == pytest.approx(expected.tolist())
    assert columns["foreground_rank"].tolist() == rank_accuracy(maps, masks).tolist()
    assert columns["pointing_game"].tolist() == pointing_game(maps, masks).tolist()
    assert columns["gini"].tolist() == gini(maps).tolist()
    assert (columns["dilated_mass"] > columns["foreground_mass"]).all()


@given(KIND, st.integers(0, 1000), st.integers(-20, 20))
@settings(max_examples=60, deadline=None)
def test_ranges_scaling_and_joint_permutation(kind: str, seed: int, exponent: int) -> None:
    maps, images = drawn(kind, 3, 13, 12, seed=seed), discs(3, 13, 12)
    columns = columns_of(maps, images)
    for name, column in columns.items():
        # The inner part of a single pixel's map may be all zero.
        maybe = kind == "single pixel" and name.endswith("inner")
        undefined = kind == "constant" and name == "moran"
        assert maybe or np.isnan(column).tolist() == [undefined] * 3, name
        defined = column[np.isfinite(column)]
        assert (defined >= MEASURES[name].low - 1e-12).all(), name
        assert (defined <= MEASURES[name].high + 1e-12).all(), name
    scale = 1.0 if kind in ("huge", "tiny") else 2.0**exponent
    for name, column in columns_of(scale * maps, images).items():
        np.testing.assert_allclose(column, columns[name], rtol=1e-9, atol=1e-12, err_msg=name)
    order = torch.randperm(156, generator=torch.Generator().manual_seed(seed))
    shuffled = columns_of(
        maps.flatten(1)[:, order].view(3, 13, 12), images.flatten(2)[..., order].view(3, 1, 13, 12)
    )
    for name in set(OF_ONE_MAP) - PLACED:
        np.testing.assert_allclose(
            shuffled[name], columns[name], rtol=1e-9, atol=1e-12, err_msg=name
        )


def test_a_threshold_on_colour_images_is_no_foreground() -> None:
    maps = half_normal(3, 12, 11, seed=3)
    columns = columns_of(maps, discs(3, 12, 11).expand(3, 3, 12, 11))
    undefined = {name for name, column in columns.items() if np.isnan(column).all()}
    expected = {name for name in OF_ONE_MAP if name.startswith(("foreground", "dilated"))}
    others = {"pointing_game", "far_background_mass", "image_num_components"}
    assert undefined == expected | others
    assert all(np.isfinite(columns[name]).all() for name in set(columns) - undefined)


def test_a_map_equal_to_the_image_has_the_images_own_components() -> None:
    specks = half_normal(6, 12, 11, seed=9)
    columns = columns_of(specks, specks[:, None] / specks.max())
    assert columns["image_num_components"].tolist() == columns["num_components"].tolist()
    assert len(set(columns["image_num_components"])) > 1
    others = columns_of(half_normal(6, 12, 11, seed=10), specks[:, None] / specks.max())
    assert others["image_num_components"].tolist() == columns["image_num_components"].tolist()


def test_images_without_an_object_leave_the_foreground_undefined() -> None:
    columns = columns_of(half_normal(2, 12, 11, seed=4), torch.zeros(2, 1, 12, 11))
    assert np.isnan(columns["foreground_auc"]).all()
    assert np.isnan(columns["far_background_mass"]).all()
    assert np.isnan(columns["image_num_components"]).all()
    assert np.isfinite(columns["entropy"]).all()


def test_images_that_are_all_frame_have_no_inner_part() -> None:
    columns = columns_of(half_normal(3, 4, 4, seed=5), discs(3, 4, 4))
    assert np.isnan(columns["foreground_auc_inner"]).all()
    assert np.isfinite(columns["foreground_auc"]).all()


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_map_that_is_no_distribution_spoils_only_itself(bad: float) -> None:
    maps = half_normal(3, 12, 11, seed=6)
    maps[1] *= bad
    before = maps.clone()
    for name, column in columns_of(maps, discs(3, 12, 11)).items():
        assert np.isnan(column).tolist() == [False, True, False], name
    assert torch.equal(maps.nan_to_num(), before.nan_to_num())


def test_maps_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        columns_of(half_normal(3, 12, 11, seed=7), discs(2, 12, 11))


def test_measuring_leaves_the_number_of_threads_as_it_was() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        columns_of(half_normal(3, 12, 11, seed=8), discs(3, 12, 11))
        with pytest.raises(ValueError, match="same shape"):
            similarity_columns(torch.ones(1, 2, 2), torch.ones(2, 2, 2), kl_eps=1e-12)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
