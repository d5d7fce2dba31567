"""The order of a map's pixels: ranks and the hottest ones. Ties are never broken by chance."""

import numpy as np
import torch
from numpy.typing import NDArray
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
    flat = maps.detach().cpu().flatten(1)
    order, ordered = _in_order(flat.numpy())
    ranks = torch.empty(flat.shape, dtype=torch.float64)
    ranks.scatter_(1, torch.from_numpy(order), _ranks_in_order(ordered))
    ranks[is_degenerate(maps.detach().cpu())] = torch.nan
    return ranks


def _ranks_in_order(ordered: NDArray[np.generic]) -> Tensor:
    """Average ranks ``float64 (N, n)`` of rows that are sorted ascending."""
    num_maps, num_pixels = ordered.shape
    ranks = np.tile(np.arange(1.0, num_pixels + 1), num_maps)
    goes_on = np.zeros(ordered.shape, dtype=bool)
    np.equal(ordered[:, 1:], ordered[:, :-1], out=goes_on[:, 1:])
    # Pixels tied with the one before, those of all maps in one line, and the group each is in.
    later = np.flatnonzero(goes_on)
    opens = np.diff(later, prepend=-1) != 1
    groups = np.cumsum(opens) - 1
    starts = later[opens] - 1
    means = ranks[starts] + (np.bincount(groups) / 2)
    ranks[starts] = means
    ranks[later] = means[groups]
    return torch.from_numpy(ranks).view(num_maps, num_pixels)


def _in_order(flat: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.generic]]:
    """What sorts each row ascending, and the row so sorted, or numbers of equal order and ties."""
    if flat.dtype != np.float32:
        order = np.argsort(flat, axis=1, kind="stable")
        return order, np.take_along_axis(flat, order, axis=1)
    # Value and place in one whole number: sorting these is several times as fast as argsort.
    # Adding 0 makes -0 and 0 alike; the bits of negative numbers run the other way.
    bits = (flat + np.float32(0)).view(np.int32)
    bits ^= (bits >> 31) & np.int32(2**31 - 1)
    numbers = bits.astype(np.int64) << 32
    numbers |= np.arange(flat.shape[1])
    numbers.sort(axis=1)
    return numbers & (2**32 - 1), numbers >> 32


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
