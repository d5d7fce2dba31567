import math
from collections.abc import Iterable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from torch import Tensor
from torchmetrics.functional import kl_divergence, pearson_corrcoef, spearman_corrcoef
from torchmetrics.functional.regression.js_divergence import jensen_shannon_divergence

from auglens.metrics.catalogue import MEASURES
from auglens.metrics.similarity import (
    FLOAT64_EPS,
    cc,
    js,
    kl,
    sim,
    similarities,
    spearman,
    top_overlap,
)
from tests.metrics.drawn_maps import KIND, drawn

MAPS = {
    "A": [[1, 2], [3, 4]],
    "B": [[4, 3], [2, 1]],
    "C": [[1, 0], [0, 0]],
    "D": [[0, 0], [0, 1]],
    "E": [[2, 2], [3, 3]],
    "U": [[1, 1], [1, 1]],
    "Z": [[0, 0], [0, 0]],
}
NAN = math.nan
# cc, kl, sim, js of (map, reference): worked out by hand from the definitions, in float64.
VECTORS = {
    "AA": (1, 0, 1, 0),
    "AB": (-1, 0.4564348191, 0.6, 0.1064401353),
    "AE": (0.8944271910, 0.05232481438, 0.9, 0.01207862839),
    "AC": (-0.7745966692, math.log(10), 0.1, 0.5255973270),
    "CA": (-0.7745966692, 31.15943382, 0.1, 0.5255973270),
    "CD": (-1 / 3, 36.04365339, 0, math.log(2)),
    "AU": (NAN, 0.1217772743, 0.8, 0.02786561346),
    "UA": (NAN, 0.1064401353, 0.8, 0.02786561346),
    "AZ": (NAN, NAN, NAN, NAN),
    "ZA": (NAN, NAN, NAN, NAN),
}


def one(name: str) -> Tensor:
    return torch.tensor([MAPS[name]], dtype=torch.float32)


def random_maps(count: int = 50, seed: int = 0) -> Tensor:
    return torch.randn(count, 28, 28, generator=torch.Generator().manual_seed(seed)).abs()


@pytest.mark.parametrize(("pair", "expected"), VECTORS.items(), ids=VECTORS)
def test_vectors(pair: str, expected: tuple[float, ...]) -> None:
    maps, reference = one(pair[0]), one(pair[1])
    values = [float(measure(maps, reference)) for measure in (cc, kl, sim, js)]
    assert values == pytest.approx(expected, abs=5e-9, nan_ok=True)


MIT_SIM = {"AA": 1, "AB": 1 / 3, "AE": 5 / 6, "AC": 0, "CA": 0, "CD": 0, "AU": NAN, "UA": NAN}


def mit_sim(maps: Tensor, reference: Tensor) -> float:
    """Histogram intersection as the MIT benchmark takes it, of maps stretched to [0, 1] first."""
    low_to_high = [(part - part.min()) / (part.max() - part.min()) for part in (maps, reference)]
    first, second = (part / part.sum() for part in low_to_high)
    return float(torch.minimum(first, second).sum())


@pytest.mark.parametrize(("pair", "expected"), MIT_SIM.items(), ids=MIT_SIM)
def test_sim_is_not_that_of_the_mit_benchmark(pair: str, expected: float) -> None:
    maps, reference = one(pair[0]).double(), one(pair[1]).double()
    stretched = mit_sim(maps, reference)
    assert stretched == pytest.approx(expected, abs=1e-9, nan_ok=True)
    alike = pair in ("AA", "CD")
    assert (float(sim(maps, reference)) == pytest.approx(stretched)) == alike


@pytest.mark.parametrize(
    ("eps", "expected"),
    [
        (1e-20, 21.986),
        (2.220446049250313e-16, 16.982),
        (1e-12, 12.776),
        (1e-7, 7.019),
        (1e-3, 2.414),
    ],
)
def test_kl_depends_on_eps_where_the_map_is_zero(eps: float, expected: float) -> None:
    half = torch.tensor([[[0.5, 0.5], [0.0, 0.0]]])
    assert float(kl(half, one("U"), eps=eps)) == pytest.approx(expected, abs=5e-4)


