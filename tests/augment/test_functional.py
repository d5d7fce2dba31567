"""torchvision's functional operations, one image at a time, are the oracle."""

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as oracle

from auglens.augment import functional

BOX = ("top", "left", "height", "width")
SIZES = [pytest.param((28, 28), id="mnist"), pytest.param((40, 36), id="oblong")]


def images_of(size: tuple[int, int]) -> Tensor:
    return torch.rand(4, 3, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", SIZES)
def test_scale_is_torchvisions_affine(size: tuple[int, int]) -> None:
    images = images_of(size)
    factors = [0.6, 0.93, 1.0, 1.4]
    expected = torch.stack(
        [
            oracle.affine(
                image,
                angle=0.0,
                translate=[0, 0],
                scale=factor,
                shear=[0.0, 0.0],
                interpolation=InterpolationMode.BILINEAR,
                fill=[0.0],
            )
            for image, factor in zip(images, factors, strict=True)
        ]
    )
    result = functional.scale(images, torch.tensor(factors))
    # torchvision cuts the frame off half a pixel outside, ours fades to 0 over that half pixel.
    kept = functional.scale(torch.ones_like(images), torch.tensor(factors)) > 1 - 1e-6
    torch.testing.assert_close(result[kept], expected[kept], atol=1e-4, rtol=0)
    assert kept.float().mean() > 0.5
    assert kept[2:].all()


@pytest.mark.parametrize("size", SIZES)
def test_crop_and_resize_is_torchvisions(size: tuple[int, int]) -> None:
    images = images_of(size)
    boxes = [(0, 0, *size), (3, 5, 20, 17), (8, 0, 13, 25), (1, 2, 1, 1)]
    expected = torch.stack(
        [
            oracle.resized_crop(image, *box, size=list(size), antialias=True)
            for image, box in zip(images, boxes, strict=True)
        ]
    )
    top, left, height, width = torch.tensor(boxes).T
    result = functional.crop_and_resize(images, top=top, left=left, height=height, width=width)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_erase_is_torchvisions(size: tuple[int, int]) -> None:
    images = images_of(size)
    boxes = [(0, 0, 5, 7), (3, 5, 20, 17), (8, 0, 1, 25), (4, 4, 0, 3)]
    expected = torch.stack(
        [
            oracle.erase(image, *box, v=torch.zeros(3, 1, 1))
            for image, box in zip(images, boxes, strict=True)
        ]
    )
    top, left, height, width = torch.tensor(boxes).T
    result = functional.erase(images, top=top, left=left, height=height, width=width)
    assert torch.equal(result, expected)


@pytest.mark.parametrize("size", SIZES)
def test_elastic_is_torchvisions(size: tuple[int, int]) -> None:
    images = images_of(size)
    generator = torch.Generator().manual_seed(1)
    displacement_px = 3 * torch.randn(4, *size, 2, generator=generator)
    # torchvision measures displacement in half frames.
    half_frame = torch.tensor([size[1], size[0]]) / 2
    expected = torch.cat(
        [
            oracle.elastic(image[None], field[None] / half_frame, fill=[0.0])
            for image, field in zip(images, displacement_px, strict=True)
        ]
    )
    inside = functional.elastic(torch.ones_like(images), displacement_px) > 1 - 1e-6
    result = functional.elastic(images, displacement_px)
    torch.testing.assert_close(result[inside], expected[inside], atol=1e-4, rtol=0)
    assert inside.float().mean() > 0.5


@pytest.mark.parametrize("size", SIZES)
def test_blur_is_torchvisions_gaussian_of_each_images_own_sigma(size: tuple[int, int]) -> None:
    images = images_of(size)
    sigmas = [0.5, 0.9, 1.3, 2.0]
    expected = torch.stack(
        [
            oracle.gaussian_blur(image, kernel_size=[13, 13], sigma=[sigma, sigma])
            for image, sigma in zip(images, sigmas, strict=True)
        ]
    )
    result = functional.gaussian_blur(images, torch.tensor(sigmas))
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)


def test_reflecting_gaussian_keeps_constants_and_reaches_no_further_than_one_reflection() -> None:
    matrices = functional.reflecting_gaussian(torch.tensor([0.0, 0.7, 50.0]), 6)
    torch.testing.assert_close(matrices.sum(dim=2), torch.ones(3, 6))
    assert torch.equal(matrices[0], torch.eye(6))


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(lambda x: functional.scale(x, torch.full((4,), 1.2)), id="scale"),
        pytest.param(lambda x: functional.gaussian_blur(x, torch.full((4,), 1.2)), id="blur"),
        pytest.param(lambda x: functional.elastic(x, torch.ones(4, 28, 28, 2)), id="elastic"),
        pytest.param(
            lambda x: functional.erase(x, **dict.fromkeys(BOX, torch.full((4,), 3))), id="erase"
        ),
        pytest.param(
            lambda x: functional.crop_and_resize(x, **dict.fromkeys(BOX, torch.full((4,), 3))),
            id="crop",
        ),
    ],
)
def test_arguments_stay_as_they_were(operation) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    images = images_of((28, 28))
    before = images.clone()
    changed = operation(images)
    assert torch.equal(images, before)
    assert not torch.equal(changed, before)
