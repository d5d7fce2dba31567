"""Measuring a few maps at a time changes no value."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from auglens.metrics import parts as divided
from auglens.metrics.entropy import entropy
from auglens.metrics.order import average_ranks
from auglens.metrics.parts import parts
from auglens.metrics.similarity import FLOAT64_EPS, cc, js, kl, sim, similarities, spearman
from tests.metrics.drawn_maps import half_normal

MEASURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cc": cc,
    "spearman": spearman,
    "kl": kl,
    "sim": sim,
    "js": js,
    "entropy": lambda maps, _: entropy(maps),
}


@pytest.fixture
def pairs() -> tuple[Tensor, Tensor]:
    """Seven pairs of maps, one of them degenerate and one constant."""
    maps, reference = half_normal(7, 6, 5, seed=0), half_normal(7, 6, 5, seed=1)
    maps[2], reference[4] = 0, 1
    return maps, reference


def test_parts_are_the_maps_in_order_and_no_larger_than_said(
    pairs: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(divided, "MOST_PIXELS", 70)
    found = list(parts(*pairs))
    assert [len(own) for own, _ in found] == [2, 2, 2, 1]
    for one, group in zip(pairs, zip(*found, strict=True), strict=True):
        assert torch.equal(torch.cat(group), one)


@pytest.mark.parametrize("name", MEASURES)
def test_values_are_the_same_map_by_map(
    name: str, pairs: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    together = MEASURES[name](*pairs)
    monkeypatch.setattr(divided, "MOST_PIXELS", 1)
    assert torch.equal(MEASURES[name](*pairs).nan_to_num(-9), together.nan_to_num(-9))


def test_all_similarities_are_the_same_map_by_map(
    pairs: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    together = similarities(*pairs, kl_eps=FLOAT64_EPS)
    monkeypatch.setattr(divided, "MOST_PIXELS", 1)
    one_by_one = similarities(*pairs, kl_eps=FLOAT64_EPS)
    assert list(one_by_one) == list(together)
    for name, values in together.items():
        assert torch.equal(one_by_one[name].nan_to_num(-9), values.nan_to_num(-9))


def test_no_maps_have_no_values() -> None:
    none = torch.empty(0, 6, 5)
    assert cc(none, none).shape == (0,)
    assert all(len(one) == 0 for one in similarities(none, none, kl_eps=FLOAT64_EPS).values())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ranks_are_scipys_for_signed_tied_and_tiny_values(dtype: type[np.floating]) -> None:
    rng = np.random.default_rng(0)
    smooth = rng.normal(size=(4, 6, 5))
    tied = rng.integers(-2, 3, (4, 6, 5)) * 0.5
    tied[tied == 0] *= rng.choice([-1, 1], (tied == 0).sum())
    tied[3] = np.where(np.arange(30).reshape(6, 5) > 4, -0.0, 1e-44)
    maps: NDArray[np.floating] = np.concatenate([smooth, tied]).astype(dtype)
    expected = rankdata(maps.reshape(8, -1), axis=1)
    assert np.array_equal(average_ranks(torch.from_numpy(maps)).numpy(), expected)
