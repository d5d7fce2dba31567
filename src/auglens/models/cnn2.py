"""The poster's network: two convolution layers and one linear layer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Cnn2"]


class Cnn2(nn.Module):
    """Two convolutions, each followed by 2x2 max-pooling and ReLU, then a linear layer.

    Pooling before ReLU is the same function as after it, at a quarter of the cost.

    Args:
        in_channels: Colour channels C.
        height: Rows H of an image, at least 4.
        width: Columns W of an image, at least 4.
        num_classes: Number of logits K.
        channels: Filters of the first and the second convolution, each at most 1024.
        kernel_size: Side of every filter in pixels; odd, at most 31.

    Raises:
        ValueError: If an image is too small or a setting outside its range.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        height: int,
        width: int,
        num_classes: int,
        channels: Sequence[int],
        kernel_size: int,
    ) -> None:
        super().__init__()
        if min(height, width) < 4:
            raise ValueError(f"Cnn2 needs images of at least 4 x 4, got {height} x {width}.")
        _check_settings(channels, kernel_size)
        first, second = channels
        padding = kernel_size // 2
        self.conv1 = nn.Conv2d(in_channels, first, kernel_size, padding=padding)
        self.pool1 = nn.MaxPool2d(2)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(first, second, kernel_size, padding=padding)
        self.pool2 = nn.MaxPool2d(2)
        self.relu2 = nn.ReLU()
        self.linear = nn.Linear(second * (height // 4) * (width // 4), num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N, K)`` of normalised images ``(N, C, H, W)``."""
        first = self.relu1(_pooled(self.pool1, self.conv1(images)))
        second = self.relu2(_pooled(self.pool2, self.conv2(first)))
        logits: Tensor = self.linear(second.flatten(1))
        return logits


def _check_settings(channels: Sequence[int], kernel_size: int) -> None:
    listed = isinstance(channels, Sequence) and not isinstance(channels, str)
    if not listed or len(channels) != 2 or not all(_is_count(one, 1024) for one in channels):
        raise ValueError(f"channels={channels!r} must be two whole numbers from 1 to 1024.")
    if not _is_count(kernel_size, 31) or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size={kernel_size!r} must be an odd whole number from 1 to 31.")


def _is_count(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _pooled(pool: nn.MaxPool2d, images: Tensor) -> Tensor:
    """``pool(images)``, 2x2; evaluation on a CPU needs no indices, which take half the time."""
    watched = torch.is_grad_enabled() or pool._forward_hooks or pool._forward_pre_hooks
    if watched or images.device.type != "cpu":
        pooled: Tensor = pool(images)
        return pooled
    even = images[:, :, : images.shape[2] // 2 * 2, : images.shape[3] // 2 * 2]
    rows = torch.maximum(even[:, :, ::2], even[:, :, 1::2])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])
