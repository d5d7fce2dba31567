"""A few maps at a time, so that measuring them stays in the processor's cache."""

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["parts"]

MOST_PIXELS = 2**16


def parts(*maps: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same few maps of each group, group by group.

    Args:
        maps: Groups of as many maps, each of shape ``(N, H, W)``.

    Yields:
        One ``(n, H, W)`` a group, of together N maps; one empty part where N is 0.
    """
    num_maps = max(1, MOST_PIXELS // max(1, maps[0].shape[1:].numel()))
    return zip(*(torch.split(group, num_maps) for group in maps), strict=True)
