import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms import v2

from auglens.augment.training_set import Augmentation
from auglens.augment.transforms import (
    Blur,
    Crop,
    Distort,
    Erase,
    Identity,
    PerImage,
    Scale,
    StrengthTransform,
)

MAKE: dict[str, Callable[[float], StrengthTransform]] = {
    "scale": lambda s: Scale(strength=s, max_change=0.4),
    "crop": lambda s: Crop(strength=s, min_area_fraction=0.5, max_aspect=4 / 3),
    "erase": lambda s: Erase(
        strength=s, min_area_fraction=0.02, max_area_fraction=0.25, aspect=[0.3, 3.3]
    ),
    "distort": lambda s: Distort(strength=s, amplitude=34, sigma_px=4),
    "blur": lambda s: Blur(strength=s, min_sigma_px=0.5, max_sigma_px=2),
}
NAMES = sorted(MAKE)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(size: tuple[int, int] = (28, 28), count: int = 6) -> Tensor:
    return torch.rand(count, 3, *size, generator=generator(9))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(28, 28), (40, 36)], ids=["square", "oblong"])
def test_strength_zero_returns_the_input_bit_for_bit(name: str, size: tuple[int, int]) -> None:
    before = images(size)
    assert torch.equal(MAKE[name](0)(before, generator=generator()), before)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strength", [0.25, 1, 2])
def test_shape_type_range_and_argument_are_kept(name: str, strength: float) -> None:
    before = images((40, 36))
    kept = before.clone()
    result = MAKE[name](strength)(before, generator=generator())
    assert torch.equal(before, kept)
    assert result.shape == before.shape
    assert result.dtype == before.dtype
    assert result.min() >= -1e-6
    assert result.max() <= 1 + 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_decides_and_nothing_else(name: str) -> None:
    transform = MAKE[name](1)
    torch.manual_seed(1)
    first = transform(images(), generator=generator(3))
    torch.manual_seed(2)
    assert torch.equal(first, transform(images(), generator=generator(3)))
    assert not torch.equal(first, transform(images(), generator=generator(4)))


@pytest.mark.parametrize("name", NAMES)
def test_every_image_has_its_own_parameters(name: str) -> None:
    same = images(count=1).expand(12, -1, -1, -1)
    result = MAKE[name](1)(same, generator=generator())
    assert len({image.numpy().tobytes() for image in result}) > 6


@pytest.mark.parametrize("strength", [-0.1, 2.01, math.nan])
def test_strength_outside_its_range_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match=r"augment\.strength=.* is outside 0"):
        MAKE["crop"](strength)


@pytest.mark.parametrize("strength", [0.25, 1.0, 2.0])
def test_scale_law(strength: float) -> None:
    factor = MAKE["scale"](strength).sample(20000, size=(28, 28), generator=generator())["factor"]
    assert factor.min() >= 1 - 0.4 * strength
    assert factor.max() <= 1 + 0.4 * strength
    # A uniform law on [a, b] has mean (a + b) / 2 and variance (b - a)^2 / 12.
    assert factor.mean() == pytest.approx(1, abs=0.01 * strength)
    assert factor.std() == pytest.approx(0.8 * strength / math.sqrt(12), rel=0.02)


@pytest.mark.parametrize("strength", [0.25, 1.0, 2.0])
def test_crop_law(strength: float) -> None:
    box = MAKE["crop"](strength).sample(20000, size=(280, 280), generator=generator())
    area = box["height"] * box["width"] / 280**2
    aspect = box["width"] / box["height"]
    assert area.min() >= 0.5**strength - 0.01
    assert area.max() <= 1
    assert aspect.max() <= (4 / 3) ** strength * 1.02
    assert aspect.min() >= (3 / 4) ** strength * 0.98
    assert (box["top"] + box["height"]).max() <= 280
    assert (box["left"] + box["width"]).max() <= 280
    assert box["top"].min() >= 0


@pytest.mark.parametrize("strength", [0.05, 0.25, 1.0, 2.0])
def test_erase_law(strength: float) -> None:
    box = MAKE["erase"](strength).sample(20000, size=(280, 280), generator=generator())
    area = box["height"] * box["width"] / 280**2
    assert area.max() <= 0.25 * strength + 0.01
    assert box["height"].max() <= 280
    if strength == 1:
        # A uniform law; clipped sides make the largest a little smaller.
        assert area.mean() == pytest.approx((0.02 + 0.25) / 2, rel=0.02)
        ratio = (box["height"] / box["width"].clamp_min(1)).log()
        assert ratio.mean() == pytest.approx((math.log(0.3) + math.log(3.3)) / 2, abs=0.02)


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_blur_law(strength: float) -> None:
    sigma = MAKE["blur"](strength).sample(20000, size=(28, 28), generator=generator())["sigma_px"]
    assert sigma.min() >= 0.5 * strength
    assert sigma.max() <= 2 * strength
    assert sigma.mean() == pytest.approx(1.25 * strength, rel=0.02)


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_distortion_moves_as_far_as_torchvisions(strength: float) -> None:
    ours = MAKE["distort"](strength).sample(200, size=(28, 28), generator=generator())
    torch.manual_seed(0)
    elastic = v2.ElasticTransform(alpha=34 * strength, sigma=4.0)
    fields = [elastic.make_params([images(count=1)])["displacement"] for _ in range(200)]
    theirs_px = torch.cat(fields) * 14  # torchvision counts half frames of 28 pixels
    assert float(ours["displacement_px"].std()) == pytest.approx(float(theirs_px.std()), rel=0.05)


@given(st.sampled_from(NAMES), st.floats(0, 2), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_any_strength_and_size_gives_finite_images(
    name: str, strength: float, height: int, width: int
) -> None:
    result = MAKE[name](strength)(images((height, width), count=2), generator=generator())
    assert result.shape == (2, 3, height, width)
    assert torch.isfinite(result).all()


def test_parameter_out_of_range_names_its_key() -> None:
    with pytest.raises(ValueError, match=r"augment\.transform\.max_change=0\.7"):
        Scale(strength=1, max_change=0.7)


def test_identity_copies() -> None:
    before = images()
    result = Identity()(before, generator=generator())
    assert torch.equal(result, before)
    assert result.data_ptr() != before.data_ptr()


class TestPerImage:
    def rotate(self) -> Augmentation:
        return PerImage(transform=v2.RandomRotation(degrees=90))

    def test_every_image_is_drawn_for_although_torchvision_draws_once_a_batch(self) -> None:
        same = images(count=1).expand(8, -1, -1, -1)
        result = self.rotate()(same, generator=generator())
        assert len({image.numpy().tobytes() for image in result}) == 8

    def test_the_generator_decides_and_the_global_one_stays(self) -> None:
        torch.manual_seed(5)
        expected = torch.rand(3)
        torch.manual_seed(5)
        first = self.rotate()(images(), generator=generator(3))
        assert torch.equal(torch.rand(3), expected)
        assert torch.equal(first, self.rotate()(images(), generator=generator(3)))
        assert not torch.equal(first, self.rotate()(images(), generator=generator(4)))

    def test_a_transform_that_changes_the_shape_is_refused(self) -> None:
        with pytest.raises(ValueError, match="shape and type must stay"):
            PerImage(transform=v2.CenterCrop(10))(images(), generator=generator())
