"""Quick gradients against torch's own: only the time may differ."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from auglens.saliency.input_gradient import quick_input_gradients

SETTINGS: dict[str, dict[str, Any]] = {
    "same size": {"kernel_size": 5, "padding": 2},
    "no padding": {"kernel_size": 3},
    "even, oblong kernel": {"kernel_size": (2, 4), "padding": (1, 0)},
    "more padding than kernel": {"kernel_size": 3, "padding": 4},
    "one pixel": {"kernel_size": 1},
    "strided": {"kernel_size": 5, "stride": 2},
    "dilated": {"kernel_size": 3, "dilation": 2},
    "reflecting": {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
    "padding by name": {"kernel_size": 3, "padding": "same"},
}


def network(channels: int, **settings: Any) -> nn.Sequential:  # noqa: ANN401 - of Conv2d
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(channels, 6, **settings), nn.Tanh()).double()


def images_of(channels: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, channels, 9, 7, generator=generator, dtype=torch.float64)
    return images.requires_grad_()


def gradients(net: nn.Sequential, images: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(net(images).square().sum(), (images, *net.parameters()))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("channels", [1, 3])
def test_all_gradients_and_the_output_are_those_of_torch(
    channels: int, settings: dict[str, Any]
) -> None:
    net, images = network(channels, **settings), images_of(channels)
    output, expected = net(images), gradients(net, images)
    with quick_input_gradients(net):
        assert torch.equal(net(images), output)
        torch.testing.assert_close(gradients(net, images), expected)


def test_second_derivatives_are_those_of_torch() -> None:
    net, images = network(1, kernel_size=3, padding=1), images_of(1)

    def curvature() -> Tensor:
        (slope,) = torch.autograd.grad(net(images).square().sum(), images, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), next(net.parameters()))[0]

    expected = curvature()
    with quick_input_gradients(net):
        torch.testing.assert_close(curvature(), expected)


def test_plain_convolutions_of_few_channels_take_the_quick_way_and_no_others() -> None:
    plain = {"same size", "no padding", "even, oblong kernel", "one pixel"}
    quick = set()
    for name, settings in SETTINGS.items():
        net = network(3, **settings)
        with quick_input_gradients(net):
            if "ImageGradient" in type(net[0](images_of(3)).grad_fn).__name__:
                quick.add(name)
    assert quick == plain
    many = network(16, kernel_size=3)
    with quick_input_gradients(many):
        assert "ImageGradient" not in type(many[0](images_of(16)).grad_fn).__name__


def test_the_network_is_as_it_was_even_after_an_error() -> None:
    net = network(1, kernel_size=3)
    with pytest.raises(RuntimeError, match="channels"), quick_input_gradients(net):
        net(images_of(3))
    assert "forward" not in vars(net[0])


def test_a_layer_whose_forward_somebody_replaced_is_left_alone() -> None:
    net = network(1, kernel_size=3)

    def own(images: Tensor) -> Tensor:
        return images

    net[0].forward = own
    with quick_input_gradients(net):
        assert net[0].forward is own
    assert net[0].forward is own