def test_against_torchmetrics() -> None:
    maps, reference = random_maps(seed=1).double(), random_maps(seed=2).double()
    shares = [part.flatten(1) / part.flatten(1).sum(1, keepdim=True) for part in (maps, reference)]
    torch.testing.assert_close(
        cc(maps, reference), pearson_corrcoef(maps.flatten(1).T, reference.flatten(1).T)
    )
    # torchmetrics takes the reference first and has no eps.
    torch.testing.assert_close(
        kl(maps, reference), kl_divergence(shares[1], shares[0], reduction="none")
    )
    torch.testing.assert_close(
        js(maps, reference), jensen_shannon_divergence(shares[0], shares[1], reduction="none")
    )
    # It ranks in float32.
    expected = spearman_corrcoef(maps.flatten(1).T, reference.flatten(1).T).double()
    torch.testing.assert_close(spearman(maps, reference), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["random", "tied", "single pixel", "huge", "tiny"])
def test_spearman_is_scipys_with_ties_too(kind: str) -> None:
    maps, reference = drawn(kind, 6, 8, 7, seed=1), drawn("tied", 6, 8, 7, seed=2)
    pairs = zip(maps.flatten(1).numpy(), reference.flatten(1).numpy(), strict=True)
    expected = [spearmanr(*pair).statistic for pair in pairs]
    assert spearman(maps, reference).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["random", "tied", "single pixel", "huge", "tiny"])
def test_a_map_correlates_with_itself_to_the_bit(kind: str) -> None:
    maps = drawn(kind, 200, 28, 27, seed=3)
    for measure in (cc, spearman):
        assert measure(maps, maps).tolist() == [1.0] * 200
        assert measure(maps.float(), maps.float().clone()).nan_to_num(1).tolist() == [1.0] * 200
        assert measure(maps, -maps).tolist() == [-1.0] * 200


def test_spearman_sees_the_order_only() -> None:
    maps, reference = random_maps(5, 4), random_maps(5, 5)
    torch.testing.assert_close(spearman(maps**3, reference), spearman(maps, reference))
    assert not torch.allclose(cc(maps**3, reference), cc(maps, reference), atol=1e-4)


def test_top_overlap_counts_common_pixels() -> None:
    maps, reference = random_maps(20, 6), random_maps(20, 7)
    for one, other, value in zip(maps, reference, top_overlap(maps, reference), strict=True):
        first, second = (
            set(np.argsort(-part.flatten().numpy(), kind="stable")[:78]) for part in (one, other)
        )
        assert float(value) == pytest.approx(len(first & second) / 78)
    assert top_overlap(maps, maps).tolist() == [1.0] * 20
    assert top_overlap(maps, 1 / maps).tolist() == [0.0] * 20


def test_unrelated_maps_share_a_tenth_of_their_hottest_tenth() -> None:
    overlap = top_overlap(random_maps(400, 8), random_maps(400, 9))
    # Hypergeometric: 78 of 784 pixels drawn twice.
    error = math.sqrt(78 * (78 / 784) * (706 / 784) * (706 / 783)) / 78 / math.sqrt(400)
    assert float(overlap.mean()) == pytest.approx(78 / 784, abs=3 * error)


