import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from auglens.models.cnn2 import Cnn2
from auglens.models.normalized import NormalizedNetwork


def cnn2(height: int = 28, width: int = 28, in_channels: int = 1, num_classes: int = 10) -> Cnn2:
    return Cnn2(
        in_channels=in_channels,
        height=height,
        width=width,
        num_classes=num_classes,
        channels=[16, 32],
        kernel_size=5,
    )


def test_pooling_before_relu_is_the_textbook_network() -> None:
    net = cnn2()
    images = torch.randn(3, 1, 28, 28)
    first = F.max_pool2d(F.relu(net.conv1(images)), 2)
    second = F.max_pool2d(F.relu(net.conv2(first)), 2)
    torch.testing.assert_close(net(images), net.linear(second.flatten(1)))


def test_size_of_the_posters_network() -> None:
    counted = sum(parameter.numel() for parameter in cnn2().parameters())
    assert counted == (25 + 1) * 16 + (16 * 25 + 1) * 32 + (32 * 49 + 1) * 10


def test_any_image_shape_gives_one_logit_a_class() -> None:
    assert cnn2(40, 36, 3, 7)(torch.rand(2, 3, 40, 36)).shape == (2, 7)


def test_images_too_small_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 4 x 4"):
        cnn2(3, 28)


def test_normalisation_is_inside_and_saved_with_the_network() -> None:
    net = NormalizedNetwork(nn.Flatten(), mean=[0.5, 0.2], std=[2.0, 4.0])
    images = torch.rand(3, 2, 4, 4)
    mean, std = torch.tensor([0.5, 0.2]).view(2, 1, 1), torch.tensor([2.0, 4.0]).view(2, 1, 1)
    torch.testing.assert_close(net(images), ((images - mean) / std).flatten(1))
    assert {"mean", "std"} <= set(net.state_dict())


@pytest.mark.parametrize(("height", "width"), [(28, 28), (7, 10), (30, 13)])
def test_evaluation_pools_bit_for_bit_as_torch_does(height: int, width: int) -> None:
    net = cnn2(height, width, in_channels=3)
    # Constant areas: all four pixels of a window are tied.
    images = torch.randn(5, 3, height, width).relu().contiguous(memory_format=torch.channels_last)
    images[3, 0, 1, 1] = torch.nan
    with_indices = net(images).detach()
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            torch.testing.assert_close(net(images), with_indices, rtol=0, atol=0, equal_nan=True)


def test_a_hook_on_a_pooling_is_called_in_evaluation() -> None:
    net = cnn2(8, 8)
    seen: list[torch.Size] = []

    def see(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        del module, inputs
        seen.append(output.shape)

    net.pool1.register_forward_hook(see)
    with torch.no_grad():
        net(torch.rand(1, 1, 8, 8))
    assert seen == [(1, 16, 4, 4)]
