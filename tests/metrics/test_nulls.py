import math

import pytest
import torch
from torch import Tensor

from auglens.metrics.catalogue import MEASURES
from auglens.metrics.nulls import unrelated_values
from auglens.metrics.similarity import FLOAT64_EPS

DISC = (torch.arange(28)[:, None] - 14) ** 2 + (torch.arange(28) - 14) ** 2 < 30
AREA = float(DISC.double().mean())


def unrelated(images: Tensor, seed: int = 0) -> dict[str, float]:
    return unrelated_values(
        images,
        foreground_threshold=0.5,
        kl_eps=FLOAT64_EPS,
        generator=torch.Generator().manual_seed(seed),
    )


VALUES = unrelated(DISC.float().expand(30, 1, 28, 28))


def test_the_null_holds_what_the_catalogue_says_is_simulated() -> None:
    simulated = [name for name, measure in MEASURES.items() if measure.null == "unrelated"]
    assert list(VALUES) == simulated
    assert all(map(math.isfinite, VALUES.values()))


@pytest.mark.parametrize(
    ("name", "expected", "tolerance"),
    [
        # Means over 200 pairs that were simulated elsewhere; three standard errors of a difference.
        ("cc", -0.002, 3 * 0.037 / 10),
        ("kl", 0.695, 3 * 0.041 / 10),
        ("sim", 0.585, 0.01),
        ("js", 0.140, 0.01),
        ("num_components", 51.6, 1.5),
        ("largest_component_share", 0.068, 0.006),
        ("effective_area", 0.753, 0.005),
    ],
)
def test_unrelated_maps_score_what_was_simulated(
    name: str, expected: float, tolerance: float
) -> None:
    assert VALUES[name] == pytest.approx(expected, abs=tolerance)


def test_unrelated_maps_score_what_can_be_computed() -> None:
    assert VALUES["entropy"] / math.log(784) == pytest.approx(0.9574, abs=5e-4)
    # Gini index of a half-normal variable: sqrt(2) - 1.
    assert VALUES["gini"] == pytest.approx(math.sqrt(2) - 1, abs=0.005)
    for name in ("foreground_mass", "foreground_rank"):
        assert VALUES[name] == pytest.approx(AREA, abs=0.005)
    assert VALUES["pointing_game"] == pytest.approx(
        AREA, abs=3 * math.sqrt(AREA * (1 - AREA) / 200)
    )
    assert VALUES["spread_px"] == pytest.approx(11.4237, abs=0.05)


def test_one_generator_one_null() -> None:
    images = DISC.float().expand(3, 1, 28, 28)
    assert unrelated(images, seed=1) == unrelated(images, seed=1)
    assert unrelated(images, seed=1) != unrelated(images, seed=2)


def test_what_the_images_leave_undefined_stays_undefined() -> None:
    values = unrelated(torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0)))
    assert math.isnan(values["foreground_mass"])
    assert math.isfinite(values["num_components"])


def test_half_of_the_images_without_an_object_count_for_nothing() -> None:
    images = torch.stack([DISC.float(), torch.zeros(28, 28)])[:, None]
    assert unrelated(images)["foreground_mass"] == pytest.approx(AREA, abs=0.005)
