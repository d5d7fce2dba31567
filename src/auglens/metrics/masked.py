"""Similarity over the pixels that both maps show. Pure."""

import torch
from torch import Tensor

__all__ = ["masked_cc"]


def masked_cc(maps: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """Pearson correlation over the pixels of a mask, in [-1, 1].

    Args:
        maps: Shape ``(N, H, W)``, signed or not.
        reference: Same shape.
        mask: Which pixels count, ``bool (N, H, W)``.

    Returns:
        ``float64 (N,)``; NaN where a map is constant or not finite on its mask, or the mask has
        fewer than two pixels.

    Raises:
        ValueError: If the shapes differ.
    """
    if not maps.shape == reference.shape == mask.shape:
        raise ValueError(
            f"Maps {tuple(maps.shape)}, reference {tuple(reference.shape)} and mask "
            f"{tuple(mask.shape)} need the same shape."
        )
    first, second = (_centred(part, mask) for part in (maps, reference))
    norms = (first.square().sum(dim=1) * second.square().sum(dim=1)).sqrt()
    correlation = (first * second).sum(dim=1) / norms
    return torch.where(norms > 0, correlation.clamp(-1, 1), torch.nan)


def _centred(maps: Tensor, mask: Tensor) -> Tensor:
    """Scaled maps ``(N, H * W)`` with mean 0 on the mask, and 0 outside it."""
    flat, inside = maps.detach().cpu().double().flatten(1), mask.cpu().flatten(1)
    kept = torch.where(inside, flat, 0.0)
    # Dividing by the maximum first keeps squares of huge maps finite.
    scaled = kept / kept.abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(torch.double).tiny)
    low = torch.where(inside, scaled, torch.inf).amin(dim=1, keepdim=True)
    high = torch.where(inside, scaled, -torch.inf).amax(dim=1, keepdim=True)
    mean = scaled.sum(dim=1, keepdim=True) / inside.sum(dim=1, keepdim=True).clamp_min(1)
    # A constant map has rounding errors around its mean that are no variation.
    return torch.where(inside & (high > low), scaled - mean, 0.0)
