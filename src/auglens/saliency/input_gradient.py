"""Quick gradients with respect to images of few channels, on the CPU. Changes no network's output.

Legend: N images, C channels, F filters, H x W pixels.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["quick_input_gradients"]

MOST_CHANNELS = 4


@contextmanager
def quick_input_gradients(net: nn.Module) -> Iterator[None]:
    """Let convolutions of grey or coloured images give their gradient several times as fast.

    torch's own spends a vector instruction on every single channel: half the time of a small
    network's forward and backward pass. Convolutions that stride, dilate or group, and all on
    another device than the CPU, stay as they are.

    Args:
        net: Its convolutions are replaced until the end, and are then as they were.
    """
    quickened = [
        layer for layer in net.modules() if isinstance(layer, nn.Conv2d) and _is_plain(layer)
    ]
    for layer in quickened:
        layer.forward = partial(_convolved, layer, layer.forward)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in quickened:
            del layer.forward


def _is_plain(layer: nn.Conv2d) -> bool:
    return (
        type(layer) is nn.Conv2d
        and layer.in_channels <= MOST_CHANNELS
        and layer.groups == 1
        and set(layer.stride + layer.dilation) == {1}
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and layer.padding[1] < layer.kernel_size[1]
        and "forward" not in vars(layer)
    )


def _convolved(layer: nn.Conv2d, forward: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    if images.device.type != "cpu" or not images.requires_grad:
        return forward(images)
    # Gradients of the weights, if anybody asks for them, take torch's own way.
    filtered = forward(images.detach())
    quick: Tensor = _ImageGradient.apply(images, filtered, layer.weight, layer.padding)
    return quick


class _ImageGradient(torch.autograd.Function):
    """Hands through what a convolution made of images, and brings its gradient back to them."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, filtered: Tensor, weight: Tensor, padding: Any) -> Tensor:  # noqa: ANN401 - torch's own signature
        ctx.save_for_backward(weight)
        ctx.padding, ctx.size = padding, images.shape[2:]
        return filtered.view_as(filtered)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:  # noqa: ANN401
        (weight,) = ctx.saved_tensors
        to_images = _image_gradient(
            gradient, weight.to(gradient.dtype), padding=ctx.padding, size=ctx.size
        )
        return to_images, gradient, None, None


def _image_gradient(
    gradient: Tensor, weight: Tensor, *, padding: Sequence[int], size: Sequence[int]
) -> Tensor:
    """Each row of the filters is a convolution along the columns; these add up, row by row shifted.

    Args:
        gradient: With respect to the filtered images, shape ``(N, F, rows of it, columns of it)``.
        weight: Filters, shape ``(F, C, rows, columns)``.
        padding: Zeros on each side of the images, (rows, columns).
        size: (H, W) of the images.

    Returns:
        Shape ``(N, C, H, W)``.
    """
    channels, rows, columns = weight.shape[1:]
    lines = weight.flip(3).permute(1, 2, 0, 3).flatten(0, 1)[:, :, None]
    lines = lines.contiguous(memory_format=torch.channels_last)
    across = F.conv2d(gradient, lines, padding=(0, columns - 1 - padding[1]))
    across = across.view(len(across), channels, rows, *across.shape[2:])
    height = size[0] + 2 * padding[0]
    total = gradient.new_zeros(len(gradient), channels, height, size[1])
    for row in range(rows):
        total[:, :, row : row + gradient.shape[2]] += across[:, :, row]
    return total[:, :, padding[0] : padding[0] + size[0]]
