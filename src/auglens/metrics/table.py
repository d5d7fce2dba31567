"""Columns of maps.csv from maps: every measure of the catalogue that needs no network.

Legend: N maps, C channels, H and W pixels. Columns are ``float64 (N,)``, NaN where undefined.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auglens.metrics.catalogue import Family, of_family
from auglens.metrics.distribution import is_degenerate, unsigned
from auglens.metrics.entropy import effective_area, entropy, gini, histogram_entropy
from auglens.metrics.focus import (
    FRAME_PX,
    dilate,
    foreground,
    inner,
    lift,
    mass_share,
    pointing_game,
    rank_accuracy,
    rank_auc,
)
from auglens.metrics.order import average_ranks
from auglens.metrics.shape import components, moran, own_components, spread_px
from auglens.metrics.similarity import similarities
from auglens.metrics.threads import one_thread

__all__ = ["map_columns", "similarity_columns"]

Column = NDArray[np.float64]


@one_thread()
def similarity_columns(maps: Tensor, reference: Tensor, *, kl_eps: float) -> dict[str, Column]:
    """The family ``similarity`` of maps and their references.

    Args:
        maps: Shape ``(N, H, W)``.
        reference: Same shape.
        kl_eps: Keeps KL finite.

    Returns:
        By name, in the catalogue's order. Where a map has negative values only ``cc`` and
        ``spearman`` are defined.

    Raises:
        ValueError: If the shapes differ.
    """
    return _ordered(similarities(maps, reference, kl_eps=kl_eps), "similarity")


@one_thread()
def map_columns(maps: Tensor, images: Tensor, *, foreground_threshold: float) -> dict[str, Column]:
    """The families ``complexity`` and ``focus`` of maps.

    Measures of the foreground, and components of the image, are NaN for images of several
    channels, where brightness marks no object; those without the frame are NaN too where frame is
    all there is. A map that is degenerate or has negative values has NaN everywhere.

    Args:
        maps: Shape ``(N, H, W)``.
        images: What the maps explain, in [0, 1], shape ``(N, C, H, W)``.
        foreground_threshold: Brightness that the foreground exceeds.

    Returns:
        By name, in the catalogue's order.

    Raises:
        ValueError: If maps and images differ in number or size.
    """
    if maps.shape != images[:, 0].shape:
        raise ValueError(
            f"Maps of shape {tuple(maps.shape)} do not fit images of {tuple(images.shape)}."
        )
    own = unsigned(maps)
    connected = components(own)
    columns = {
        "entropy": entropy(own),
        "effective_area": effective_area(own),
        "entropy_histogram": histogram_entropy(own),
        "gini": gini(own),
        "num_components": connected.number,
        "image_num_components": torch.where(is_degenerate(own), torch.nan, own_components(images)),
        "largest_component_share": connected.largest_share,
        "spread_px": spread_px(own),
        "moran": moran(own),
    }
    if images.shape[1] == 1:
        columns |= _foreground_columns(own, foreground(images, foreground_threshold))
    return _ordered(columns, "complexity") | _ordered(columns, "focus")


def _foreground_columns(maps: Tensor, masks: Tensor) -> dict[str, Tensor]:
    regions = {"foreground": masks, "dilated": dilate(masks, 1)}
    columns = {
        **_region_columns(maps, regions, ""),
        "foreground_rank": rank_accuracy(maps, masks),
        "pointing_game": pointing_game(maps, masks),
        "far_background_mass": mass_share(maps, ~dilate(masks, 2)),
    }
    if min(maps.shape[1:]) > 2 * FRAME_PX:
        without_frame = {name: inner(mask) for name, mask in regions.items()}
        columns |= _region_columns(inner(maps), without_frame, "_inner")
    return columns


def _region_columns(maps: Tensor, regions: dict[str, Tensor], suffix: str) -> dict[str, Tensor]:
    ranks = average_ranks(maps)
    columns = {}
    for name, masks in regions.items():
        columns[f"{name}_mass{suffix}"] = mass_share(maps, masks)
        columns[f"{name}_lift{suffix}"] = lift(maps, masks)
        columns[f"{name}_auc{suffix}"] = rank_auc(ranks, masks)
    return columns


def _ordered(columns: dict[str, Tensor], family: Family) -> dict[str, Column]:
    undefined = torch.full_like(next(iter(columns.values())), torch.nan)
    return {name: columns.get(name, undefined).numpy() for name in of_family(family)}
