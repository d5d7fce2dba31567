import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy as scipy_entropy

from auglens.metrics.entropy import effective_area, entropy, gini, histogram_entropy

MAPS = torch.tensor(
    [[[1, 2], [3, 4]], [[1, 0], [0, 0]], [[1, 1], [1, 1]], [[2, 2], [3, 3]], [[0, 0], [0, 0]]]
).float()
RANDOM = torch.randn(20, 28, 28, generator=torch.Generator().manual_seed(0)).abs()


def test_spatial_entropy_vectors() -> None:
    expected = [1.2798542258, 0, math.log(4), 1.3661588476, math.nan]
    assert entropy(MAPS).tolist() == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_spatial_entropy_in_bits_and_as_a_share_of_the_largest() -> None:
    nats = entropy(MAPS[:4])
    bits = nats / math.log(2)
    shares = nats / math.log(4)
    assert bits.tolist() == pytest.approx([1.8464393447, 0, 2, 1.9709505945], abs=1e-9)
    assert shares.tolist() == pytest.approx([0.9232196723, 0, 1, 0.9854752973], abs=1e-9)


def test_spatial_entropy_is_scipys() -> None:
    expected = [scipy_entropy(one.double().flatten().numpy()) for one in RANDOM]
    assert entropy(RANDOM).tolist() == pytest.approx(expected, abs=1e-12)


def test_effective_area_is_the_share_of_pixels_of_an_even_map_that_wide() -> None:
    half = torch.zeros(1, 4, 4)
    half[:, :2] = 3.0
    assert float(effective_area(half)) == pytest.approx(0.5)
    assert effective_area(MAPS[1:3]).tolist() == pytest.approx([0.25, 1.0])


def test_half_normal_maps_lie_at_their_known_ceiling() -> None:
    # H / ln(784) of 784 independent half-normal pixels, and the effective area that goes with it.
    assert float(entropy(RANDOM).mean()) / math.log(784) == pytest.approx(0.9574, abs=2e-3)
    assert float(effective_area(RANDOM).mean()) == pytest.approx(0.753, abs=0.01)


def test_histogram_entropy_is_numpys_histogram() -> None:
    for one, value in zip(RANDOM, histogram_entropy(RANDOM), strict=True):
        counts, _ = np.histogram(one.double().numpy(), bins=256)
        assert float(value) == pytest.approx(scipy_entropy(counts, base=2), abs=1e-9)


def test_counting_unique_values_would_say_the_same_of_every_map() -> None:
    # The trap behind "entropy shows no difference": an estimator that ignores the map.
    unique = [len(np.unique(one.numpy())) for one in RANDOM]
    assert np.log2(unique) == pytest.approx(np.log2(784), abs=0.01)
    assert histogram_entropy(RANDOM).std() > 0.01


def test_histogram_entropy_of_degenerate_maps() -> None:
    values = histogram_entropy(torch.cat([MAPS[2:3], MAPS[4:]]))
    assert values.tolist() == pytest.approx([0, math.nan], nan_ok=True)


def test_permuting_pixels_changes_neither_entropy() -> None:
    order = torch.randperm(784, generator=torch.Generator().manual_seed(1))
    shuffled = RANDOM.flatten(1)[:, order].view_as(RANDOM)
    torch.testing.assert_close(entropy(shuffled), entropy(RANDOM))
    torch.testing.assert_close(histogram_entropy(shuffled), histogram_entropy(RANDOM))


def test_gini_vectors() -> None:
    expected = [0.25, 0.75, 0, 0.1, math.nan]
    assert gini(MAPS).tolist() == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_gini_is_half_the_relative_mean_difference() -> None:
    for one, value in zip(RANDOM, gini(RANDOM), strict=True):
        pixels = one.double().flatten().numpy()
        differences = np.abs(pixels[:, None] - pixels[None]).mean()
        assert float(value) == pytest.approx(differences / (2 * pixels.mean()), abs=1e-12)


def test_gini_of_one_pixel_nears_one_and_refuses_signed_maps() -> None:
    pixel = torch.zeros(1, 28, 28)
    pixel[0, 3, 4] = 1e-30
    assert gini(pixel).tolist() == pytest.approx([1 - 1 / 784])
    with pytest.raises(ValueError, match="reduce=max_abs"):
        gini(-RANDOM)
