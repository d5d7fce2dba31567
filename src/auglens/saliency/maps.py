"""Turns attributions into saliency maps. Knows no attribution method."""

import torch
from torch import Tensor

__all__ = ["REDUCTIONS", "reduce_channels"]

REDUCTIONS = {
    "max_abs": lambda attribution: attribution.abs().amax(dim=1),
    "sum_abs": lambda attribution: attribution.abs().sum(dim=1),
    "sum": lambda attribution: attribution.sum(dim=1),
}


def reduce_channels(attribution: Tensor, reduce: str) -> Tensor:
    """One map an image from a signed attribution a channel.

    Args:
        attribution: Shape ``(N, C, H, W)``, signed.
        reduce: ``max_abs`` (Simonyan et al. 2014), ``sum_abs``, or ``sum``, which keeps the sign.

    Returns:
        Shape ``(N, H, W)``, detached.

    Raises:
        ValueError: If ``reduce`` is none of the three.
    """
    if reduce not in REDUCTIONS:
        raise ValueError(f"reduce={reduce!r} is not one of {sorted(REDUCTIONS)}.")
    with torch.no_grad():
        reduced: Tensor = REDUCTIONS[reduce](attribution)
    return reduced.detach()
