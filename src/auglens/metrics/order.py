"""The order of a map's pixels: ranks and the hottest ones. Ties are never broken by chance."""

import numpy as np
import torch
from torch import Tensor

from auglens.metrics.distribution import is_degenerate

__all__ = [
    "TOP_FRACTION",
    "above_and_tied",
    "ascending",
    "average_ranks",
    "hottest",
    "top_count",
    "top_mask",
]

TOP_FRACTION = 0.1


def average_ranks(maps: Tensor) -> Tensor:
    """Ranks of an image's pixels from 1, the coldest; tied pixels share their average rank.

    Args:
        maps: Shape ``(N, H, W)``, signed or not.

    Returns:
        ``float64 (N, H * W)``; NaN where a map is degenerate.
    """
    flat = maps.detach().cpu().flatten(1).numpy()
    order = np.argsort(flat, axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    places = np.arange(flat.shape[1])
    differs = ordered[:, 1:] != ordered[:, :-1]
    starts = np.pad(differs, ((0, 0), (1, 0)), constant_values=True)
    ends = np.pad(differs, ((0, 0), (0, 1)), constant_values=True)
    first = np.maximum.accumulate(np.where(starts, places, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, places, places[-1])[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty(flat.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=1)
    degenerate = is_degenerate(maps.detach().cpu())
    return torch.where(degenerate[:, None], torch.nan, torch.from_numpy(ranks))


def hottest(maps: Tensor, counts: Tensor) -> Tensor:
    """The given number of largest pixels of each map; of tied ones the first in pixel order.

    Args:
        maps: Shape ``(N, H, W)``, signed or not.
        counts: ``int64 (N,)``, from 0 to ``H * W``.

    Returns:
        ``bool (N, H, W)``; meaningless where a map is not finite.
    """
    above, tied = above_and_tied(maps.detach().cpu().flatten(1), counts)
    num_missing = counts[:, None] - above.sum(dim=1, keepdim=True)
    chosen = above | (tied & (tied.cumsum(dim=1) <= num_missing))
    return chosen.view(maps.shape)


def above_and_tied(flat: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels hotter than the last of the given number of hottest ones, and those tied with it.

    Args:
        flat: Maps of shape ``(N, n)``, on the CPU.
        counts: ``int64 (N,)``, from 0 to n.

    Returns:
        Two ``bool (N, n)``; meaningless where a map is not finite.
    """
    place = (flat.shape[1] - counts).clamp(max=flat.shape[1] - 1)
    threshold = ascending(flat).gather(1, place[:, None])
    return flat > threshold, flat == threshold


def top_mask(maps: Tensor, *, fraction: float = TOP_FRACTION) -> Tensor:
    """The hottest fraction of each map's pixels, rounded, at least one pixel.

    Args:
        maps: Shape ``(N, H, W)``, signed or not.
        fraction: Share of the pixels, in (0, 1].

    Returns:
        ``bool (N, H, W)``; :func:`top_count` pixels in each image, ties as in :func:`hottest`;
        meaningless where a map is not finite.
    """
    return hottest(maps, torch.full((len(maps),), top_count(maps, fraction=fraction)))


def top_count(maps: Tensor, *, fraction: float = TOP_FRACTION) -> int:
    """Number of pixels that :func:`top_mask` chooses in each finite map.

    Args:
        maps: Shape ``(N, H, W)``.
        fraction: Share of the pixels, in (0, 1].
    """
    return max(1, round(fraction * maps.shape[1] * maps.shape[2]))


def ascending(flat: Tensor) -> Tensor:
    """Each row sorted, the smallest value first.

    Args:
        flat: Shape ``(N, n)``, on the CPU.
    """
    # NumPy sorts short rows of numbers several times as fast as torch does.
    return torch.from_numpy(np.sort(flat.numpy(), axis=1))
