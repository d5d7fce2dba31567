"""Saliency maps as probability distributions over pixels, and what is degenerate."""

import torch
from torch import Tensor

__all__ = ["distribution", "finite_log", "is_degenerate", "refuse_signed", "unsigned"]


def is_degenerate(maps: Tensor) -> Tensor:
    """Where a map is all zero or not finite, so that every measure is NaN.

    Args:
        maps: Shape ``(N, H, W)``.

    Returns:
        ``bool (N,)``.
    """
    flat = maps.flatten(1)
    return _spans_nothing(flat.amin(dim=1), flat.amax(dim=1))


def unsigned(maps: Tensor) -> Tensor:
    """The same maps, NaN where one has negative values and is therefore no distribution.

    Args:
        maps: Shape ``(N, H, W)``.
    """
    flat = maps.flatten(1)
    signed = _is_signed(flat, flat.amin(dim=1))
    return torch.where(signed[:, None, None], torch.nan, maps) if signed.any() else maps


def refuse_signed(maps: Tensor) -> None:
    """Check that maps can be read as distributions.

    Args:
        maps: Shape ``(N, H, W)``.

    Raises:
        ValueError: If a map has negative values.
    """
    flat = maps.flatten(1)
    _refuse_signed(flat, flat.amin(dim=1))


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
    flat = maps.detach().cpu().flatten(1)
    # Several times as fast as aminmax.
    lowest, highest = flat.amin(dim=1), flat.amax(dim=1)
    _refuse_signed(flat, lowest)
    # Dividing by the maximum first keeps huge maps from overflowing in the sum.
    largest = torch.where(_spans_nothing(lowest, highest), torch.nan, highest.double())
    scaled = flat.double() / largest[:, None]
    return scaled.div_(scaled.sum(dim=1, keepdim=True))


def finite_log(shares: Tensor) -> Tensor:
    """Natural logarithm, of 0 that of the smallest normal number: 0 log 0 is then 0.

    Several times as fast as ``torch.xlogy`` and ``torch.special.entr``.

    Args:
        shares: ``float64`` of any shape, in [0, 1].
    """
    return shares.clamp_min(torch.finfo(shares.dtype).tiny).log_()


def _spans_nothing(lowest: Tensor, highest: Tensor) -> Tensor:
    """Whether all values between these are 0, or some not finite, ``bool (N,)``.

    NaN is the least and the greatest of whatever it is among.
    """
    finite = torch.isfinite(lowest) & torch.isfinite(highest)
    return ~finite | ((lowest == 0) & (highest == 0))


def _refuse_signed(flat: Tensor, lowest: Tensor) -> None:
    if _is_signed(flat, lowest).any():
        raise ValueError(
            "A signed map is no distribution: use reduce=max_abs or reduce=sum_abs, not reduce=sum."
        )


def _is_signed(flat: Tensor, lowest: Tensor) -> Tensor:
    """Where maps ``(N, H * W)`` with these minima have negative values, ``bool (N,)``."""
    # NaN would hide them.
    return (flat < 0).any(dim=1) if lowest.isnan().any() else lowest < 0
