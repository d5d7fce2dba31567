"""How much of a map lies on the object: foreground masks and what they say of a map.

Legend: N images, C channels, H and W pixels. Masks are ``bool (N, H, W)``; values are
``float64 (N,)``, NaN where a map is degenerate or a mask is empty or full.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from auglens.metrics.distribution import distribution, is_degenerate
from auglens.metrics.order import above_and_tied, average_ranks

__all__ = [
    "FRAME_PX",
    "area_share",
    "dilate",
    "foreground",
    "inner",
    "lift",
    "mass_share",
    "pointing_game",
    "rank_accuracy",
    "rank_auc",
    "roc_auc",
]

FRAME_PX = 2


def foreground(images: Tensor, threshold: float) -> Tensor:
    """Pixels brighter than a threshold; brightness is the mean over channels.

    The object where one channel holds a bright thing on a dark ground. On colour images a
    threshold separates light from dark, which is no foreground.

    Args:
        images: In [0, 1], shape ``(N, C, H, W)``.
        threshold: Pixels have to exceed it.
    """
    return images.detach().cpu().mean(dim=1) > threshold


def dilate(masks: Tensor, radius_px: int) -> Tensor:
    """Grow masks by a square: each pixel reaches its neighbours, diagonal ones too.

    Args:
        masks: ``bool (N, H, W)``.
        radius_px: Half the side of the square, not counting its middle, from 0.
    """
    side_px = 2 * radius_px + 1
    grown = F.max_pool2d(masks[:, None].float(), side_px, stride=1, padding=radius_px)
    return grown[:, 0] > 0


def inner(maps: Tensor) -> Tensor:
    """Maps or masks without the outermost 2 px, which zero padding of a network lights up.

    Args:
        maps: Shape ``(N, H, W)``.

    Returns:
        Shape ``(N, H - 4, W - 4)``.

    Raises:
        ValueError: If nothing would be left.
    """
    if min(maps.shape[1:]) <= 2 * FRAME_PX:
        raise ValueError(
            f"Maps of {tuple(maps.shape[1:])} pixels are all frame; they need more than "
            f"{2 * FRAME_PX} pixels a side."
        )
    return maps[:, FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX]


def mass_share(maps: Tensor, masks: Tensor) -> Tensor:
    """Share of a map's mass on a mask, in [0, 1]; also called relevance mass accuracy.

    Args:
        maps: Non-negative, shape ``(N, H, W)``.
        masks: ``bool``, same shape.

    Raises:
        ValueError: If the shapes differ or a map is negative somewhere.

    Reference:
        Arras et al., "CLEVR-XAI", Information Fusion 2022, arXiv:2003.07258.
    """
    _check_shapes(maps, masks)
    share = (distribution(maps) * masks.flatten(1)).sum(dim=1).clamp(max=1)
    return torch.where(_divides(masks), share, torch.nan)


def lift(maps: Tensor, masks: Tensor) -> Tensor:
    """Share of the mass over share of the area: 1 for a uniform map, more if drawn to the mask.

    Args:
        maps: Non-negative, shape ``(N, H, W)``.
        masks: ``bool``, same shape.

    Returns:
        From 0 to the inverse of the mask's share of the area.

    Raises:
        ValueError: If the shapes differ or a map is negative somewhere.
    """
    return mass_share(maps, masks) / area_share(masks)


def area_share(masks: Tensor) -> Tensor:
    """Share of an image's pixels on a mask, in [0, 1], defined for every mask.

    Args:
        masks: ``bool (N, H, W)``.
    """
    return masks.flatten(1).double().mean(dim=1)


def roc_auc(maps: Tensor, masks: Tensor) -> Tensor:
    """Chance that a pixel on the mask is hotter than one off it, ties half; chance is 0.5.

    Free of the mask's area and of the map's scale; a constant map has 0.5.

    Args:
        maps: Shape ``(N, H, W)``.
        masks: ``bool``, same shape.

    Returns:
        In [0, 1].

    Raises:
        ValueError: If the shapes differ.

    Reference:
        Mann and Whitney, Annals of Mathematical Statistics 1947.
    """
    _check_shapes(maps, masks)
    return rank_auc(average_ranks(maps), masks)


def rank_auc(ranks: Tensor, masks: Tensor) -> Tensor:
    """:func:`roc_auc` from ranks, which serve several masks.

    Args:
        ranks: Average ranks from 1, ``(N, H * W)``.
        masks: ``bool (N, H, W)``.
    """
    flat = masks.flatten(1)
    num_on = flat.sum(dim=1).double()
    num_pairs = num_on * (flat.shape[1] - num_on)
    area = ((ranks * flat).sum(dim=1) - num_on * (num_on + 1) / 2) / num_pairs
    return torch.where(num_pairs > 0, area, torch.nan)


def rank_accuracy(maps: Tensor, masks: Tensor) -> Tensor:
    """Share of the K hottest pixels that lie on the mask, in [0, 1]; K is the mask's size.

    Of pixels tied at the threshold, as many as are left to fill the K count by the share of them
    that lies on the mask: the order of pixels decides nothing.

    Args:
        maps: Shape ``(N, H, W)``.
        masks: ``bool``, same shape.

    Returns:
        In [0, 1]; a constant map has the mask's share of the area.

    Raises:
        ValueError: If the shapes differ.

    Reference:
        Arras et al., "CLEVR-XAI", Information Fusion 2022, arXiv:2003.07258.
    """
    _check_shapes(maps, masks)
    flat, on = maps.detach().cpu().flatten(1), masks.flatten(1)
    sizes = on.sum(dim=1)
    above, tied = above_and_tied(flat, sizes)
    num_left = sizes - above.sum(dim=1)
    hits = (above & on).sum(dim=1) + num_left * (tied & on).sum(dim=1).double() / tied.sum(dim=1)
    valid = _divides(masks) & ~is_degenerate(maps.detach().cpu())
    return torch.where(valid, hits / sizes, torch.nan)


def pointing_game(maps: Tensor, masks: Tensor) -> Tensor:
    """1 if the hottest pixel lies on the mask, else 0; of tied maxima the share that does.

    Args:
        maps: Shape ``(N, H, W)``.
        masks: ``bool``, same shape.

    Returns:
        In [0, 1]; a constant map has the mask's share of the area.

    Raises:
        ValueError: If the shapes differ.

    Reference:
        Zhang et al., "Top-down neural attention by excitation backprop", IJCV 2018,
        arXiv:1608.00507.
    """
    _check_shapes(maps, masks)
    flat = maps.detach().cpu().flatten(1)
    maxima = flat == flat.amax(dim=1, keepdim=True)
    hits = (maxima & masks.flatten(1)).sum(dim=1).double() / maxima.sum(dim=1)
    valid = _divides(masks) & ~is_degenerate(maps.detach().cpu())
    return torch.where(valid, hits, torch.nan)


def _divides(masks: Tensor) -> Tensor:
    flat = masks.flatten(1)
    return flat.any(dim=1) & ~flat.all(dim=1)


def _check_shapes(maps: Tensor, masks: Tensor) -> None:
    if maps.ndim != 3 or maps.shape != masks.shape:
        raise ValueError(
            f"Maps and masks need the same shape (N, H, W), got {tuple(maps.shape)} and "
            f"{tuple(masks.shape)}."
        )
