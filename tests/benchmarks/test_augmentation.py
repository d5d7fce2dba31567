"""All sides of the benchmark of augmentations do the same kind of work."""

import pytest
import torch
from torch import Tensor

from benchmarks.augmentation import KORNIA, NAMES, augmentation, image_by_image
from benchmarks.peers.plain import TRANSFORMS

NUM_IMAGES = 200


@pytest.fixture(scope="module")
def images() -> Tensor:
    """A bright disc of changing place and size on black, ``(200, 1, 28, 28)``."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    centres = 10 + 8 * torch.rand(NUM_IMAGES, 2, 1, 1, generator=generator)
    radii = 4 + 3 * torch.rand(NUM_IMAGES, 1, 1, generator=generator)
    distance = ((rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2).sqrt()
    return (radii - distance).clamp(0, 1)[:, None]


@pytest.mark.parametrize("name", NAMES)
def test_all_sides_change_images_about_as_much(name: str, images: Tensor) -> None:
    transform = TRANSFORMS[name]
    assert transform is not None
    torch.manual_seed(0)
    made = [
        augmentation(name)(images, generator=torch.Generator().manual_seed(0)),
        image_by_image(transform, images),
        KORNIA[name]()(images),
    ]
    assert all(one.shape == images.shape for one in made)
    assert all(one.min() >= -1e-5 and one.max() <= 1 + 1e-5 for one in made)
    changes = [float((one - images).abs().mean()) for one in made]
    assert min(changes) > 0
    # The laws differ in detail (interpolation, kernel, borders), not in size.
    assert max(changes) < 1.6 * min(changes)
