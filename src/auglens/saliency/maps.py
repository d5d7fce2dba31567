"""Turns attributions into saliency maps. Knows no attribution method."""

import torch
from torch import Tensor

from auglens.saliency.parameters import check_count, check_word

__all__ = ["REDUCTIONS", "check_method", "reduce_channels"]

REDUCTIONS = {
    "max_abs": lambda attribution: attribution.abs().amax(dim=1),
    "sum_abs": lambda attribution: attribution.abs().sum(dim=1),
    "sum": lambda attribution: attribution.sum(dim=1),
}


def check_method(reduce: str, batch_size: int) -> None:
    """Refuse what no attribution method can work with.

    Args:
        reduce: As for :func:`reduce_channels`.
        batch_size: Images explained at a time, at least 1.

    Raises:
        ValueError: Naming what is allowed.
    """
    check_word("reduce", reduce, REDUCTIONS)
    check_count("batch_size", batch_size)


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
