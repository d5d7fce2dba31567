import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from auglens.saliency.attribution import saliency_maps
from auglens.saliency.perturbation import BlurPerturbation, blur_masks


def method(stride_px: int = 1) -> BlurPerturbation:
    return BlurPerturbation(
        mask_sigma_px=1.75,
        blur_sigma_px=1.05,
        stride_px=stride_px,
        reduce="max_abs",
        batch_size=50,
    )


def network(channels: int = 2) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * 9 * 8, 6), nn.Tanh(), nn.Linear(6, 4))


def explain(net: nn.Module, images: torch.Tensor, stride_px: int = 1) -> torch.Tensor:
    targets = torch.zeros(len(images), dtype=torch.long)
    return saliency_maps(
        method(stride_px),
        net,
        images,
        targets,
        generator=torch.Generator(),
        advance=lambda _: None,
    )


def test_against_one_pixel_at_a_time_in_numpy() -> None:
    net, images = network(), torch.rand(2, 2, 9, 8)
    y, x = np.mgrid[:9, :8]
    expected = np.zeros((2, 9, 8))
    for index, image in enumerate(images.numpy()):
        blurred = np.stack([gaussian_filter(channel, 1.05) for channel in image])
        for row in range(9):
            for column in range(8):
                disc = ((y - row) ** 2 + (x - column) ** 2 <= 1).astype(float)
                mask = gaussian_filter(disc, 1.75)
                mask /= mask.max()
                changed = torch.from_numpy(image * (1 - mask) + blurred * mask).float()
                with torch.no_grad():
                    moved = net(torch.stack([torch.from_numpy(image), changed]))
                expected[index, row, column] = 0.5 * ((moved[0] - moved[1]) ** 2).sum()
    np.testing.assert_allclose(explain(net, images).numpy(), expected, rtol=2e-3, atol=1e-7)


def test_a_constant_image_and_places_far_from_ink_have_no_saliency() -> None:
    images = torch.zeros(2, 1, 28, 28)
    images[1, 0, 2:5, 2:5] = 1.0
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 5))
    maps = explain(net, images, stride_px=2)
    assert torch.equal(maps[0], torch.zeros(28, 28))
    assert maps[1].min() >= 0
    assert maps[1, 20:, 20:].max() < 1e-12 < maps[1].max()


@pytest.mark.parametrize(("height", "width"), [(28, 28), (9, 8), (33, 30)])
def test_a_coarse_map_is_the_fine_one_seen_at_fewer_places(height: int, width: int) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(height * width, 5))
    images = torch.rand(2, 1, height, width)
    fine, coarse = explain(net, images), explain(net, images, stride_px=4)
    assert torch.isfinite(coarse).all()
    if (height, width) == (28, 28):
        middles = fine[:, 1:-1, 1:-1].unfold(1, 2, 4).unfold(2, 2, 4)
        assert middles.shape[1:3] == (7, 7)
        seen = coarse[:, 1:-1, 1:-1].unfold(1, 2, 4).unfold(2, 2, 4)
        both = torch.stack([middles.mean((3, 4)).flatten(), seen.mean((3, 4)).flatten()])
        assert float(torch.corrcoef(both)[0, 1]) > 0.9


def test_a_stride_of_two_asks_a_quarter_of_the_places() -> None:
    masks = blur_masks(28, 28, sigma_px=1.75, stride_px=2)
    assert masks.shape == (14, 14, 28, 28)
    assert torch.equal(masks.amax(dim=(2, 3)), torch.ones(14, 14))
    # Centres lie in the middle of each 2 x 2 cell, where the interpolation puts the values.
    assert torch.allclose(masks[3, 5, 6:8, 10:12], torch.ones(2, 2))
