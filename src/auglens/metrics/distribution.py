"""Saliency maps as probability distributions over pixels, and what is degenerate."""

import torch
from torch import Tensor

__all__ = ["distribution", "is_degenerate", "refuse_signed", "unsigned"]


def is_degenerate(maps: Tensor) -> Tensor:
    """Where a map is all zero or not finite, so that every measure is NaN.

    Args:
        maps: Shape ``(N, H, W)``.

    Returns:
        ``bool (N,)``.
    """
    # NaN is the least and the greatest of whatever it is among.
    lowest, highest = torch.aminmax(maps.flatten(1), dim=1)
    finite = torch.isfinite(lowest) & torch.isfinite(highest)
    return ~finite | ((lowest == 0) & (highest == 0))


def unsigned(maps: Tensor) -> Tensor:
    """The same maps, NaN where one has negative values and is therefore no distribution.

    Args:
        maps: Shape ``(N, H, W)``.
    """
    signed = (maps < 0).flatten(1).any(dim=1)
    return torch.where(signed[:, None, None], torch.nan, maps)


def refuse_signed(maps: Tensor) -> None:
    """Check that maps can be read as distributions.

    Args:
        maps: Shape ``(N, H, W)``.

    Raises:
        ValueError: If a map has negative values.
    """
    if (maps < 0).any():
        raise ValueError(
            "A signed map is no distribution: use reduce=max_abs or reduce=sum_abs, not reduce=sum."
        )


def distribution(maps: Tensor) -> Tensor:
    """``P = map / sum(map)``, in float64; no minimum is subtracted, which would change KL.

    Args:
        maps: Non-negative, shape ``(N, H, W)``.

    Returns:
        ``float64 (N, H * W)``; a degenerate map gives NaN.

    Raises:
        ValueError: If a map has negative values.
    """
    if maps.ndim != 3:
        raise ValueError(f"Maps have shape (N, H, W), got {tuple(maps.shape)}.")
    refuse_signed(maps)
    flat = maps.detach().cpu().double().flatten(1)
    valid = ~is_degenerate(maps.detach().cpu())
    # Dividing by the maximum first keeps huge maps from overflowing in the sum.
    scaled = flat / flat.amax(dim=1, keepdim=True)
    shares = scaled / scaled.sum(dim=1, keepdim=True)
    return torch.where(valid[:, None], shares, torch.nan)