def test_all_similarities_at_once_are_those_one_by_one() -> None:
    maps, reference = random_maps(9, 1), random_maps(9, 2)
    maps[2] = 0
    expected = {
        "cc": cc(maps, reference),
        "spearman": spearman(maps, reference),
        "kl": kl(maps, reference, eps=1e-12),
        "kl_reverse": kl(reference, maps, eps=1e-12),
        "sim": sim(maps, reference),
        "js": js(maps, reference),
        "top_overlap": top_overlap(maps, reference),
    }
    together = similarities(maps, reference, kl_eps=1e-12)
    assert list(together) == list(expected)
    for name, values in expected.items():
        torch.testing.assert_close(together[name], values, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("place", [0, 1])
def test_of_signed_maps_only_correlations_are_defined(place: int) -> None:
    maps, reference = random_maps(3, 1), random_maps(3, 2)
    expected = similarities(maps, reference, kl_eps=FLOAT64_EPS)
    intact = [row for row in range(3) if row != place]
    maps[place] *= -1
    for name, values in similarities(maps, reference, kl_eps=FLOAT64_EPS).items():
        undefined = [] if name in ("cc", "spearman") else [place]
        assert values.isnan().nonzero().flatten().tolist() == undefined
        assert values[intact].tolist() == expected[name][intact].tolist()


def test_unrelated_maps_lie_where_200_simulated_pairs_lay() -> None:
    first, second = random_maps(200, seed=3), random_maps(200, seed=4)
    # Means of 200 draws; the tolerance is three standard errors of the simulation.
    assert float(cc(first, second).mean()) == pytest.approx(-0.002, abs=3 * 0.037 / math.sqrt(100))
    assert float(kl(first, second).mean()) == pytest.approx(0.695, abs=3 * 0.041 / math.sqrt(100))
    assert float(sim(first, second).mean()) == pytest.approx(0.585, abs=0.01)
    assert float(js(first, second).mean()) == pytest.approx(0.140, abs=0.01)


@given(KIND, KIND, st.integers(0, 1000), st.integers(-20, 20))
@settings(max_examples=80, deadline=None)
def test_ranges_symmetry_scaling_and_joint_permutation(
    first: str, second: str, seed: int, exponent: int
) -> None:
    maps, reference = drawn(first, 3, 6, 5, seed=seed), drawn(second, 3, 6, 5, seed=seed + 1)
    values = similarities(maps, reference, kl_eps=FLOAT64_EPS)
    for name, value in values.items():
        finite = value[value.isfinite()]
        constant = "constant" in (first, second)
        assert len(finite) == (0 if constant and name in ("cc", "spearman") else 3)
        assert ((finite >= MEASURES[name].low - 1e-12) & (finite <= highest(name) + 1e-9)).all()
    scale = 1.0 if {"huge", "tiny"} & {first, second} else 2.0**exponent
    order = torch.randperm(30, generator=torch.Generator().manual_seed(seed))
    shuffled = [part.flatten(1)[:, order].view(3, 6, 5) for part in (maps, reference)]
    same(similarities(scale * maps, reference, kl_eps=FLOAT64_EPS), values, values)
    same(
        similarities(reference, maps, kl_eps=FLOAT64_EPS),
        values,
        set(values) - {"kl", "kl_reverse"},
    )
    # Tied pixels are ordered by place, so that the hottest of them change.
    same(similarities(*shuffled, kl_eps=FLOAT64_EPS), values, set(values) - {"top_overlap"})
    torch.testing.assert_close(cc(-maps, reference), -values["cc"], equal_nan=True)
    torch.testing.assert_close(spearman(-maps, reference), -values["spearman"], equal_nan=True)


def highest(name: str) -> float:
    return math.log(1 / FLOAT64_EPS) if name.startswith("kl") else MEASURES[name].high


def same(values: dict[str, Tensor], expected: dict[str, Tensor], names: Iterable[str]) -> None:
    for name in names:
        torch.testing.assert_close(values[name], expected[name], equal_nan=True)


def test_sim_is_one_minus_total_variation_and_kl_is_not_shift_invariant() -> None:
    maps, reference = random_maps(seed=5).double(), random_maps(seed=6).double()
    first, second = (part / part.sum(dim=(1, 2), keepdim=True) for part in (maps, reference))
    torch.testing.assert_close(
        sim(maps, reference), 1 - 0.5 * (first - second).abs().sum(dim=(1, 2))
    )
    assert not torch.allclose(kl(maps + 1, reference), kl(maps, reference), rtol=0.1)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("place", [0, 1])
def test_one_degenerate_map_spoils_only_itself(place: int, bad: float) -> None:
    maps, others = random_maps(3), random_maps(3, 1)
    intact = [row for row in range(3) if row != place]
    for measure in (cc, spearman, kl, sim, js, top_overlap):
        expected = measure(maps, others)[intact], measure(others, maps)[intact]
        spoilt = maps.clone()
        spoilt[place, 4, 4] = bad
        values = measure(spoilt, others), measure(others, spoilt)
        for value, good in zip(values, expected, strict=True):
            assert value.isnan().nonzero().flatten().tolist() == [place]
            assert value[intact].tolist() == good.tolist()


@pytest.mark.parametrize("measure", [kl, sim, js, top_overlap])
def test_signed_maps_are_refused_where_they_make_no_sense(measure) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    with pytest.raises(ValueError, match="reduce=max_abs"):
        measure(-random_maps(2), random_maps(2))


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="same shape"):
        cc(random_maps(2), random_maps(3))
