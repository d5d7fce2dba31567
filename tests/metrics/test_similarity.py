import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.functional import kl_divergence, pearson_corrcoef
from torchmetrics.functional.regression.js_divergence import jensen_shannon_divergence

from auglens.metrics.similarity import cc, js, kl, sim

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


def test_unrelated_maps_lie_where_200_simulated_pairs_lay() -> None:
    first, second = random_maps(200, seed=3), random_maps(200, seed=4)
    # Means of 200 draws; the tolerance is three standard errors of the simulation.
    assert float(cc(first, second).mean()) == pytest.approx(-0.002, abs=3 * 0.037 / math.sqrt(100))
    assert float(kl(first, second).mean()) == pytest.approx(0.695, abs=3 * 0.041 / math.sqrt(100))
    assert float(sim(first, second).mean()) == pytest.approx(0.585, abs=0.01)
    assert float(js(first, second).mean()) == pytest.approx(0.140, abs=0.01)


KINDS = st.sampled_from(["random", "single pixel", "constant", "huge", "tiny"])


def drawn(kind: str, seed: int) -> Tensor:
    maps = random_maps(3, seed)[:, :6, :5].double()
    if kind == "single pixel":
        return torch.nn.functional.one_hot(torch.arange(3) + seed % 7, 30).view(3, 6, 5).double()
    factor = {"constant": 0.0, "huge": 1e300, "tiny": 1e-300}.get(kind, 1.0)
    return torch.ones(3, 6, 5).double() if kind == "constant" else factor * maps


@given(KINDS, KINDS, st.integers(0, 1000), st.floats(1e-6, 1e6))
@settings(max_examples=80, deadline=None)
def test_ranges_symmetry_scaling_and_joint_permutation(
    first: str, second: str, seed: int, factor: float
) -> None:
    maps, reference = drawn(first, seed), drawn(second, seed + 1)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(seed))
    bounds = {
        cc: (-1, 1),
        kl: (0, math.log(1 / 2.220446049250313e-16)),
        sim: (0, 1),
        js: (0, math.log(2)),
    }
    for measure, (low, high) in bounds.items():
        value = measure(maps, reference)
        finite = value[value.isfinite()]
        assert len(finite) == 3 or (measure is cc and "constant" in (first, second))
        assert ((finite >= low - 1e-12) & (finite <= high + 1e-9)).all()
        shuffled = [part.flatten(1)[:, order].view(3, 6, 5) for part in (maps, reference)]
        torch.testing.assert_close(measure(*shuffled), value, equal_nan=True)
        if first not in ("huge", "tiny"):
            torch.testing.assert_close(measure(factor * maps, reference), value, equal_nan=True)
        if measure is not kl:
            torch.testing.assert_close(measure(reference, maps), value, equal_nan=True)
    torch.testing.assert_close(cc(-maps, reference), -cc(maps, reference), equal_nan=True)


def test_sim_is_one_minus_total_variation_and_kl_is_not_shift_invariant() -> None:
    maps, reference = random_maps(seed=5).double(), random_maps(seed=6).double()
    first, second = (part / part.sum(dim=(1, 2), keepdim=True) for part in (maps, reference))
    torch.testing.assert_close(
        sim(maps, reference), 1 - 0.5 * (first - second).abs().sum(dim=(1, 2))
    )
    assert not torch.allclose(kl(maps + 1, reference), kl(maps, reference), rtol=0.1)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_degenerate_map_spoils_only_itself(bad: float) -> None:
    maps = random_maps(3)
    maps[1, 4, 4] = bad
    for measure in (cc, kl, sim, js):
        for value in (measure(maps, random_maps(3, 1)), measure(random_maps(3, 1), maps)):
            assert value.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("measure", [kl, sim, js])
def test_signed_maps_are_refused_where_they_make_no_sense(measure) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    with pytest.raises(ValueError, match="reduce=max_abs"):
        measure(-random_maps(2), random_maps(2))


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="same shape"):
        cc(random_maps(2), random_maps(3))
